/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * target_take.c - a checkpoint of one process, in its order. */
#include "sockmig/ckpt/target_private.h"

#include "lib/fault.h"
#include "lib/loop.h"
#include "sockmig/ckpt/held.h"
#include "sockmig/ckpt/segments.h"
#include "sockmig/ckpt/threads.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define FLAGS_EVERY 10 /* times of housekeeping */

/* What is read of the stopped process before its memory. */
static int
take_state(struct target *t, struct image *im, struct parcels *parcels,
    struct target_timing *timing, struct refusals *why)
{
    struct mono at = mono_clock();
    bool changed;
    int ret = process_read(&t->process, &t->trace, &t->text, im, why);

    if (ret == 0 && !t->once) {
        ret = process_read_once(&t->process, &t->text, im, why);
        if (ret == 0)
            ret = process_read(&t->process, &t->trace, &t->text, im, why);
        t->once = ret == 0;
    }
    changed = process_changed(&t->process, &t->text);
    if (ret == 0)
        ret = process_learn(&t->process, &t->trace, &t->inject, &t->text, im, at, why);
    if (ret == 0)
        ret = threads_learn(&t->trace, &t->inject, &t->text, at, changed, why);
    if (ret == 0)
        ret = threads_read(&t->trace, im, why);
    timing->threads = mono_lap_us(&at);
    if (ret == 0)
        ret = descriptors_read(&t->descriptors, im, parcels, why);
    timing->sockets = t->descriptors.sockets_us;
    timing->fds = mono_lap_us(&at) - timing->sockets;
    return ret;
}

/* mlockall() leaves no trace but in mappings made after it; ours is locked by
 * MCL_CURRENT, too, which as a rule comes with MCL_FUTURE. */
static uint32_t
lock_all(const struct maps *m)
{
    if (!(m->skip_flags & IMAGE_VMA_LOCKED))
        return 0;
    return MCL_FUTURE | (m->skip_flags & IMAGE_VMA_ON_FAULT ? MCL_ONFAULT : 0);
}

static int
take_memory(struct target *t, struct image *im, struct pages *pages,
    struct target_timing *timing, struct refusals *why)
{
    struct mono at = mono_clock();
    uint32_t seq = t->descriptors.map_seq;
    bool same = seq != 0 && seq == t->map_seq;
    int ret = maps_read(&t->maps, same, im, why);

    same = same && t->maps.kept; /* how each is tracked is known by its place */
    t->map_seq = 0;
    if (ret == 0)
        ret = held_resolve(im, t->cell_pid, why);
    if (ret == 0)
        ret = segments_read(t->pid, im, why);
    if (ret == 0)
        ret = segments_check_others(im, t->process.segments, why);
    im->process.brk = t->maps.brk ? t->maps.brk : im->process.mm[4];
    /* it may lie inside the last page */
    if (t->process.brk < im->process.brk &&
        im->process.brk - t->process.brk < IMAGE_PAGE)
        im->process.brk = t->process.brk;
    im->process.mm[5] = im->process.brk;
    im->process.lock_all = lock_all(&t->maps);
    im->process.among = t->trace.kin && (t->trace.kin->n > 1 || !t->trace.kin->in_cell);
    if (ret == 0 && !same) {
        ret = memory_register(&t->memory, im, t->inject.scratch, why);
        seq = survey_mappings(&t->descriptors.survey);
    }
    t->map_seq = ret == 0 ? seq : 0;
    t->memory.same = same;
    timing->maps = mono_lap_us(&at);
    t->memory.share_all = im->nchildren > 0;
    if (ret == 0 && pages)
        ret = memory_scan(&t->memory, im, false);
    timing->scan = mono_lap_us(&at);
    if (ret == 0 && pages)
        ret = memory_read(&t->memory, pages);
    timing->read = mono_lap_us(&at);
    return ret;
}

/* What may be some time old, and is too dear for the pause. */
void
target_keep_house(struct target *t, const struct image *im)
{
    struct mono now = mono_clock();

    if (mono_before(now, t->housekeeping))
        return;
    threads_names(&t->trace, &t->text);
    if (im->nvmas != t->nvmas || ++t->houses % FLAGS_EVERY == 0)
        maps_read_flags(&t->maps);
    t->nvmas = im->nvmas;
    t->housekeeping = mono_add_ms(mono_clock(), TARGET_HOUSEKEEPING_MS);
}

static int
check_request(struct target *t, struct refusals *why)
{
    memset(why, 0, sizeof *why);
    if (t->trace.ended)
        return -ESRCH;
    if (t->trace.execed) {
        refuse(why, t->cell_pid, -1, "let the service start its final program at once",
            "process has executed another program: it must be attached anew");
        return -EOPNOTSUPP;
    }
    return 0;
}

int
target_checkpoint(struct target *t, const struct target_request *req, struct image *im,
    struct pages *pages, struct parcels *parcels, struct target_timing *timing,
    struct refusals *why)
{
    struct mono begin = mono_clock(), at = begin;
    int ret = check_request(t, why);

    memset(timing, 0, sizeof *timing);
    if (ret == 0)
        ret = trace_stop(&t->trace, (int64_t)req->stop_limit_ms * 1000);
    if (ret < 0)
        return ret;
    timing->stop = mono_lap_us(&at);
    if (req->mark)
        req->mark(req->arg);
    timing->mark = mono_lap_us(&at);
    target_settled(t, req->settled);
    ret = check_request(t, why);
    if (ret == 0 && req->files)
        ret = req->files(req->arg, why);
    t->descriptors.renamed |= ret > 0; /* until they have been read */
    mono_lap_us(&at);
    if (ret >= 0)
        ret = take_state(t, im, parcels, timing, why);
    t->descriptors.renamed &= ret != 0;
    FAULT_POINT("checkpoint-sockets");
    if (req->marked)
        req->marked(req->arg);
    if (ret == 0)
        ret = take_memory(t, im, req->no_pages ? NULL : pages, timing, why);
    if (ret == -ENOSPC && req->in_parts && !t->memory.failed)
        ret = 0;
    FAULT_POINT("checkpoint-pages");
    mono_lap_us(&at);
    if (ret < 0 || !req->stay_stopped)
        trace_resume(&t->trace);
    timing->resume = mono_lap_us(&at);
    timing->pause = mono_lap_us(&begin);
    if (ret == 0 && !req->stay_stopped)
        target_keep_house(t, im);
    return ret == -ENOENT ? -ESRCH : ret;
}

void
target_settled(struct target *t, bool settled)
{
    t->memory.settled = settled;
}

int
target_state(struct target *t, bool files_renamed, struct image *im,
    struct parcels *parcels, struct target_timing *timing, struct refusals *why)
{
    int ret = check_request(t, why);

    t->descriptors.renamed |= files_renamed; /* until they have been read */
    if (ret == 0)
        ret = take_state(t, im, parcels, timing, why);
    t->descriptors.renamed &= ret != 0;
    return ret == -ENOENT ? -ESRCH : ret;
}

int
target_memory(struct target *t, memory_share *share, void *arg, struct image *im,
    struct pages *pages, struct target_timing *timing, struct refusals *why)
{
    int ret;

    t->memory.share = share;
    t->memory.share_arg = arg;
    ret = take_memory(t, im, pages, timing, why);
    t->memory.share = NULL;
    return ret == -ENOENT ? -ESRCH : ret;
}
