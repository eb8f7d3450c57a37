/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reqsk.bpf.c - the first segment of a connection that the handshake of another host
 * made, handed to the listener with what that handshake agreed on.
 *
 * At tc ingress of the cell's TUN (replay) and of its eth0 (what clients retransmit).
 * Offsets count from the network header: a TUN has no other.  See sockmig/reqsk.h. */
#include "sockmig/bpf/reqsk_map.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { STATE_LISTEN = 10, FRAGMENT = 0x3fff };

/* Of the kernel's structures only what is read: the loader finds the places. */
struct sock {
    __u32 sk_ack_backlog, sk_max_ack_backlog;
} __attribute__((preserve_access_index));

struct request_sock_queue {
    __u8 rskq_defer_accept;
} __attribute__((preserve_access_index));

struct inet_connection_sock {
    struct request_sock_queue icsk_accept_queue;
} __attribute__((preserve_access_index));

struct bpf_tcp_req_attrs { /* Linux 6.8; an argument, copied whole */
    __u32 rcv_tsval, rcv_tsecr;
    __u16 mss;
    __u8 rcv_wscale, snd_wscale, ecn_ok, wscale_ok, sack_ok, tstamp_ok;
    __u8 usec_ts_ok, reserved[3];
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk,
    struct bpf_tcp_req_attrs *attrs, int attrs__sz) __ksym;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, REQSK_MAP_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct reqsk_map_key);
    __type(value, struct reqsk_map_value);
} reqsk_waiting SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, REQSK_MAP_NCOUNTS);
    __type(key, __u32);
    __type(value, __u64);
} reqsk_counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, REQSK_MAP_NWORDS);
    __type(key, __u32);
    __type(value, __u32);
} reqsk_words SEC(".maps");

struct segment {
    struct reqsk_map_key key;
    struct tcphdr tcp;
    __u32 payload; /* bytes */
};

static __always_inline int
count(__u32 row, int verdict)
{
    __u64 *v = bpf_map_lookup_elem(&reqsk_counts, &row);

    if (v)
        __sync_fetch_and_add(v, 1);
    return verdict;
}

static __always_inline int
load(struct __sk_buff *skb, __u32 at, void *to, __u32 size)
{
    return bpf_skb_load_bytes_relative(skb, at, to, size, BPF_HDR_START_NET);
}

/* Both parsers: the place of the TCP header, 0 if there is none here. */
static __always_inline __u32
parse_v4(struct __sk_buff *skb, struct segment *s)
{
    struct iphdr ip;

    if (load(skb, 0, &ip, sizeof ip) < 0 || ip.version != 4 || ip.ihl < 5 ||
        ip.protocol != IPPROTO_TCP || (ip.frag_off & bpf_htons(FRAGMENT)))
        return 0;
    s->key.version = 4;
    __builtin_memcpy(s->key.local, &ip.daddr, 4);
    __builtin_memcpy(s->key.remote, &ip.saddr, 4);
    s->payload = bpf_ntohs(ip.tot_len) - ip.ihl * 4u;
    return ip.ihl * 4u;
}

static __always_inline __u32
parse_v6(struct __sk_buff *skb, struct segment *s)
{
    struct ipv6hdr ip;

    if (load(skb, 0, &ip, sizeof ip) < 0 || ip.version != 6 ||
        ip.nexthdr != IPPROTO_TCP)
        return 0;
    s->key.version = 6;
    __builtin_memcpy(s->key.local, &ip.daddr, 16);
    __builtin_memcpy(s->key.remote, &ip.saddr, 16);
    s->payload = bpf_ntohs(ip.payload_len);
    return sizeof ip;
}

static __always_inline int
parse(struct __sk_buff *skb, struct segment *s)
{
    __u32 at = skb->protocol == bpf_htons(ETH_P_IP)     ? parse_v4(skb, s)
               : skb->protocol == bpf_htons(ETH_P_IPV6) ? parse_v6(skb, s)
                                                        : 0;

    if (at == 0 || load(skb, at, &s->tcp, sizeof s->tcp) < 0)
        return 0;
    s->payload -= s->tcp.doff * 4u;
    s->key.local_port = s->tcp.dest;
    s->key.remote_port = s->tcp.source;
    return 1;
}

static __always_inline struct bpf_sock *
find(struct __sk_buff *skb, const struct reqsk_map_key *key)
{
    struct bpf_sock_tuple t = {};

    if (key->version == 4) {
        __builtin_memcpy(&t.ipv4.saddr, key->remote, 4);
        __builtin_memcpy(&t.ipv4.daddr, key->local, 4);
        t.ipv4.sport = key->remote_port;
        t.ipv4.dport = key->local_port;
        return bpf_skc_lookup_tcp(skb, &t, sizeof t.ipv4, BPF_F_CURRENT_NETNS, 0);
    }
    __builtin_memcpy(t.ipv6.saddr, key->remote, 16);
    __builtin_memcpy(t.ipv6.daddr, key->local, 16);
    t.ipv6.sport = key->remote_port;
    t.ipv6.dport = key->local_port;
    return bpf_skc_lookup_tcp(skb, &t, sizeof t.ipv6, BPF_F_CURRENT_NETNS, 0);
}

static __always_inline int
assign(struct __sk_buff *skb, struct sock *listener, const struct reqsk_map_value *v)
{
    struct bpf_tcp_req_attrs a = {
        .rcv_tsval = v->remote_ts,
        .rcv_tsecr = v->local_ts,
        .mss = v->mss,
        .rcv_wscale = v->rcv_wscale,
        .snd_wscale = v->snd_wscale,
        .ecn_ok = !!(v->flags & REQSK_MAP_ECN),
        .wscale_ok = !!(v->flags & REQSK_MAP_WSCALE),
        .sack_ok = !!(v->flags & REQSK_MAP_SACK),
        .tstamp_ok = !!(v->flags & REQSK_MAP_TIMESTAMPS),
        .usec_ts_ok = !!(v->flags & REQSK_MAP_MICROSECONDS),
    };

    return bpf_sk_assign_tcp_reqsk(skb, listener, &a, sizeof a);
}

/* The queue is looked at here: behind, a full one drops the segment without a word. */
static __always_inline int
hand_over(struct __sk_buff *skb, const struct segment *s,
    const struct reqsk_map_value *v, struct bpf_sock *listener)
{
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(listener);
    struct sock *sk = (struct sock *)tcp;
    struct inet_connection_sock *icsk = (struct inet_connection_sock *)tcp;

    if (!tcp)
        return count(REQSK_MAP_REFUSED, TC_ACT_SHOT);
    if (sk->sk_ack_backlog > sk->sk_max_ack_backlog)
        return count(REQSK_MAP_FULL, TC_ACT_SHOT);
    if (icsk->icsk_accept_queue.rskq_defer_accept && s->payload == 0 && !s->tcp.fin)
        return count(REQSK_MAP_DEFERRED, TC_ACT_SHOT);
    if (assign(skb, sk, v) < 0)
        return count(REQSK_MAP_REFUSED, TC_ACT_SHOT);
    bpf_map_delete_elem(&reqsk_waiting, &s->key);
    return count(REQSK_MAP_MADE, TC_ACT_UNSPEC);
}

static __always_inline int
to_listener(
    struct __sk_buff *skb, const struct segment *s, const struct reqsk_map_value *v)
{
    struct bpf_sock *sk = find(skb, &s->key);
    int verdict;

    if (!sk)
        return count(REQSK_MAP_NO_LISTENER, TC_ACT_SHOT);
    if (sk->state == STATE_LISTEN) {
        verdict = hand_over(skb, s, v, sk);
    } else {
        bpf_map_delete_elem(&reqsk_waiting, &s->key);
        verdict = count(REQSK_MAP_TAKEN, TC_ACT_UNSPEC);
    }
    bpf_sk_release(sk);
    return verdict;
}

static __always_inline __u32
word(__u32 row)
{
    __u32 *v = bpf_map_lookup_elem(&reqsk_words, &row);

    return v ? *v : 0;
}

SEC("tc")
int
reqsk(struct __sk_buff *skb)
{
    struct segment s = {};
    struct reqsk_map_value *v;
    __u32 seq;

    if (!word(REQSK_MAP_ARMED) || !parse(skb, &s))
        return TC_ACT_UNSPEC;
    v = bpf_map_lookup_elem(&reqsk_waiting, &s.key);
    if (!v)
        return TC_ACT_UNSPEC;
    seq = bpf_ntohl(s.tcp.seq);
    if (s.tcp.syn && seq != v->remote_isn) {
        bpf_map_delete_elem(&reqsk_waiting, &s.key);
        return count(REQSK_MAP_SUPERSEDED, TC_ACT_UNSPEC);
    }
    if (s.tcp.rst && seq == v->remote_isn + 1) {
        bpf_map_delete_elem(&reqsk_waiting, &s.key);
        return count(REQSK_MAP_RESET, TC_ACT_UNSPEC);
    }
    /* The kernel takes the initial numbers from this segment: from any other but the
     * first the connection would have a hole.  The same SYN again: its answer may be on
     * its way, and a second one would have another number. */
    if (s.tcp.syn || s.tcp.rst || !s.tcp.ack || seq != v->remote_isn + 1 ||
        bpf_ntohl(s.tcp.ack_seq) != v->local_isn + 1)
        return count(REQSK_MAP_OUT_OF_TURN, TC_ACT_SHOT);
    if (word(REQSK_MAP_SHUT) == skb->ifindex)
        return count(REQSK_MAP_EARLY, TC_ACT_SHOT);
    return to_listener(skb, &s, v);
}

char reqsk_license[] SEC("license") = "GPL";
