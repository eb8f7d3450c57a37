/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey_locks.h - which locks a file has, whoever took them, for survey.bpf.c. */
#ifndef BSC_SURVEY_LOCKS_H
#define BSC_SURVEY_LOCKS_H

#include "sockmig/bpf/survey_kernel.h"
#include "sockmig/bpf/survey_row.h"

#define LOCKS 64 /* of one kind, of one file; with more it is not told which */

struct locks {
    __u64 head, at, hash;
    __u32 n;
};

static long
look_at_lock(__u32 i, void *arg)
{
    struct locks *l = arg;
    __u64 core = l->at - bpf_core_field_offset(struct file_lock_core, flc_list);
    const struct file_lock *lock = as(
        file_lock, core - bpf_core_field_offset(struct file_lock, c));

    (void)i;
    if (l->at == l->head)
        return 1;
    l->hash = mix(mix(l->hash, core), (__u64)lock->c.flc_type);
    l->hash = mix(l->hash,
        word_at(core + bpf_core_field_offset(struct file_lock_core, flc_owner)));
    l->hash = mix(mix(l->hash, (__u64)lock->fl_start), (__u64)lock->fl_end);
    l->at = word_at(l->at);
    l->n++;
    return 0;
}

/* Of one kind: none leaves the hash as it is. */
static __always_inline __u64
list_of_locks(__u64 head, __u64 hash)
{
    struct locks l = { .head = head, .at = word_at(head), .hash = hash };

    if (l.at == head || hash == SURVEY_LOCKS_UNTOLD)
        return hash;
    if (!bpf_core_type_exists(struct file_lock_core))
        return SURVEY_LOCKS_UNTOLD;
    bpf_loop(LOCKS, look_at_lock, &l, 0);
    return l.at == head && l.hash > SURVEY_LOCKS_UNTOLD ? l.hash : SURVEY_LOCKS_UNTOLD;
}

/* 0: none; SURVEY_LOCKS_UNTOLD: some; else the same for the same locks.  Those of the
 * process that stands still do not move, and of others' some state of theirs is as good
 * as any. */
static __always_inline __u64
locks_of(const struct inode *inode)
{
    __u64 context = 0, hash = 0;

    if (bpf_core_field_exists(inode->i_flctx))
        context = (__u64)inode->i_flctx;
    if (!context)
        return 0;
    hash = list_of_locks(
        context + bpf_core_field_offset(struct file_lock_context, flc_flock), hash);
    hash = list_of_locks(
        context + bpf_core_field_offset(struct file_lock_context, flc_posix), hash);
    return list_of_locks(
        context + bpf_core_field_offset(struct file_lock_context, flc_lease), hash);
}

#endif
