/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queues_options.h - a hash of what setsockopt() changes of a connection, if the image
 * has it, or refuses it. */
#ifndef BSC_QUEUES_OPTIONS_H
#define BSC_QUEUES_OPTIONS_H

#include "sockmig/bpf/survey_kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ipv6_pinfo {
    __u8 tclass;
};

struct inet_sock___v6 {
    struct ipv6_pinfo *pinet6;
};

#pragma clang attribute pop

static __always_inline __u32
traffic_class(const struct sock *sk)
{
    const struct inet_sock___v6 *inet = (const void *)as(inet_sock, sk);

    return sk->__sk_common.skc_family == INET6 ? inet->pinet6->tclass : 0;
}

/* What no image has, see options_refused(). */
static __always_inline __u64
refused(const struct sock *sk)
{
    const struct inet_connection_sock *icsk = as(inet_connection_sock, sk);
    __u64 ulp = word_at(
        (__u64)icsk + bpf_core_field_offset(struct inet_connection_sock, icsk_ulp_ops));
    __u64 filter = word_at((__u64)sk + bpf_core_field_offset(struct sock, sk_filter));

    return (__u64)(__u32)sk->__sk_common.skc_bound_dev_if << 2 | (filter != 0) << 1 |
           (ulp != 0);
}

/* But for SO_REUSEADDR and the like, which do nothing for a connection that is there.
 */
static __always_inline __u32
hash_options(const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);
    const struct inet_connection_sock *icsk = as(inet_connection_sock, sk);
    __u64 hash = mix(sk->__sk_common.skc_flags, sk->sk_lingertime);

    hash = mix(hash, (__u32)sk->sk_rcvlowat);
    hash = mix(hash, BPF_CORE_READ_BITFIELD(tp, nonagle));
    hash = mix(hash, (__u64)tp->keepalive_time << 32 | tp->keepalive_intvl);
    hash = mix(hash, (__u64)tp->notsent_lowat << 32 | tp->keepalive_probes);
    hash = mix(hash, (__u64)icsk->icsk_user_timeout << 32 | as(inet_sock, sk)->tos);
    hash = mix(hash, traffic_class(sk));
    hash = mix(hash, refused(sk));
    return (__u32)mix(
        hash, word_at((__u64)icsk +
                      bpf_core_field_offset(struct inet_connection_sock, icsk_ca_ops)));
}

#endif
