/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unaccepted.bpf.c - connections in the queue of a listener that are over.
 *
 * Whoever could accept one stands still: the queue only grows, at its end.  Source:
 * include/net/request_sock.h; net/ipv4/inet_connection_sock.c,
 * inet_csk_reqsk_queue_add(). */
#include "sockmig/bpf/survey_kernel.h"
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

struct in6_addr {
    __u8 bytes[16];
};

struct sock_common___addresses {
    __u32 skc_daddr, skc_rcv_saddr;
    __u16 skc_dport;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct inet_sock___port {
    __u16 inet_sport;
};

#pragma clang attribute pop

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct unaccepted_shared);
} unaccepted_shared SEC(".maps");

#define PLACE(common, field)                                                           \
    ((common) + bpf_core_field_offset(struct sock_common___addresses, field))

/* What a closed connection was is still in it. */
static __always_inline void
describe(struct unaccepted_row *r, const struct sock *sk)
{
    __u64 common = (__u64)sk + bpf_core_field_offset(struct sock, __sk_common);

    r->family = sk->__sk_common.skc_family;
    if (r->family == INET6) {
        bpf_probe_read_kernel(
            r->local, 16, (const void *)PLACE(common, skc_v6_rcv_saddr));
        bpf_probe_read_kernel(r->remote, 16, (const void *)PLACE(common, skc_v6_daddr));
    } else {
        bpf_probe_read_kernel(r->local, 4, (const void *)PLACE(common, skc_rcv_saddr));
        bpf_probe_read_kernel(r->remote, 4, (const void *)PLACE(common, skc_daddr));
    }
    bpf_probe_read_kernel(
        &r->remote_port, sizeof r->remote_port, (const void *)PLACE(common, skc_dport));
    bpf_probe_read_kernel(&r->local_port, sizeof r->local_port,
        (const void *)((__u64)sk +
                       bpf_core_field_offset(struct inet_sock___port, inet_sport)));
}

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
    describe(&shared->rows[n], sk);
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
