/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree_take.c - checkpoints of a tree that is taken again and again. */
#include "sockmig/ckpt/links.h"
#include "sockmig/ckpt/tree.h"

#include "lib/fault.h"
#include "lib/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_MS 2      /* see trace.c */
#define VANISHED_MAX 20 /* checkpoints in a row in which a process went away */

/* One checkpoint. */
struct taking {
    struct tree *t;
    const struct target_request *req;
    struct target_timing *timing;
    struct refusals *why;
    unsigned member; /* whose memory is read */
};

/* ---- shared memory */

static bool
is_same(const struct image_vma *a, const struct image_vma *b)
{
    return (a->kind == IMAGE_VMA_SHARED_ANON || a->kind == IMAGE_VMA_SEGMENT) &&
           a->inode == b->inode && a->dev_major == b->dev_major &&
           a->dev_minor == b->dev_minor;
}

static bool
covers(const struct image_vma *a, const struct image_vma *b)
{
    return a->offset <= b->offset &&
           a->offset + (a->end - a->start) >= b->offset + (b->end - b->start);
}

/* Is there a mapping of what @v maps, that can write, in one of the members 0..@to - 1?
 * @all: of all that @v maps. */
static bool
any_writes(const struct tree *t, unsigned to, const struct image_vma *v, bool all)
{
    for (unsigned k = 0; k < to; k++) {
        const struct tree_member *m = &t->members[k];

        for (uint32_t i = 0; m->target && m->taken && i < m->image->nvmas; i++) {
            const struct image_vma *own = &m->image->vmas[i];

            if (is_same(own, v) && (own->prot & 2) && (!all || covers(own, v)))
                return true;
        }
    }
    return false;
}

/* Each tells what it wrote itself.  The first that can write tells what was changed by
 * other ways, and must send all of it if one has written that is gone. */
static enum memory_share
share(void *arg, const struct image_vma *v, bool fresh)
{
    struct taking *k = arg;
    bool first = !any_writes(k->t, k->member, v, true);

    if (!(v->prot & 2))
        return any_writes(k->t, k->t->n, v, false) ? MEMORY_SHARE_WRITTEN
                                                   : MEMORY_SHARE_ALL;
    if (first && (k->t->lost || fresh))
        return MEMORY_SHARE_ALL;
    if (fresh)
        return MEMORY_SHARE_TOUCHED;
    return first ? MEMORY_SHARE_CHANGED : MEMORY_SHARE_WRITTEN;
}

/* Children that were born since the last checkpoint and are not here any more. */
static bool
lost_children(struct tree *t)
{
    bool lost = false;

    for (unsigned i = 0; i < t->n; i++) {
        struct tree_member *m = &t->members[i];
        unsigned births = m->target ? target_births(m->target) : m->births, here = 0;

        for (unsigned k = 1; k < t->n; k++)
            here += t->members[k].info.parent == (int)i && !t->members[k].taken;
        lost |= births - m->births > here;
        m->births = births;
    }
    return lost;
}

/* ---- one checkpoint */

static void
forget_states(struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].target)
            target_forget_state(t->members[i].target);
}

static int
take_states(struct taking *k, bool files_renamed, struct parcels *parcels)
{
    struct tree *t = k->t;
    int ret = 0;

    for (unsigned i = 0; i < t->n && (ret == 0 || ret == -EOPNOTSUPP); i++) {
        struct tree_member *m = &t->members[i];
        struct target_timing one = { 0 };
        struct refusals own;
        int r;

        if (!m->target)
            continue;
        parcels->process = m->info.number;
        r = target_state(m->target, files_renamed, m->image, parcels, &one, &own);
        if (r == -EOPNOTSUPP) /* name what the others have, too */
            refusals_join(k->why, &own);
        k->timing->threads += one.threads;
        k->timing->fds += one.fds;
        k->timing->sockets += one.sockets;
        ret = r < 0 ? r : ret;
    }
    if (ret < 0)
        forget_states(t);
    return ret;
}

static int
take_memories(struct taking *k, struct pages *pages)
{
    struct tree *t = k->t;
    int ret = 0;

    for (k->member = 0; k->member < t->n && ret == 0; k->member++) {
        struct tree_member *m = &t->members[k->member];
        struct target_timing one = { 0 };
        struct refusals own = { .n = 0 };

        if (!m->target)
            continue;
        pages->process = m->info.number;
        target_settled(m->target, k->req->settled);
        ret = target_memory(m->target, share, k, k->req, m->image, pages, &one, &own);
        refusals_join(k->why, &own);
        k->timing->maps += one.maps;
        k->timing->scan += one.scan;
        k->timing->read += one.read;
        m->taken |= ret == 0;
    }
    if (ret < 0)
        tree_forget(t);
    return ret;
}

/* What the list of family.h says of them now. */
static int
list(struct tree *t)
{
    struct family_link *links;
    long n = t->n > 1 ? links_find(t, &links) : 0;

    if (n < 0 || n > FAMILY_MAX_LINKS) {
        if (n > 0)
            free(links);
        return n < 0 ? (int)n : -E2BIG;
    }
    t->family.n = t->n;
    t->family.nlinks = (uint32_t)n;
    for (unsigned i = 0; i < t->n; i++) {
        t->family.members[i] = t->members[i].info;
        t->family.images[i] = t->members[i].image;
    }
    if (t->n > 1) {
        memcpy(t->family.links, links, (size_t)n * sizeof *links);
        free(links);
    }
    return 0;
}

static int
take_stopped(struct taking *k, struct pages *pages, struct parcels *parcels)
{
    const struct target_request *req = k->req;
    struct mono at = mono_clock();
    int ret = 0;

    k->t->lost |= lost_children(k->t);
    if (req->mark)
        req->mark(req->arg);
    k->timing->mark = mono_lap_us(&at);
    if (req->files)
        ret = req->files(req->arg, k->why);
    if (ret >= 0)
        ret = take_states(k, ret > 0, parcels);
    FAULT_POINT("checkpoint-sockets");
    if (req->marked)
        req->marked(req->arg);
    if (ret == 0)
        ret = take_memories(k, pages);
    if (ret == 0 && req->files_mapped)
        ret = req->files_mapped(req->arg, k->t->lost, k->why);
    for (unsigned i = 0; ret > 0 && i < k->t->n; i++)
        if (k->t->members[i].target) /* by somebody else: seen by the next one */
            target_renamed(k->t->members[i].target, true);
    ret = ret > 0 ? 0 : ret;
    FAULT_POINT("checkpoint-pages");
    return ret == 0 ? list(k->t) : ret;
}

static void
keep_house(struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].target)
            target_keep_house(t->members[i].target, t->members[i].image);
}

static int
take_many(struct taking *k, struct pages *pages, struct parcels *parcels)
{
    struct tree *t = k->t;
    struct mono begin = mono_clock(), at = begin;
    int ret = tree_stop(t, k->req->stop_limit_ms, k->why);

    k->timing->stop = mono_lap_us(&at);
    if (ret < 0)
        return ret;
    ret = take_stopped(k, pages, parcels);
    if ((ret == -ESRCH || ret == -EIO) && t->members[0].target &&
        target_answer(t->members[0].target) == 0 && ++t->vanished < VANISHED_MAX)
        ret = -EAGAIN; /* it was another one that is gone, or has no memory any more */
    if (ret == 0) {
        t->lost = false;
        t->vanished = 0;
    }
    mono_lap_us(&at);
    if (ret < 0 || !k->req->stay_stopped)
        tree_resume(t);
    k->timing->resume = mono_lap_us(&at);
    k->timing->pause = mono_lap_us(&begin);
    if (ret == 0 && !k->req->stay_stopped)
        keep_house(t);
    return ret;
}

static int
take_single(struct taking *k, struct pages *pages, struct parcels *parcels)
{
    struct tree_member *m = &k->t->members[0];
    int ret = target_checkpoint(
        m->target, k->req, m->image, pages, parcels, k->timing, k->why);

    return ret == 0 ? list(k->t) : ret;
}

/* A server that has just been started may be about to make its workers. */
static void
grow_up(struct tree *t)
{
    struct target *root = t->members[0].target;
    struct mono now = mono_clock();

    if (!t->single || !mono_before(now, t->settles))
        return;
    if (target_children(root) == 0)
        t->parent.us = 0;
    else if (t->parent.us == 0)
        t->parent = now;
    else if (mono_us_between(t->parent, now) >= TREE_STAYS_MS * 1000) {
        t->single = false;
        target_join(root, &t->kin);
    }
}

int
tree_checkpoint(struct tree *t, const struct target_request *req, struct pages *pages,
    struct parcels *parcels, struct target_timing *timing, struct refusals *why)
{
    struct taking k = { .t = t, .req = req, .timing = timing, .why = why };

    memset(timing, 0, sizeof *timing);
    memset(why, 0, sizeof *why);
    grow_up(t);
    return t->single ? take_single(&k, pages, parcels) : take_many(&k, pages, parcels);
}

int
tree_precopy(struct tree *t)
{
    int ret = 0;

    for (unsigned i = 0; i < t->n && ret == 0; i++) {
        if (t->members[i].target)
            ret = target_precopy(t->members[i].target, NULL);
        if (ret == -ESRCH && i > 0)
            ret = 0; /* the checkpoint sees what has become of it */
    }
    return ret;
}

void
tree_ahead(struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].target)
            target_ahead(t->members[i].target);
}

void
tree_forget(struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].target)
            target_forget(t->members[i].target);
}

static int
answer_all(struct tree *t)
{
    int ret = 0;

    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].target && target_answer(t->members[i].target) < 0 && i == 0)
            ret = -ESRCH;
    return ret;
}

int
tree_wait(struct tree *t, struct mono until, int wake_fd)
{
    struct pollfd pfd[2] = { { .events = POLLIN },
        { .fd = wake_fd, .events = POLLIN } };

    if (t->single)
        return target_serve(t->members[0].target, until, wake_fd);
    for (;;) {
        int64_t left;
        struct timespec ts;

        if (answer_all(t) < 0)
            return -ESRCH;
        left = mono_us_between(mono_clock(), until);
        if (left <= 0 || (pfd[1].revents & (POLLIN | POLLHUP | POLLERR)))
            return 0;
        left = left < SLICE_MS * 1000 ? left : SLICE_MS * 1000;
        ts = (struct timespec){ 0, left * 1000 };
        pfd[0].fd = target_signal_fd(t->members[0].target);
        ppoll(pfd, 2, &ts, NULL);
    }
}
