/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey.bpf.c - all descriptors of a stopped process in one run.
 *
 * A walk over its table of open files, GROUP at a time: what a row is made of lies in a
 * dozen cache lines all over the memory, each found through the one before.  Of
 * descriptors side by side the processor waits for them together.  No lock of a socket
 * is taken: a row is only compared with that of the checkpoint before, and a segment
 * that is being processed has been counted (segs_in) before anything else of the
 * connection moves.  The process stands still, so what it has open stays. */
#include "sockmig/bpf/survey_row.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define BITS 64
#define NODES 16384 /* of an epoll set: as many items as an image has */
#define GROUP 8     /* a table has room for a multiple of 64 */
#define S_IFMT 0170000
#define SOCKFS_MAGIC 0x534f434b

enum { INET = 2, INET6 = 10, STREAM = 1, TCP = 6, LISTEN = 10 };

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
    short type;
    struct file *file;
    struct sock *sk;
};

struct tcp_sock {
    __u64 bytes_received;
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

#pragma clang attribute pop

/* A type for a pointer that was read: loads through it are checked, and give 0 where
 * nothing is. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
#define as(type, p)                                                                    \
    ((struct type *)bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(struct type)))

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, SURVEY_ROWS);
    __type(key, __u32);
    __type(value, struct survey_row);
} survey_rows SEC(".maps");

static __always_inline void
look_at_tcp(struct survey_row *r, const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);

    r->tcp = sk->__sk_common.skc_state;
    r->sndbuf = (__u32)sk->sk_sndbuf;
    r->rcvbuf = (__u32)sk->sk_rcvbuf;
    if (r->tcp == LISTEN)
        r->backlog = sk->sk_max_ack_backlog;
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

static __always_inline int
is_tcp(const struct sock *sk)
{
    return sk->sk_type == STREAM && sk->sk_protocol == TCP &&
           (sk->__sk_common.skc_family == INET || sk->__sk_common.skc_family == INET6);
}

static __always_inline __u64
touch_tcp(const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);

    return (__u64)sk->sk_protocol + (__u64)sk->sk_rcvbuf + tp->snd_wnd + tp->segs_out +
           tp->rcv_nxt + tp->segs_in + sk->__sk_common.skc_family;
}

struct walk { /* over the tree of an epoll set; the nodes found are a list */
    __u32 done, found;
    __u64 hash;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, NODES);
    __type(key, __u32);
    __type(value, __u64);
} survey_nodes SEC(".maps");

static __always_inline void
add_node(struct walk *w, const struct rb_node *node)
{
    __u64 *slot = node ? bpf_map_lookup_elem(&survey_nodes, &w->found) : 0;

    w->found += node != 0;
    if (slot)
        *slot = (__u64)node;
}

static __always_inline __u64
node_at(__u32 i, const struct walk *w)
{
    __u64 *slot = i < w->found ? bpf_map_lookup_elem(&survey_nodes, &i) : 0;

    return slot ? *slot : 0;
}

static __always_inline __u64
item_of(__u64 node)
{
    return node - bpf_core_field_offset(struct epitem, rbn);
}

/* The file as a number, by a type that has one: the verifier mixes no pointers. */
static __always_inline __u64
file_of(__u64 item)
{
    return as(rb_node, item + bpf_core_field_offset(struct epitem, ffd.file))
        ->__rb_parent_color;
}

static __always_inline __u64
mix(__u64 hash, __u64 word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 32;
}

/* The sum of what each gives: the order is that of a tree, which is turned about. */
static __always_inline void
look_at_item(struct walk *w, __u64 node)
{
    const struct epitem *item = as(epitem, item_of(node));
    __u64 hash = mix(1, file_of(item_of(node)));

    hash = mix(hash, (__u64)item->event.events << 32 | (__u32)item->ffd.fd);
    w->hash += mix(mix(hash, item->event.data), 1);
    add_node(w, item->rbn.rb_left);
    add_node(w, item->rbn.rb_right);
}

/* Those that are next in the list, together: see above. */
static long
step(__u32 i, void *arg)
{
    struct walk *w = arg;
    __u64 node[GROUP], sum = 0;

    (void)i;
#pragma unroll
    for (int k = 0; k < GROUP; k++) {
        node[k] = node_at(w->done + k, w);
        sum += as(epitem, item_of(node[k]))->ffd.fd;
        sum += as(epitem, item_of(node[k]))->event.events;
    }
    w->hash ^= sum;
    barrier();
    w->hash ^= sum;
    for (int k = 0; k < GROUP && node[k]; k++, w->done++)
        look_at_item(w, node[k]);
    return w->done == w->found || w->found > NODES;
}

/* Of what an epoll set watches: descriptors, their files, events, data.  0: no set. */
static __always_inline __u64
watched(const struct file *file)
{
    struct walk w = { .hash = 1 };
    const struct eventpoll *set = as(eventpoll, file->private_data);
    static const char want[] = "[eventpoll]";
    char name[sizeof want] = "";

    bpf_probe_read_kernel(name, sizeof name, file->f_path.dentry->d_name.name);
    for (unsigned i = 0; i < sizeof name; i++)
        if (name[i] != want[i])
            return 0;
    add_node(&w, set->rbr.rb_root.rb_node);
    bpf_loop(NODES, step, &w, 0);
    return w.done == w.found ? w.hash | 1 : 0;
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

/* One run of survey(). */
struct pass {
    unsigned long slots, cloexec; /* of the table: its files, a bit for each */
    __u32 n, map_seq;
    __u64 touched;
};

static __always_inline int
closes_on_exec(const struct pass *p, __u32 fd)
{
    unsigned long word = 0;

    bpf_probe_read_kernel(&word, sizeof word, (unsigned long *)p->cloexec + fd / BITS);
    return word >> (fd % BITS) & 1;
}

static __always_inline void
look_at(struct survey_row *r, const struct pass *p, __u32 fd, const struct file *file)
{
    const struct inode *inode = file->f_inode;
    const struct socket *socket = as(socket, file->private_data);

    __builtin_memset(r, 0, sizeof *r);
    r->file = (__u64)file;
    r->dev = inode->i_sb->s_dev;
    r->ino = inode->i_ino;
    r->fd = fd;
    r->mode = inode->i_mode;
    r->nlink = inode->i_nlink;
    r->flags = file->f_flags;
    r->cloexec = closes_on_exec(p, fd);
    r->map_seq = p->map_seq;
    if (inode->i_sb->s_magic == SOCKFS_MAGIC && (__u64)socket->file == r->file) {
        if (is_tcp(socket->sk))
            look_at_tcp(r, socket->sk);
        return;
    }
    r->size = (__u64)inode->i_size;
    r->pos = (__u64)file->f_pos;
    if ((r->mode & S_IFMT) == 0)
        r->watched = watched(file);
}

/* A load from each line that the next stage, or a row, needs. */
static __always_inline void
touch_group(struct pass *p, const unsigned long file[GROUP])
{
    __u64 sum = 0;

#pragma unroll
    for (int k = 0; k < GROUP; k++)
        sum += as(file, file[k])->f_flags;
    p->touched += sum;
    barrier();
#pragma unroll
    for (int k = 0; k < GROUP; k++) {
        sum += as(file, file[k])->f_inode->i_mode + as(file, file[k])->f_inode->i_ino;
        sum += as(socket, as(file, file[k])->private_data)->type;
    }
    p->touched += sum;
    barrier();
#pragma unroll
    for (int k = 0; k < GROUP; k++)
        sum += touch_tcp(as(socket, as(file, file[k])->private_data)->sk);
    p->touched += sum;
    barrier();
}

static long
look_at_group(__u32 i, void *arg)
{
    struct pass *p = arg;
    unsigned long file[GROUP] = { 0 };

    bpf_probe_read_kernel(
        file, sizeof file, (void *)(p->slots + (unsigned long)i * sizeof file));
    touch_group(p, file);
    for (__u32 k = 0; k < GROUP; k++) {
        struct survey_row *r;

        if (!file[k])
            continue;
        r = bpf_map_lookup_elem(&survey_rows, &p->n);
        p->n++;
        if (!r)
            return 1;
        look_at(r, p, i * GROUP + k, as(file, file[k]));
    }
    return 0;
}

/* Writes how many rows there are; more than SURVEY_ROWS if not all have room. */
SEC("iter/task")
int
survey(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct pass p = { 0 };
    struct fdtable *table;

    if (!task || !task->files)
        return 0;
    table = task->files->fdt;
    p.slots = (unsigned long)table->fd;
    p.cloexec = (unsigned long)table->close_on_exec;
    p.map_seq = map_seq(task);
    bpf_loop(table->max_fds / GROUP, look_at_group, &p, 0);
    bpf_seq_write(ctx->meta->seq, &p.n, sizeof p.n);
    return 0;
}

char survey_license[] SEC("license") = "GPL";
