/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * target_take.c - a checkpoint of one process, in its order. */
#include "sockmig/ckpt/target_private.h"

#include "lib/fault.h"
#include "lib/loop.h"
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/held.h"
#include "sockmig/ckpt/segments.h"
#include "sockmig/ckpt/threads.h"

#include <errno.h>
#include <stdlib.h>
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

static bool
still_maps(const struct image *im, const struct image_vma *v)
{
    for (uint32_t i = 0; i < im->nvmas && im->vmas[i].start <= v->start; i++)
        if (im->vmas[i].start == v->start)
            return im->vmas[i].kind == v->kind && im->vmas[i].end == v->end &&
                   skeleton_same_backing(&im->vmas[i], v);
    return false;
}

static int
remember_files(struct target *t, const struct image *im)
{
    uint32_t n = 0;

    t->nmapped = 0;
    for (uint32_t i = 0; i < im->nvmas; i++)
        n += im->vmas[i].kind == IMAGE_VMA_STATE_FILE;
    if (n > t->mapped_max) {
        free(t->mapped);
        t->mapped = calloc(2 * n, sizeof *t->mapped);
        t->mapped_max = t->mapped ? 2 * n : 0;
    }
    if (n > t->mapped_max)
        return -ENOMEM;
    for (uint32_t i = 0; i < im->nvmas; i++)
        if (im->vmas[i].kind == IMAGE_VMA_STATE_FILE)
            t->mapped[t->nmapped++] = im->vmas[i];
    return 0;
}

/* What was written to files of state folders.  Where one is not mapped any more, as it
 * was, its page tables are gone: any of it may have been. */
static int
take_files(struct target *t, const struct target_request *req, const struct image *im)
{
    int ret;

    if (!req->wrote)
        return 0;
    for (uint32_t i = 0; i < t->nmapped; i++)
        if (!still_maps(im, &t->mapped[i]))
            req->wrote(req->arg, &t->mapped[i], t->mapped[i].start, t->mapped[i].end);
    ret = memory_scan_files(&t->memory, im, req->wrote, req->arg);
    return ret == 0 ? remember_files(t, im) : ret;
}

bool
target_maps_files(const struct target *t)
{
    return t && t->nmapped > 0;
}

/* Children that are let go may write to what their parent has mapped. */
static bool
has_helpers(struct target *t)
{
    unsigned births = t->births;

    t->births = t->trace.births;
    return t->trace.nchildren > 0 || births != t->births;
}

static int
take_memory(struct target *t, const struct target_request *req, struct image *im,
    struct pages *pages, struct target_timing *timing, struct refusals *why)
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
    if (ret == 0)
        ret = take_files(t, req, im);
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

void
target_renamed(struct target *t, bool renamed)
{
    t->descriptors.renamed |= renamed; /* until they have been read */
    if (renamed)
        maps_renamed(&t->maps);
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
    target_renamed(t, ret > 0);
    mono_lap_us(&at);
    if (ret >= 0)
        ret = take_state(t, im, parcels, timing, why);
    t->descriptors.renamed &= ret != 0;
    FAULT_POINT("checkpoint-sockets");
    if (req->marked)
        req->marked(req->arg);
    if (ret == 0)
        ret = take_memory(t, req, im, req->no_pages ? NULL : pages, timing, why);
    if (ret == -ENOSPC && req->in_parts && !t->memory.failed)
        ret = 0;
    if (ret == 0 && req->files_mapped)
        ret = req->files_mapped(req->arg, has_helpers(t), why);
    target_renamed(t, ret > 0); /* by somebody else: seen by the next one */
    ret = ret > 0 ? 0 : ret;
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

    target_renamed(t, files_renamed);
    if (ret == 0)
        ret = take_state(t, im, parcels, timing, why);
    t->descriptors.renamed &= ret != 0;
    return ret == -ENOENT ? -ESRCH : ret;
}

int
target_memory(struct target *t, memory_share *share, void *arg,
    const struct target_request *req, struct image *im, struct pages *pages,
    struct target_timing *timing, struct refusals *why)
{
    int ret;

    t->memory.share = share;
    t->memory.share_arg = arg;
    ret = take_memory(t, req, im, pages, timing, why);
    t->memory.share = NULL;
    return ret == -ENOENT ? -ESRCH : ret;
}
