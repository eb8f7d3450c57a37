/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unaccepted.bpf.c - connections in the queue of a listener that are over.
 *
 * Whoever could accept one stands still: the queue only grows, at its end.  Source:
 * include/net/request_sock.h; net/ipv4/inet_connection_sock.c,
 * inet_csk_reqsk_queue_add(). */
#include "sockmig/bpf/survey_ends.h"
#include "sockmig/bpf/unaccepted_row.h"

#define MOST (1u << 16) /* that wait: more than any limit there is */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct request_sock {
    struct request_sock *dl_next;
    struct sock *sk;
};

struct request_sock_queue {
    struct request_sock *rskq_accept_head;
};

struct inet_connection_sock___queue {
    struct request_sock_queue icsk_accept_queue;
};

#pragma clang attribute pop

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct unaccepted_shared);
} unaccepted_shared SEC(".maps");

static long
step(__u32 i, void *arg)
{
    __u64 *at = arg;
    const struct request_sock *request = as(request_sock, *at);
    __u32 zero = 0, n;
    struct unaccepted_shared *shared = bpf_map_lookup_elem(&unaccepted_shared, &zero);
    const struct sock *sk;

    (void)i;
    if (!shared || !*at)
        return 1;
    sk = as(sock, request->sk);
    *at = (__u64)request->dl_next;
    n = shared->n;
    if (sk->__sk_common.skc_state != CLOSE || n >= UNACCEPTED_ROWS)
        return 0;
    ends_read(&shared->rows[n], sk);
    shared->n = n + 1;
    return 0;
}

SEC("syscall")
int
unaccepted(void *unused)
{
    __u32 zero = 0;
    struct unaccepted_shared *shared = bpf_map_lookup_elem(&unaccepted_shared, &zero);
    __u64 at;

    (void)unused;
    if (!shared)
        return 0;
    shared->n = 0;
    if (as(sock, shared->sock)->__sk_common.skc_state != LISTEN)
        return 0;
    at = word_at(
        shared->sock +
        bpf_core_field_offset(struct inet_connection_sock___queue, icsk_accept_queue) +
        bpf_core_field_offset(struct request_sock_queue, rskq_accept_head));
    bpf_loop(MOST, step, &at, 0);
    return 0;
}

char unaccepted_license[] SEC("license") = "GPL";
