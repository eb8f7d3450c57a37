/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_owner.c - descriptors that send signals (O_ASYNC): to whom, and which.  The
 * kernel tells ids as the engine sees them. */
#include "sockmig/ckpt/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int
look_id(struct look *l, pid_t pid, const char *field, int id)
{
    const char *at;
    uint64_t v = 0;
    int first = 0;

    if (proctext_read(&l->d->text, "/proc/%d/status", (int)pid) < 0)
        return 0;
    at = proctext_field(l->d->text.data, field);
    while (at && number_at(&at, 10, &v)) {
        if (first == 0)
            first = (int)v;
        at += strspn(at, " \t");
    }
    return first == id ? (int)v : 0;
}

int
look_group(struct look *l, int id)
{
    const struct trace_kin *kin = l->d->trace->kin;
    int found = id > 0 ? look_id(l, l->d->pid, "NSpgid:", id) : 0;

    for (unsigned i = 0; id > 0 && kin && i < kin->n && !found; i++)
        found = look_id(l, kin->pids[i], "NSpgid:", id);
    return found;
}

static bool
is_ours(struct look *l, int id)
{
    const struct trace *t = l->d->trace;
    bool found = false;

    for (unsigned i = 0; i < t->nthreads && !found; i++)
        found = t->threads[i].tid == id;
    for (unsigned i = 0; t->kin && i < t->kin->n && !found; i++)
        found = t->kin->pids[i] == id;
    return found;
}

int
look_at_owner(struct look *l)
{
    struct f_owner_ex owner = { 0 };
    struct image_fd *out = l->out;

    out->owner = out->owner_type = out->owner_signal = 0;
    if (!(out->flags & O_ASYNC))
        return 0;
    if (fcntl(l->dup, F_GETOWN_EX, &owner) < 0)
        return -errno;
    out->owner_type = owner.type;
    out->owner_signal = fcntl(l->dup, F_GETSIG);
    if (owner.pid == 0)
        return 0;
    if (owner.type == F_OWNER_PGRP)
        out->owner = look_group(l, owner.pid);
    else if (is_ours(l, owner.pid))
        out->owner = look_id(l, owner.pid, "NSpid:", owner.pid);
    if (out->owner)
        return 0;
    return look_refuse(l, "disable signal-driven input in the service",
        "descriptor sends signals (O_ASYNC) to another process");
}
