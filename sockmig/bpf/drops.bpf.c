/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drops.bpf.c - packets that the kernel drops for want of memory at their socket, told
 * to the thread that delivered them. */
#include "sockmig/bpf/drops_row.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Of the kernel's structures only what is read: the loader finds the places, and of the
 * reasons the values. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff {
    unsigned char *head;
    __u32 tail;
    __u16 network_header, transport_header;
};

#pragma clang attribute pop

enum skb_drop_reason {
    SKB_DROP_REASON_SOCKET_RCVBUFF,
    SKB_DROP_REASON_PROTO_MEM,
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct drops_conf);
} drops_conf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 128 * DROPS_AT_ONCE); /* bytes: a row and its head are 92 */
} drops SEC(".maps");

/* Most drops of a host are for other reasons. */
static int
concerns_us(__u64 reason)
{
    __u32 zero = 0;
    const struct drops_conf *conf;
    struct bpf_pidns_info who;

    if (reason !=
            bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_SOCKET_RCVBUFF) &&
        reason != bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_PROTO_MEM))
        return 0;
    conf = bpf_map_lookup_elem(&drops_conf, &zero);
    return conf &&
           bpf_get_ns_current_pid_tgid(
               conf->ns_device, conf->ns_inode, &who, sizeof who) == 0 &&
           who.pid == conf->thread;
}

SEC("tp_btf/kfree_skb")
int
BPF_PROG(on_drop, struct sk_buff *skb, void *location, __u64 reason)
{
    const unsigned char *ip, *udp;
    struct drops_row *row;
    __u32 have;

    (void)ctx;
    (void)location;
    if (!concerns_us(reason))
        return 0;
    row = bpf_ringbuf_reserve(&drops, sizeof *row, 0);
    if (!row)
        return 0;
    ip = skb->head + skb->network_header;
    udp = skb->head + skb->transport_header;
    have = skb->tail - skb->transport_header - sizeof row->udp;
    if (skb->tail < skb->transport_header + sizeof row->udp)
        have = 0;
    if (have > DROPS_START)
        have = DROPS_START;
    row->have = have;
    bpf_probe_read_kernel(row->ip, sizeof row->ip, ip);
    bpf_probe_read_kernel(row->udp, sizeof row->udp, udp);
    bpf_probe_read_kernel(row->start, sizeof row->start, udp + sizeof row->udp);
    bpf_ringbuf_submit(row, BPF_RB_NO_WAKEUP);
    return 0;
}

char drops_license[] SEC("license") = "GPL";
