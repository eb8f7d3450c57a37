/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * undo.bpf.c - what the kernel adds to semaphores when a process ends (SEM_UNDO): no
 * call tells.  An iterator over one task; the process stands still.  Source: ipc/sem.c.
 */
#include "sockmig/bpf/iter_task.h"
#include "sockmig/bpf/undo_row.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SETS 4096

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
    struct list_head *next;
};

struct sem_undo_list {
    struct list_head list_proc;
};

struct sem_undo {
    struct list_head list_proc;
    int semid;
    short semadj[];
};

struct sysv_sem {
    struct sem_undo_list *undo_list;
};

struct task_struct {
    struct sysv_sem sysvsem;
};

#pragma clang attribute pop

struct walk {
    struct seq_file *seq;
    unsigned long head, at;
};

/* How many there are the set itself tells: what is behind them is passed over. */
static long
step(__u32 i, void *arg)
{
    struct walk *w = arg;
    struct sem_undo *u = (void *)(w->at -
                                  bpf_core_field_offset(struct sem_undo, list_proc));
    struct list_head *next = 0;
    struct undo_row r = { 0 };
    unsigned long from;

    (void)i;
    if (w->at == w->head || !w->at)
        return 1;
    bpf_core_read(&r.set, sizeof r.set, &u->semid);
    from = (unsigned long)u + bpf_core_field_offset(struct sem_undo, semadj);
#pragma unroll
    for (int k = 0; k < UNDO_MOST / UNDO_AT_ONCE; k++) {
        r.first = k * UNDO_AT_ONCE;
        bpf_probe_read_kernel(
            r.adjust, sizeof r.adjust, (void *)(from + r.first * sizeof(short)));
        bpf_seq_write(w->seq, &r, sizeof r);
    }
    bpf_core_read(&next, sizeof next, &u->list_proc.next);
    w->at = (unsigned long)next;
    return 0;
}

SEC("iter/task")
int
undo(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct sem_undo_list *list;
    struct list_head *first = 0;
    struct walk w = { .seq = ctx->meta->seq };
    struct undo_row end = { .set = -1 };

    if (!task)
        return 0;
    list = task->sysvsem.undo_list;
    if (list) {
        w.head = (unsigned long)list +
                 bpf_core_field_offset(struct sem_undo_list, list_proc);
        bpf_core_read(&first, sizeof first, &list->list_proc.next);
        w.at = (unsigned long)first;
        bpf_loop(SETS, step, &w, 0);
    }
    if (w.at == w.head)
        bpf_seq_write(ctx->meta->seq, &end, sizeof end);
    return 0;
}

char undo_license[] SEC("license") = "GPL";
