/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey.bpf.c - all descriptors of a stopped process in one run.
 *
 * A walk over its table of open files, GROUP at a time: what a row is made of lies in a
 * dozen cache lines all over the memory, each found through the one before.  Of
 * descriptors side by side the processor waits for them together.  Of a connection that
 * rested the last time (nothing unread, unsent or unacknowledged) all that can happen
 * first moves one of three counters, which lie in two lines that are found at once.
 *
 * No lock of a socket is taken: a row is only compared with that of the checkpoint
 * before, and a segment that is being processed has been counted (segs_in) before
 * anything else of the connection moves.  The process stands still, so what it has open
 * stays. */
#include "sockmig/bpf/survey_kernel.h"
#include "sockmig/bpf/survey_locks.h"
#include "sockmig/bpf/survey_row.h"
#include "sockmig/bpf/survey_sets.h"

#define BITS 64
#define S_IFMT 0170000
#define CLOEXEC 02000000
#define SOCKFS_MAGIC 0x534f434b

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, SURVEY_ROWS);
    __type(key, __u32);
    __type(value, struct survey_row);
} survey_rows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, SURVEY_ROWS);
    __type(key, __u32);
    __type(value, struct survey_found);
} survey_found SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct survey_shared);
} survey_shared SEC(".maps");

struct rests {
    struct survey_rest of[GROUP];
};

struct { /* room for those that were asked for last */
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rests);
} survey_rests SEC(".maps");

static __always_inline void
look_at_tcp(struct survey_row *r, const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);

    r->sock = (__u64)sk;
    r->sndbuf = (__u32)sk->sk_sndbuf;
    r->rcvbuf = (__u32)sk->sk_rcvbuf;
    r->received = tp->bytes_received;
    counters_read(&r->tcp, sk);
    if (r->tcp.state == LISTEN) {
        r->backlog = sk->sk_max_ack_backlog;
        r->waiting = sk->sk_ack_backlog;
    }
    r->settled = counters_stayed(&r->tcp, sk);
}

static __always_inline __u64
touch_tcp(const struct sock *sk)
{
    const struct tcp_sock *tp = as(tcp_sock, sk);

    return (__u64)sk->sk_protocol + (__u64)sk->sk_rcvbuf + tp->snd_wnd + tp->segs_out +
           tp->rcv_nxt + tp->segs_in + sk->__sk_common.skc_family;
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

/* One run of survey(), and the group of descriptors that it is at. */
struct pass {
    unsigned long slots, closing; /* of the table: its files, a bit for each */
    __u64 rests, touched;
    __u32 nrests, n, items;

    __u32 first, k;         /* descriptor of the group; which of it is next */
    __u32 cloexec, resting; /* a bit for each */
    unsigned long file[GROUP];
};

static __always_inline __u32
closed_on_exec(const struct pass *p)
{
    unsigned long word = 0;

    bpf_probe_read_kernel(
        &word, sizeof word, (unsigned long *)p->closing + p->first / BITS);
    return (__u32)(word >> p->first % BITS) & ((1u << GROUP) - 1);
}

static __always_inline void
look_at(struct survey_row *r, __u32 fd, __u32 cloexec, const struct file *file,
    __u32 *items)
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
    r->cloexec = cloexec;
    if (inode->i_sb->s_magic == SOCKFS_MAGIC && (__u64)socket->file == r->file) {
        if (is_tcp(socket->sk))
            look_at_tcp(r, socket->sk);
        return;
    }
    r->size = (__u64)inode->i_size;
    r->pos = (__u64)file->f_pos;
    if ((r->mode & S_IFMT) == 0)
        look_at_set(r, file, items);
    else
        r->locks = locks_of(inode);
}

/* A load from each line that the next stage, or a row, needs. */
static __always_inline void
touch_group(struct pass *p)
{
    __u64 sum = 0;

#pragma unroll
    for (int k = 0; k < GROUP; k++)
        sum += as(file, p->file[k])->f_flags;
    p->touched += sum;
    barrier();
#pragma unroll
    for (int k = 0; k < GROUP; k++) {
        const struct file *file = as(file, p->file[k]);

        sum += file->f_inode->i_mode + file->f_inode->i_ino;
        sum += as(socket, file->private_data)->type;
    }
    p->touched += sum;
    barrier();
#pragma unroll
    for (int k = 0; k < GROUP; k++)
        sum += touch_tcp(as(socket, as(file, p->file[k])->private_data)->sk);
    p->touched += sum;
    barrier();
}

/* ---- those that rest */

static __always_inline void
touch_rests(struct pass *p, const struct rests *was)
{
    __u64 sum = 0;

#pragma unroll
    for (int k = 0; k < GROUP; k++) {
        const struct tcp_sock *tp = as(tcp_sock, was->of[k].sock);

        sum += as(file, p->file[k])->f_flags + tp->segs_in + tp->segs_out;
    }
    p->touched += sum;
    barrier();
}

/* 1 or 0, without a branch: of eight of them the verifier would walk all ways. */
static __always_inline __u32
is_at_rest(const struct survey_rest *was, unsigned long file, __u32 cloexec)
{
    const struct tcp_sock *tp = as(tcp_sock, was->sock);
    __u32 flags = (as(file, file)->f_flags & ~CLOEXEC) | cloexec * CLOEXEC;
    __u64 other = was->file ^ file;

    other |= (was->segs_in ^ tp->segs_in) | (was->segs_out ^ tp->segs_out) |
             (was->write_seq ^ tp->write_seq) | (was->flags ^ flags);
    return 1 ^ (__u32)((other | -other) >> 63);
}

/* Bits of those in the group that rest. */
static __always_inline __u32
at_rest(struct pass *p)
{
    __u32 zero = 0, bits = 0;
    struct rests *was = bpf_map_lookup_elem(&survey_rests, &zero);

    if (!was || p->first + GROUP > p->nrests ||
        bpf_probe_read_user(was, sizeof *was,
            (const void *)(p->rests + p->first * sizeof was->of[0])) < 0)
        return 0;
    touch_rests(p, was);
#pragma unroll
    for (int k = 0; k < GROUP; k++)
        bits |= is_at_rest(&was->of[k], p->file[k], p->cloexec >> k & 1) << k;
    return bits;
}

/* ---- all */

static long
look_at_next(__u32 i, void *arg)
{
    struct pass *p = arg;
    __u32 k = p->k++ % GROUP, fd = p->first + k;
    unsigned long file = p->file[k];
    struct survey_found *found;
    struct survey_row *r;

    (void)i;
    if (!file)
        return 0;
    found = bpf_map_lookup_elem(&survey_found, &p->n);
    r = bpf_map_lookup_elem(&survey_rows, &p->n);
    p->n++;
    if (!r || !found)
        return 1;
    found->fd = fd;
    found->rests = p->resting >> k & 1;
    if (!found->rests)
        look_at(r, fd, p->cloexec >> k & 1, as(file, file), &p->items);
    return 0;
}

static long
look_at_group(__u32 i, void *arg)
{
    struct pass *p = arg;

    p->first = i * GROUP;
    p->k = 0;
    bpf_probe_read_kernel(
        p->file, sizeof p->file, (void *)(p->slots + i * sizeof p->file));
    p->cloexec = closed_on_exec(p);
    p->resting = at_rest(p);
    if (p->resting != (1u << GROUP) - 1)
        touch_group(p);
    bpf_loop(GROUP, look_at_next, p, 0);
    return p->n > SURVEY_ROWS;
}

/* Writes how many there are; more than SURVEY_ROWS if not all have room. */
SEC("iter/task")
int
survey(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct pass p = { 0 };
    struct fdtable *table;
    __u32 zero = 0;
    struct survey_shared *shared = bpf_map_lookup_elem(&survey_shared, &zero);

    if (!task || !task->files || !shared)
        return 0;
    table = task->files->fdt;
    p.slots = (unsigned long)table->fd;
    p.closing = (unsigned long)table->close_on_exec;
    p.rests = shared->rests;
    p.nrests = shared->nrests;
    shared->map_seq = map_seq(task);
    bpf_loop(table->max_fds / GROUP, look_at_group, &p, 0);
    bpf_seq_write(ctx->meta->seq, &p.n, sizeof p.n);
    return 0;
}

char survey_license[] SEC("license") = "GPL";
