/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queues.bpf.c - a connection as it is, the bytes of its queues included.
 *
 * Asked for by its owner, the send queue is shown in repair mode only, and while it is
 * selected there every timer of the connection, and every ACK, makes the kernel mark as
 * sent what it has not sent.  Here nothing is selected, and the connection does not
 * notice.
 *
 * No lock is taken.  That nobody processed a segment and no counter moved is looked at
 * before and after; that the bytes are those of the sequence numbers, at each buffer.
 * Source: include/net/tcp.h, include/linux/skbuff.h, net/ipv4/tcp.c
 * (tcp_peek_sndq(), tcp_recvmsg_locked()). */
#include "sockmig/bpf/queues_options.h"
#include "sockmig/bpf/queues_row.h"
#include "sockmig/bpf/survey_kernel.h"

#define MOST_STEPS (1u << 20)
#define FEW 8     /* levels of a trial's tree, at most */
#define NET_IOV 1 /* the page is memory of a device */
#define GIGABYTE 30
#define FARTHEST 8192 /* gigabytes */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff {
    struct sk_buff *next;
    char cb[48];
    unsigned int len, data_len;
    unsigned int end;
    unsigned char *head, *data;
};

struct tcp_skb_cb {
    __u32 seq, end_seq;
};

struct skb_frag {
    unsigned long netmem;
    unsigned int len, offset;
};

struct bio_vec { /* what it was before Linux 6.9 */
    struct page *bv_page;
    unsigned int bv_len, bv_offset;
};

struct skb_shared_info {
    __u8 nr_frags;
    struct sk_buff *frag_list;
    struct skb_frag frags[1];
};

struct page {
    unsigned long flags;
};

#pragma clang attribute pop

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct queues_shared);
} queues_shared SEC(".maps");

struct bytes {
    __u8 of[QUEUES_ROOM + QUEUES_PIECE];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bytes);
} queues_bytes SEC(".maps");

/* What was sent is a tree, which the list of what was not follows. */
enum move {
    LIST, /* at a buffer of it */
    TREE,
    DOWN, /* on the way to one, to the left */
    UP
};

/* One run over the buffers of a queue. */
struct walk {
    __u64 skb;           /* 0: behind the last */
    __u64 list;          /* where the list of them has its head */
    __u32 move;          /* enum move */
    __u32 part;          /* of the buffer, the next one */
    __u64 from;          /* of the part, what is left of it */
    __u32 len, skip;     /* bytes; and how many more of the buffer are not wanted */
    __u32 seq, fin, end; /* of the next byte wanted; 1: the last buffer has a FIN;
                            behind that */
    __u32 left, to;      /* bytes wanted, and where they go */
    __u32 page_size, broken;
    __u64 memory;
};

/* In a map: of what is on the stack the verifier would walk every value. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct walk);
} queues_walk SEC(".maps");

static __always_inline const struct sock *
socket_of(const struct queues_shared *shared)
{
    const struct task_struct *me;
    const struct fdtable *table;
    const struct file *file;
    const struct socket *socket;

    if (shared->sock)
        return as(sock, shared->sock);
    me = bpf_get_current_task_btf();
    table = me->files->fdt;
    if (shared->fd >= table->max_fds)
        return 0;
    file = as(file, word_at((__u64)table->fd + (__u64)shared->fd * sizeof(void *)));
    socket = as(socket, file->private_data);
    return (__u64)socket->file == (__u64)file ? as(sock, socket->sk) : 0;
}

/* ---- from one buffer to the next */

static __always_inline void
begin_list(struct walk *w)
{
    w->move = LIST;
    w->skb = (__u64)as(sk_buff_head, w->list)->next;
    if (w->skb == w->list)
        w->skb = 0;
}

static __always_inline void
next_buffer(struct walk *w)
{
    __u64 right;

    w->part = 0;
    if (w->move == LIST) {
        w->skb = (__u64)as(sk_buff, w->skb)->next;
        if (w->skb == w->list)
            w->skb = 0;
        return;
    }
    right = (__u64)as(rb_node, w->skb)->rb_right;
    w->move = right ? DOWN : UP;
    if (right)
        w->skb = right;
}

/* One level of the tree; a loop of its own the verifier would walk in all ways. */
static __always_inline void
move(struct walk *w)
{
    const struct rb_node *node = as(rb_node, w->skb);
    __u64 left = (__u64)node->rb_left, parent = node->__rb_parent_color & ~3ull;

    if (w->move == DOWN) {
        if (left)
            w->skb = left;
        else
            w->move = TREE;
        return;
    }
    if (!parent) {
        begin_list(w);
        return;
    }
    if ((__u64)as(rb_node, parent)->rb_right != w->skb)
        w->move = TREE;
    w->skb = parent;
}

/* ---- the parts of a buffer */

/* A SYN or a FIN counts as a byte, and is none. */
static __always_inline void
begin_buffer(struct walk *w, const struct sk_buff *skb)
{
    const struct tcp_skb_cb *cb = as(
        tcp_skb_cb, (__u64)skb + bpf_core_field_offset(struct sk_buff, cb));
    __u32 flags = cb->end_seq - cb->seq - skb->len;
    __s32 old = (__s32)(w->seq - cb->seq);

    if (old < 0 || (flags != 0 && !(flags == 1 && w->fin && cb->end_seq == w->end)))
        w->broken = 1;
    w->skip = (__u32)old;
    w->from = (__u64)skb->data;
    w->len = skb->len - skb->data_len;
}

static __always_inline __u64
memory_of(const struct walk *w, __u64 page)
{
    return w->memory + page * (w->page_size / bpf_core_type_size(struct page));
}

static __always_inline __u64
frag_at(__u64 info, __u32 k)
{
    return info + bpf_core_field_offset(struct skb_shared_info, frags) +
           (__u64)k * sizeof(struct skb_frag);
}

static __always_inline void
begin_fragment(struct walk *w, __u64 place)
{
    __u64 page;

    if (bpf_core_type_exists(struct skb_frag)) {
        const struct skb_frag *frag = as(skb_frag, place);

        page = frag->netmem;
        w->from = memory_of(w, page) + frag->offset;
        w->len = frag->len;
    } else {
        const struct bio_vec *frag = as(bio_vec, place);

        page = (__u64)frag->bv_page;
        w->from = memory_of(w, page) + frag->bv_offset;
        w->len = frag->bv_len;
    }
    if (page & NET_IOV)
        w->broken = 1;
}

static __always_inline __u64
info_of(const struct sk_buff *skb)
{
    return (__u64)skb->head + skb->end;
}

static __always_inline void
next_part(struct walk *w)
{
    const struct sk_buff *skb = as(sk_buff, w->skb);
    const struct skb_shared_info *info = as(skb_shared_info, info_of(skb));
    __u32 k = w->part++, old;

    if (k == 0) {
        begin_buffer(w, skb);
    } else if (k <= info->nr_frags) {
        begin_fragment(w, frag_at((__u64)info, k - 1));
    } else {
        if (info->frag_list) /* buffers in a buffer: left to who asks in other ways */
            w->broken = 1;
        next_buffer(w);
        return;
    }
    old = w->skip < w->len ? w->skip : w->len;
    w->from += old;
    w->len -= old;
    w->skip -= old;
}

static __always_inline void
copy_piece(struct walk *w)
{
    __u32 zero = 0, n = w->len < w->left ? w->len : w->left, to = w->to;
    struct bytes *bytes = bpf_map_lookup_elem(&queues_bytes, &zero);

    if (n > QUEUES_PIECE)
        n = QUEUES_PIECE;
    if (!bytes || to > QUEUES_ROOM || n > QUEUES_ROOM - to ||
        bpf_probe_read_kernel(&bytes->of[to], n, (const void *)w->from) < 0) {
        w->broken = 1;
        return;
    }
    w->from += n;
    w->len -= n;
    w->left -= n;
    w->to += n;
    w->seq += n;
}

static long
step(__u32 i, void *unused)
{
    __u32 zero = 0;
    struct walk *w = bpf_map_lookup_elem(&queues_walk, &zero);

    (void)i;
    (void)unused;
    if (!w || w->left == 0 || w->broken)
        return 1;
    if (w->move == DOWN || w->move == UP)
        move(w);
    else if (w->len > 0)
        copy_piece(w);
    else if (w->skb)
        next_part(w);
    else
        w->broken = 1;
    return 0;
}

/* ---- a connection */

static __always_inline void
read_rest(struct tcp_reading *r, const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);

    r->bytes_acked = tp->bytes_acked;
    r->bytes_received = tp->bytes_received;
    r->snd_wl1 = tp->snd_wl1;
    r->max_window = tp->max_window;
    r->sndbuf = (__u32)sk->sk_sndbuf;
    r->rcvbuf = (__u32)sk->sk_rcvbuf;
    r->mss = tp->rx_opt.mss_clamp;
    r->options = hash_options(sk);
    r->rtt_us = tp->srtt_us >> 3; /* the kernel keeps eight times that */
    r->error = (__u32)sk->sk_err;
    r->read_ns = bpf_ktime_get_ns();
    r->timestamp = (__u32)(r->read_ns / 1000000) + tp->tsoffset;
}

/* The FIN of the other side is read with the last byte, ours acknowledged alone. */
static __always_inline int
fin_received(__u32 state)
{
    return state == CLOSE_WAIT || state == LAST_ACK || state == CLOSING;
}

static __always_inline int
fin_waits(__u32 state)
{
    return state == FIN_WAIT1 || state == LAST_ACK || state == CLOSING;
}

static __always_inline int
read_inq(struct walk *w, const struct sock *sk, struct tcp_reading *r)
{
    w->list = (__u64)sk + bpf_core_field_offset(struct sock, sk_receive_queue);
    w->seq = r->tcp.copied_seq;
    w->end = r->tcp.rcv_nxt;
    w->left = r->tcp.rcv_nxt - r->tcp.copied_seq;
    w->fin = fin_received(r->tcp.state) && w->left > 0;
    w->left -= w->fin;
    r->inq = w->left;
    if (w->left == 0)
        return 1;
    begin_list(w);
    bpf_loop(MOST_STEPS, step, 0, 0);
    return w->left == 0 && !w->broken;
}

static __always_inline int
read_outq(struct walk *w, const struct sock *sk, struct tcp_reading *r)
{
    __u64 root = (__u64)sk->tcp_rtx_queue.rb_node;

    w->list = (__u64)sk + bpf_core_field_offset(struct sock, sk_write_queue);
    w->part = w->len = w->skip = 0;
    w->seq = r->tcp.snd_una;
    w->end = r->tcp.write_seq;
    w->left = r->tcp.write_seq - r->tcp.snd_una;
    w->fin = fin_waits(r->tcp.state) && w->left > 0;
    w->left -= w->fin;
    r->outq = w->left;
    if (w->left == 0)
        return 1;
    begin_list(w);
    if (root) {
        w->move = DOWN;
        w->skb = root;
    }
    bpf_loop(MOST_STEPS, step, 0, 0);
    return w->left == 0 && !w->broken;
}

SEC("syscall")
int
read_connection(void *unused)
{
    __u32 zero = 0;
    struct queues_shared *shared = bpf_map_lookup_elem(&queues_shared, &zero);
    struct walk *w = bpf_map_lookup_elem(&queues_walk, &zero);
    const struct sock *sk;
    struct tcp_reading *r;

    (void)unused;
    if (!shared || !w)
        return 0;
    r = &shared->reading;
    r->found = QUEUES_STRANGE;
    sk = socket_of(shared);
    if (!sk || !is_tcp(sk))
        return 0;
    __builtin_memset(w, 0, sizeof *w);
    w->memory = shared->memory;
    w->page_size = shared->page_size;
    counters_read(&r->tcp, sk);
    read_rest(r, sk);
    if (!counters_stayed(&r->tcp, sk)) {
        r->found = QUEUES_MOVED;
        return 0;
    }
    if (r->tcp.state == CLOSE || (read_inq(w, sk, r) && read_outq(w, sk, r)))
        r->found = QUEUES_WHOLE;
    if (!counters_stayed(&r->tcp, sk))
        r->found = QUEUES_MOVED;
    return 0;
}

/* ---- where the memory of pages is */

struct search {
    __u64 near; /* gigabyte where to begin */
    __u64 from; /* where the bytes would be if all memory began at 0 */
};

/* What belongs to a struct page lies somewhere in the kernel's map of all memory, which
 * begins at a gigabyte that is drawn at each start. */
static long
try_gigabyte(__u32 i, void *arg)
{
    struct search *s = arg;
    __u64 gigabyte = i & 1 ? s->near + i / 2 + 1 : s->near - i / 2;
    __u64 place = gigabyte << GIGABYTE | (s->from & ((1ull << GIGABYTE) - 1));
    __u64 there[QUEUES_PATTERN / 8], wanted[QUEUES_PATTERN / 8], other = 0;
    __u32 zero = 0;
    struct queues_shared *shared = bpf_map_lookup_elem(&queues_shared, &zero);

    if (!shared)
        return 1;
    if (bpf_probe_read_kernel(there, sizeof there, (const void *)place) < 0)
        return 0;
    __builtin_memcpy(wanted, shared->pattern, sizeof wanted);
    for (int k = 0; k < QUEUES_PATTERN / 8; k++)
        other |= there[k] ^ wanted[k];
    if (other)
        return 0;
    shared->memory = place - s->from;
    shared->located = 1;
    return 1;
}

SEC("syscall")
int
locate(void *unused)
{
    __u32 zero = 0;
    struct queues_shared *shared = bpf_map_lookup_elem(&queues_shared, &zero);
    struct search s = { 0 };
    struct walk w = { 0 };
    const struct sock *sk;
    __u64 skb = 0, next;

    (void)unused;
    if (!shared)
        return 0;
    shared->located = 0;
    sk = socket_of(shared);
    if (!sk)
        return 0;
    next = word_at((__u64)sk + bpf_core_field_offset(struct sock, tcp_rtx_queue));
    for (int i = 0; i < FEW && next; i++) {
        skb = next;
        next = word_at(skb + bpf_core_field_offset(struct rb_node, rb_left));
    }
    w.page_size = shared->page_size;
    begin_fragment(&w, frag_at(info_of(as(sk_buff, skb)), 0));
    s.near = skb >> GIGABYTE; /* it is in that map itself */
    s.from = w.from;
    bpf_loop(2 * FARTHEST, try_gigabyte, &s, 0);
    return 0;
}

char queues_license[] SEC("license") = "GPL";
