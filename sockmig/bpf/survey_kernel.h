/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey_kernel.h - what survey.bpf.c and queues.bpf.c read of the kernel's
 * structures. */
#ifndef BSC_SURVEY_KERNEL_H
#define BSC_SURVEY_KERNEL_H

#include "sockmig/bpf/iter_task.h"
#include "sockmig/bpf/tcp_counters.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

enum { INET = 2, INET6 = 10, STREAM = 1, TCP = 6 };

enum { FIN_WAIT1 = 4, CLOSE = 7, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING };

#define GROUP 8 /* side by side; a table of files has room for a multiple of 64 */

/* Of the kernel's structures only what is read: the loader finds the places. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seqcount {
    unsigned int sequence;
};

struct mm_struct {
    struct seqcount mm_lock_seq; /* Linux 6.14 */
};

struct mm_struct___int {
    int mm_lock_seq; /* Linux 6.4 */
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
    unsigned long *close_on_exec;
};

struct files_struct {
    struct fdtable *fdt;
};

struct task_struct {
    struct mm_struct *mm;
    struct files_struct *files;
};

struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
};

struct list_head {
    struct list_head *next, *prev;
};

struct file_lock_context {
    struct list_head flc_flock, flc_posix, flc_lease;
};

struct file_lock_core { /* Linux 6.9 */
    struct list_head flc_list;
    void *flc_owner;
    unsigned char flc_type;
};

struct file_lock {
    struct file_lock_core c;
    __s64 fl_start, fl_end;
};

struct inode {
    __u16 i_mode;
    unsigned long i_ino;
    __s64 i_size;
    unsigned int i_nlink;
    struct super_block *i_sb;
    struct file_lock_context *i_flctx;
};

struct qstr {
    const unsigned char *name;
};

struct dentry {
    struct qstr d_name;
};

struct path {
    struct dentry *dentry;
};

struct file {
    unsigned int f_flags;
    __s64 f_pos;
    struct inode *f_inode;
    struct path f_path;
    void *private_data;
};

struct rb_node {
    unsigned long __rb_parent_color;
    struct rb_node *rb_right, *rb_left;
};

struct rb_root {
    struct rb_node *rb_node;
};

struct rb_root_cached {
    struct rb_root rb_root;
};

struct eventpoll {
    struct rb_root_cached rbr;
};

struct epoll_filefd {
    struct file *file;
    int fd;
};

struct epoll_event {
    __u32 events;
    __u64 data;
};

struct epitem {
    struct rb_node rbn;
    struct epoll_filefd ffd;
    struct epoll_event event;
};

struct sock_common {
    unsigned short skc_family;
    unsigned char skc_state;
    int skc_bound_dev_if;
    unsigned long skc_flags;
};

typedef struct { /* a spinlock_t, and */
    int owned;
} socket_lock_t;

struct sk_buff_head {
    struct sk_buff *next;
};

struct sock {
    struct sock_common __sk_common;
    socket_lock_t sk_lock;
    struct sk_buff_head sk_receive_queue, sk_write_queue;
    struct rb_root tcp_rtx_queue;
    struct sk_filter *sk_filter;
    unsigned long sk_lingertime;
    int sk_rcvlowat;
    __u16 sk_type, sk_protocol;
    int sk_sndbuf, sk_rcvbuf, sk_err;
    __u32 sk_ack_backlog, sk_max_ack_backlog;
};

struct socket {
    short type;
    struct file *file;
    struct sock *sk;
};

struct inet_sock {
    __u8 tos;
};

struct tcp_congestion_ops;

struct inet_connection_sock {
    const struct tcp_congestion_ops *icsk_ca_ops;
    const struct tcp_ulp_ops *icsk_ulp_ops;
    __u32 icsk_user_timeout;
};

struct tcp_options_received {
    __u16 mss_clamp;
};

struct tcp_sock {
    __u64 bytes_received, bytes_acked;
    __u32 segs_in, segs_out, snd_una, snd_nxt, write_seq, rcv_nxt, copied_seq;
    __u32 snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup, tsoffset, srtt_us;
    __u32 keepalive_time, keepalive_intvl, notsent_lowat;
    __u8 keepalive_probes;
    __u8 nonagle : 4;
    struct tcp_options_received rx_opt;
};

#pragma clang attribute pop

/* A type for a pointer that was read: loads through it are checked, and give 0 where
 * nothing is. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
#define as(type, p)                                                                    \
    ((struct type *)bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(struct type)))

/* A number that lies where no type of here has one, or several: the verifier mixes no
 * pointers. */
static __always_inline __u64
word_at(__u64 place)
{
    return as(rb_node, place)->__rb_parent_color;
}

/* Nobody processes a segment of it, and none waits for its owner to process it. */
static __always_inline int
is_let_alone(const struct sock *sk)
{
    __u64 lock = bpf_core_field_offset(struct sock, sk_lock);

    if (bpf_core_field_offset(struct sock, sk_lock.owned) != lock + sizeof(int))
        return 0; /* a lock that is no word: with preemption everywhere */
    return word_at((__u64)sk + lock) == 0;
}

static __always_inline int
is_tcp(const struct sock *sk)
{
    return sk->sk_type == STREAM && sk->sk_protocol == TCP &&
           (sk->__sk_common.skc_family == INET || sk->__sk_common.skc_family == INET6);
}

static __always_inline void
counters_read(struct tcp_counters *c, const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);

    c->state = sk->__sk_common.skc_state;
    c->segs_in = tp->segs_in;
    c->segs_out = tp->segs_out;
    c->snd_una = tp->snd_una;
    c->snd_nxt = tp->snd_nxt;
    c->write_seq = tp->write_seq;
    c->rcv_nxt = tp->rcv_nxt;
    c->copied_seq = tp->copied_seq;
    c->snd_wnd = tp->snd_wnd;
    c->rcv_wnd = tp->rcv_wnd;
    c->rcv_wup = tp->rcv_wup;
}

/* Nobody processes a segment, and since they were read nobody did: whoever was done by
 * the time of the look has left what is read again. */
static __always_inline int
counters_stayed(const struct tcp_counters *c, const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);
    int alone;

    barrier();
    alone = is_let_alone(sk);
    barrier();
    return alone && c->state == sk->__sk_common.skc_state &&
           c->segs_in == tp->segs_in && c->segs_out == tp->segs_out &&
           c->snd_una == tp->snd_una && c->snd_nxt == tp->snd_nxt &&
           c->write_seq == tp->write_seq && c->rcv_nxt == tp->rcv_nxt &&
           c->copied_seq == tp->copied_seq && c->snd_wnd == tp->snd_wnd &&
           c->rcv_wnd == tp->rcv_wnd && c->rcv_wup == tp->rcv_wup;
}

static __always_inline __u64
mix(__u64 hash, __u64 word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 32;
}

#endif
