/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.bpf.c - the fence on a gate's uplink: past the deadline no frame passes, and of
 * the cell's packets only those that the engine let go; and the ways past the stacks of
 * gate and cell.
 *
 * The uplink belongs to one service, so what may pass is not parsed: IP, ARP, neighbour
 * discovery and MLD are all in or all out.  Each way has a deadline of its own: who
 * hands the service over still listens, and says nothing.  The engine moves them with
 * stores into the mapped array; when the engine dies or hangs, they pass without it.
 * When it dies, the kernel takes the namespace apart and its rules first: until the
 * devices follow, what the dying sockets send may be routed past the engine, and only
 * the device that it came in by tells.  See sockmig/fence.h. */
#include "sockmig/bpf/fence_address.h"
#include "sockmig/bpf/gate_devices.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAGMENT 0x3fff /* more to come, or not the first */
#define NULL ((void *)0)

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

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, FENCE_ADDRESSES);
    __type(key, struct fence_address);
    __type(value, __u8); /* of no meaning: it is one of the service */
} fence_inside SEC(".maps");

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

/* TCP and UDP for the service go to the cell at once: what the gate would do with them
 * (route, rules, TTL) comes to nothing.  The rest (ARP, neighbour discovery, ICMP,
 * options, fragments of IPv6) takes the way through the gate's stack, to the same
 * queue; so do datagrams that were sent as one: the device there cuts them. */
static __always_inline int
inward(struct __sk_buff *skb)
{
    const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
    const struct iphdr *ip4 = data + ETH_HLEN;
    const struct ipv6hdr *ip6 = data + ETH_HLEN;
    struct fence_address to = { 0 };
    __u8 protocol;

    if (skb->pkt_type != PACKET_HOST)
        return TC_ACT_UNSPEC;
    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        if ((void *)(ip4 + 1) > end || ip4->ihl != 5)
            return TC_ACT_UNSPEC;
        protocol = ip4->protocol;
        to.words[2] = bpf_htonl(0xffff);
        to.words[3] = ip4->daddr;
    } else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
        if ((void *)(ip6 + 1) > end)
            return TC_ACT_UNSPEC;
        protocol = ip6->nexthdr;
        __builtin_memcpy(to.words, &ip6->daddr, sizeof to.words);
    } else {
        return TC_ACT_UNSPEC;
    }
    if (protocol != IPPROTO_TCP && (protocol != IPPROTO_UDP || skb->gso_size > 0))
        return TC_ACT_UNSPEC;
    if (!bpf_map_lookup_elem(&fence_inside, &to))
        return TC_ACT_UNSPEC;
    skb->mark = 0;
    return (int)bpf_redirect_peer(INNER_INDEX, 0);
}

SEC("tc")
int
fence_in(struct __sk_buff *skb)
{
    int verdict = judge(0, 1);

    return verdict == TC_ACT_UNSPEC ? inward(skb) : verdict;
}

SEC("tc")
int
fence_out(struct __sk_buff *skb)
{
    /* The gate's own frames came in nowhere: ARP, discovery, announcements. */
    return judge(1, skb->ingress_ifindex == 0 || skb->ingress_ifindex == OUTLET_INDEX);
}

/* At the cell's eth0: what it puts out goes to the engine. */
SEC("tc")
int
fence_take(struct __sk_buff *skb)
{
    if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
        return TC_ACT_SHOT;
    return (int)bpf_redirect(OUTLET_INDEX, 0);
}

/* At the device that the engine reads: nothing under a foreign address, and nothing
 * that is not routed (of neighbour discovery and group reports the engine would hold).
 */
SEC("tc")
int
fence_source(struct __sk_buff *skb)
{
    const struct iphdr *ip4;
    const struct ipv6hdr *ip6;
    const void *data, *end;
    struct fence_address from = { 0 };

    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        bpf_skb_pull_data(skb, sizeof *ip4);
        data = (void *)(long)skb->data;
        end = (void *)(long)skb->data_end;
        ip4 = data;
        if ((void *)(ip4 + 1) > end ||
            (ip4->daddr & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000))
            return TC_ACT_SHOT;
        from.words[2] = bpf_htonl(0xffff);
        from.words[3] = ip4->saddr;
    } else {
        bpf_skb_pull_data(skb, sizeof *ip6);
        data = (void *)(long)skb->data;
        end = (void *)(long)skb->data_end;
        ip6 = data;
        if ((void *)(ip6 + 1) > end || ip6->daddr.s6_addr[0] == 0xff)
            return TC_ACT_SHOT;
        __builtin_memcpy(from.words, &ip6->saddr, sizeof from.words);
    }
    return bpf_map_lookup_elem(&fence_inside, &from) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* At the device that the engine writes into: TCP of a connection that exists leaves
 * past the gate's stack, as it came.  What opens one, and all else, takes the way
 * through it: the stack tells a service what has no route. */
SEC("tc")
int
fence_leave(struct __sk_buff *skb)
{
    const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
    const struct iphdr *ip4 = data;
    const struct ipv6hdr *ip6 = data;
    const struct tcphdr *tcp;

    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        if ((void *)(ip4 + 1) > end || ip4->ihl != 5 || ip4->protocol != IPPROTO_TCP ||
            ip4->frag_off & bpf_htons(FRAGMENT))
            return TC_ACT_UNSPEC;
        tcp = (void *)(ip4 + 1);
    } else {
        if ((void *)(ip6 + 1) > end || ip6->nexthdr != IPPROTO_TCP)
            return TC_ACT_UNSPEC;
        tcp = (void *)(ip6 + 1);
    }
    if ((void *)(tcp + 1) > end || tcp->syn)
        return TC_ACT_UNSPEC;
    if (bpf_skb_change_head(skb, ETH_HLEN, 0) < 0)
        return TC_ACT_UNSPEC;
    return (int)bpf_redirect_neigh(UPLINK_INDEX, NULL, 0, 0);
}

char fence_license[] SEC("license") = "GPL";
