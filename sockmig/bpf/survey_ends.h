/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey_ends.h - what struct tcp_ends has, from the kernel's structures. */
#ifndef BSC_SURVEY_ENDS_H
#define BSC_SURVEY_ENDS_H

#include "sockmig/bpf/survey_kernel.h"
#include "sockmig/bpf/tcp_ends.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

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

#define ENDS_PLACE(common, field)                                                      \
    ((const void *)((common) +                                                         \
                    bpf_core_field_offset(struct sock_common___addresses, field)))

/* What a closed connection was is still in it. */
static __always_inline void
ends_read(struct tcp_ends *r, const struct sock *sk)
{
    __u64 common = (__u64)sk + bpf_core_field_offset(struct sock, __sk_common);

    r->family = sk->__sk_common.skc_family;
    if (r->family == INET6) {
        bpf_probe_read_kernel(r->local, 16, ENDS_PLACE(common, skc_v6_rcv_saddr));
        bpf_probe_read_kernel(r->remote, 16, ENDS_PLACE(common, skc_v6_daddr));
    } else {
        bpf_probe_read_kernel(r->local, 4, ENDS_PLACE(common, skc_rcv_saddr));
        bpf_probe_read_kernel(r->remote, 4, ENDS_PLACE(common, skc_daddr));
    }
    bpf_probe_read_kernel(
        &r->remote_port, sizeof r->remote_port, ENDS_PLACE(common, skc_dport));
    bpf_probe_read_kernel(&r->local_port, sizeof r->local_port,
        (const void *)((__u64)sk +
                       bpf_core_field_offset(struct inet_sock___port, inet_sport)));
}

#endif
