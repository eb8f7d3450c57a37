/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey.bpf.c - all descriptors of a stopped process in one read.
 *
 * An iterator over the files of one task.  No lock of a socket is taken: a row is only
 * compared with that of the checkpoint before, and a segment that is being processed
 * has been counted (segs_in) before anything else of the connection moves. */
#include "sockmig/bpf/survey_row.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define BITS 64
#define STEPS 65536 /* two for each of an image's 16384 items, and to spare */
#define S_IFMT 0170000
#define S_IFSOCK 0140000

enum { INET = 2, INET6 = 10, STREAM = 1, TCP = 6 };

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
};

struct inode {
    __u16 i_mode;
    unsigned long i_ino;
    __s64 i_size;
    unsigned int i_nlink;
    struct super_block *i_sb;
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
};

struct sock {
    struct sock_common __sk_common;
    __u16 sk_type, sk_protocol;
    int sk_sndbuf, sk_rcvbuf;
    __u32 sk_max_ack_backlog;
};

struct socket {
    struct sock *sk;
};

struct tcp_sock {
    __u64 bytes_acked, bytes_received;
    __u32 segs_in, segs_out, snd_una, snd_nxt, write_seq, rcv_nxt, copied_seq;
    __u32 snd_wnd, rcv_wnd, rcv_wup;
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    __u32 fd;
    struct file *file;
};

#pragma clang attribute pop

static __always_inline void
look_at_tcp(struct survey_row *r, struct sock *sk)
{
    struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

    r->tcp = sk->__sk_common.skc_state;
    r->sndbuf = (__u32)sk->sk_sndbuf;
    r->rcvbuf = (__u32)sk->sk_rcvbuf;
    r->backlog = sk->sk_max_ack_backlog;
    if (!tp)
        return; /* a listener has no more that matters */
    r->acked = tp->bytes_acked;
    r->received = tp->bytes_received;
    r->segs_in = tp->segs_in;
    r->segs_out = tp->segs_out;
    r->snd_una = tp->snd_una;
    r->snd_nxt = tp->snd_nxt;
    r->write_seq = tp->write_seq;
    r->rcv_nxt = tp->rcv_nxt;
    r->copied_seq = tp->copied_seq;
    r->snd_wnd = tp->snd_wnd;
    r->rcv_wnd = tp->rcv_wnd;
    r->rcv_wup = tp->rcv_wup;
}

static __always_inline __u32
closes_on_exec(const struct task_struct *task, __u32 fd)
{
    unsigned long word = 0;

    bpf_probe_read_kernel(
        &word, sizeof word, task->files->fdt->close_on_exec + fd / BITS);
    return word >> (fd % BITS) & 1;
}

struct walk { /* over the tree of an epoll set; each step goes along one edge */
    unsigned long node, from;
    __u64 hash;
};

static __always_inline void
mix(__u64 *hash, __u64 word)
{
    *hash = (*hash ^ word) * 0x9e3779b97f4a7c15ull;
    *hash ^= *hash >> 32;
}

static __always_inline void
mix_item(__u64 *hash, unsigned long node)
{
    struct epitem *item = (void *)(node - bpf_core_field_offset(struct epitem, rbn));
    struct file *file = 0;
    __u32 events = 0;
    __u64 data = 0;
    int fd = 0;

    bpf_core_read(&file, sizeof file, &item->ffd.file);
    bpf_core_read(&fd, sizeof fd, &item->ffd.fd);
    bpf_core_read(&events, sizeof events, &item->event.events);
    bpf_core_read(&data, sizeof data, &item->event.data);
    mix(hash, (__u64)file);
    mix(hash, (__u64)events << 32 | (__u32)fd);
    mix(hash, data);
}

/* Down to the left, down to the right, up: a node counts when it is come to from above.
 */
static long
step(__u32 i, void *arg)
{
    struct walk *w = arg;
    unsigned long parent, left, right, down = 0;
    struct rb_node n = { 0 };

    (void)i;
    if (!w->node)
        return 1;
    bpf_probe_read_kernel(&n, sizeof n, (void *)w->node);
    parent = n.__rb_parent_color & ~3ul;
    left = (unsigned long)n.rb_left;
    right = (unsigned long)n.rb_right;
    if (w->from == parent) {
        mix_item(&w->hash, w->node);
        down = left ? left : right;
    } else if (w->from == left) {
        down = right;
    }
    w->from = w->node;
    w->node = down ? down : parent;
    return 0;
}

/* Of what an epoll set watches: descriptors, their files, events, data.  0: no set. */
static __always_inline __u64
watched(const struct file *file)
{
    struct walk w = { .hash = 1 };
    struct eventpoll *set = file->private_data;
    struct rb_node *root = 0;
    static const char want[] = "[eventpoll]";
    char name[sizeof want] = "";

    bpf_probe_read_kernel(name, sizeof name, file->f_path.dentry->d_name.name);
    for (unsigned i = 0; i < sizeof name; i++)
        if (name[i] != want[i])
            return 0;
    bpf_core_read(&root, sizeof root, &set->rbr.rb_root.rb_node);
    w.node = (unsigned long)root;
    bpf_loop(STEPS, step, &w, 0);
    return w.node ? 0 : w.hash | 1;
}

/* Moves with every change of the mappings: whoever changes one takes their lock for
 * writing.  0: not known. */
static __always_inline __u32
map_seq(const struct task_struct *task)
{
    struct mm_struct *mm = task->mm;
    struct mm_struct___int *older = (void *)mm;

    if (!mm)
        return 0;
    if (bpf_core_field_exists(mm->mm_lock_seq.sequence))
        return mm->mm_lock_seq.sequence;
    if (bpf_core_field_exists(older->mm_lock_seq))
        return (__u32)older->mm_lock_seq;
    return 0;
}

SEC("iter/task")
int
mappings(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    __u32 seq;

    if (!task)
        return 0;
    seq = map_seq(task);
    bpf_seq_write(ctx->meta->seq, &seq, sizeof seq);
    return 0;
}

SEC("iter/task_file")
int
survey(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    struct survey_row r = { 0 };
    struct socket *socket;
    struct sock *sk;

    if (!task || !file)
        return 0;
    r.file = (__u64)file;
    r.dev = file->f_inode->i_sb->s_dev;
    r.ino = file->f_inode->i_ino;
    r.size = (__u64)file->f_inode->i_size;
    r.pos = (__u64)file->f_pos;
    r.fd = ctx->fd;
    r.mode = file->f_inode->i_mode;
    r.nlink = file->f_inode->i_nlink;
    r.flags = file->f_flags;
    r.cloexec = closes_on_exec(task, r.fd);
    r.map_seq = map_seq(task);
    r.watched = (r.mode & S_IFMT) == 0 ? watched(file) : 0;
    socket = (r.mode & S_IFMT) == S_IFSOCK ? bpf_sock_from_file(file) : 0;
    sk = socket ? socket->sk : 0;
    if (sk && sk->sk_type == STREAM && sk->sk_protocol == TCP &&
        (sk->__sk_common.skc_family == INET || sk->__sk_common.skc_family == INET6))
        look_at_tcp(&r, sk);
    bpf_seq_write(ctx->meta->seq, &r, sizeof r);
    return 0;
}

char survey_license[] SEC("license") = "GPL";
