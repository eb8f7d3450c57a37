/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * iter_task.h - what the kernel hands to an iterator over tasks. */
#ifndef BSC_ITER_TASK_H
#define BSC_ITER_TASK_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

#pragma clang attribute pop

#endif
