/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.bpf.c - the fence on a gate's uplink: past the deadline no frame passes, and of
 * the cell's packets only those that a verdict let go.
 *
 * The uplink belongs to one service, so nothing is parsed: IP, ARP, neighbour
 * discovery and MLD are all in or all out.  Each way has a deadline of its own: who
 * hands the service over still listens, and says nothing.  The engine moves them with
 * stores into the mapped array; when the engine dies or hangs, they pass without it.
 * When it dies, the kernel takes the namespace apart and its rules first: until the
 * devices follow, what the dying sockets send is routed past the queue, and only the
 * missing mark tells.  See sockmig/fence.h. */
#include "sockmig/bpf/fence_mark.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2); /* in, out */
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, __u64); /* nanoseconds of CLOCK_BOOTTIME; 0: shut */
} fence_deadline SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 4); /* passed in, passed out, fenced in, fenced out */
    __type(key, __u32);
    __type(value, __u64);
} fence_frames SEC(".maps");

static __always_inline int
judge(__u32 direction, int allowed)
{
    __u32 row = direction;
    volatile __u64 *deadline = bpf_map_lookup_elem(&fence_deadline, &row);
    __u64 *count;
    int open = allowed && deadline && bpf_ktime_get_boot_ns() < *deadline;

    if (!open)
        row += 2;
    count = bpf_map_lookup_elem(&fence_frames, &row);
    if (count)
        *count += 1;
    return open ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int
fence_in(struct __sk_buff *skb)
{
    (void)skb;
    return judge(0, 1);
}

SEC("tc")
int
fence_out(struct __sk_buff *skb)
{
    /* The gate's own frames came in nowhere: ARP, discovery, announcements. */
    return judge(1, skb->ingress_ifindex == 0 || skb->mark == FENCE_MARK);
}

char fence_license[] SEC("license") = "GPL";
