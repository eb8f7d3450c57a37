/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.bpf.c - the fence on a gate's uplink: past the deadline no frame passes.
 *
 * The uplink belongs to one service, so nothing is parsed: IP, ARP, neighbour
 * discovery and MLD are all in or all out.  The engine moves the deadline with a store
 * into the mapped array; when the engine dies or hangs, the deadline passes without
 * it.  See sockmig/fence.h. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
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
judge(__u32 direction)
{
    __u32 zero = 0, row = direction;
    volatile __u64 *deadline = bpf_map_lookup_elem(&fence_deadline, &zero);
    __u64 *count;
    int open = deadline && bpf_ktime_get_boot_ns() < *deadline;

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
    return judge(0);
}

SEC("tc")
int
fence_out(struct __sk_buff *skb)
{
    (void)skb;
    return judge(1);
}

char fence_license[] SEC("license") = "GPL";
