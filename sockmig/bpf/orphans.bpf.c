/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orphans.bpf.c - connections that no process has any more, and whose other side lacks
 * something: data, or our FIN.
 *
 * All that have a FIN on its way are noted when their state says so, and forgotten when
 * it says that it has come; who of them is an orphan is looked at when somebody asks.
 * Source: net/ipv4/tcp.c, tcp_set_state(), __tcp_close(). */
#include "sockmig/bpf/orphans_row.h"
#include "sockmig/bpf/survey_ends.h"

#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum;
};

struct net {
    struct ns_common ns;
};

typedef struct {
    struct net *net;
} possible_net_t;

struct sock_common___net {
    possible_net_t skc_net;
};

struct sock___owned {
    struct socket *sk_socket;
};

struct tcp_options_received___agreed {
    __u16 tstamp_ok : 1;
    __u16 wscale_ok : 1;
    __u16 sack_ok : 3;
    __u16 snd_wscale : 4;
    __u16 rcv_wscale : 4;
};

struct tcp_sock___agreed {
    __u8 tcp_usec_ts : 1; /* Linux 6.7 */
};

#pragma clang attribute pop

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ORPHANS_SPACES);
    __type(key, __u32); /* inode number of a network namespace */
    __type(value, __u32);
} orphans_spaces SEC(".maps"); /* are put by who asks */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ORPHANS_KNOWN);
    __type(key, __u64); /* where the kernel has it */
    __type(value, __u32);
} orphans_known SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct orphans_shared);
} orphans_shared SEC(".maps");

static __always_inline int
has_fin_on_its_way(int state)
{
    return state == FIN_WAIT1 || state == LAST_ACK || state == CLOSING;
}

SEC("tp_btf/inet_sock_set_state")
int
BPF_PROG(on_state, const struct sock *sk, int was, int now)
{
    const struct sock_common___net *common = (const void *)sk;
    struct orphans_shared *shared;
    __u64 key = (__u64)sk;
    __u32 netns, zero = 0;

    (void)ctx;
    if (has_fin_on_its_way(was) == has_fin_on_its_way(now) || sk->sk_protocol != TCP)
        return 0;
    netns = common->skc_net.net->ns.inum;
    shared = bpf_map_lookup_elem(&orphans_shared, &zero);
    if (!shared || !bpf_map_lookup_elem(&orphans_spaces, &netns))
        return 0;
    if (!has_fin_on_its_way(now)) {
        if (bpf_map_delete_elem(&orphans_known, &key) == 0)
            __sync_fetch_and_add(&shared->known, -1);
    } else if (bpf_map_update_elem(&orphans_known, &key, &netns, BPF_NOEXIST) == 0) {
        __sync_fetch_and_add(&shared->known, 1);
    } else {
        __sync_fetch_and_add(&shared->missed, 1);
    }
    return 0;
}

static __always_inline void
agreed_read(struct orphan_row *r, const struct sock *sk)
{
    const struct tcp_options_received___agreed *o = (const void *)as(
        tcp_options_received,
        (__u64)sk + bpf_core_field_offset(struct tcp_sock, rx_opt));

    r->options = BPF_CORE_READ_BITFIELD(o, tstamp_ok) ? ORPHAN_TIMESTAMPS : 0;
    if (BPF_CORE_READ_BITFIELD(o, sack_ok))
        r->options |= ORPHAN_SACK;
    if (BPF_CORE_READ_BITFIELD(o, wscale_ok))
        r->options |= ORPHAN_WSCALE;
    r->snd_wscale = BPF_CORE_READ_BITFIELD(o, snd_wscale);
    r->rcv_wscale = BPF_CORE_READ_BITFIELD(o, rcv_wscale);
}

static __always_inline int
counts_microseconds(const struct sock *sk)
{
    const struct tcp_sock___agreed *tp = (const void *)as(tcp_sock, sk);

    return bpf_core_field_exists(tp->tcp_usec_ts) &&
           BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts);
}

static long
collect(void *map, const __u64 *key, const __u32 *netns, struct orphans_shared **out)
{
    __u32 zero = 0, n;
    struct orphans_shared *shared = bpf_map_lookup_elem(&orphans_shared, &zero);
    const struct sock *sk = as(sock, *key);
    const struct sock___owned *owned = (const void *)sk;

    (void)map;
    (void)out;
    if (!shared)
        return 1;
    n = shared->n;
    if (*netns != shared->netns || owned->sk_socket ||
        !has_fin_on_its_way(sk->__sk_common.skc_state))
        return 0;
    if (n >= ORPHANS_ROWS || counts_microseconds(sk)) {
        shared->more++;
        return 0;
    }
    shared->rows[n].sock = *key;
    ends_read(&shared->rows[n].ends, sk);
    agreed_read(&shared->rows[n], sk);
    shared->n = n + 1;
    return 0;
}

SEC("syscall")
int
list(void *unused)
{
    __u32 zero = 0;
    struct orphans_shared *shared = bpf_map_lookup_elem(&orphans_shared, &zero);

    (void)unused;
    if (!shared)
        return 0;
    shared->n = shared->more = 0;
    bpf_for_each_map_elem(&orphans_known, collect, &shared, 0);
    return 0;
}

char orphans_license[] SEC("license") = "GPL";
