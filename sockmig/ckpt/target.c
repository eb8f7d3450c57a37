/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/target.h"

#include "lib/fault.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/ckpt/descriptors.h"
#include "sockmig/ckpt/held.h"
#include "sockmig/ckpt/inject.h"
#include "sockmig/ckpt/maps.h"
#include "sockmig/ckpt/memory.h"
#include "sockmig/ckpt/place.h"
#include "sockmig/ckpt/process.h"
#include "sockmig/ckpt/segments.h"
#include "sockmig/ckpt/threads.h"
#include "sockmig/image_alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ATTACH_STOP_US 2000000
#define AHEAD_STOP_US 20000
#define HOUSEKEEPING_MS 1000
#define FLAGS_EVERY 10 /* times of housekeeping */
#define TEXT_SIZE (1u << 20)

struct target {
    pid_t pid;
    int cell_pid;
    struct trace trace;
    struct inject inject;
    struct memory memory;
    struct maps maps;
    struct process process;
    struct descriptors descriptors;
    struct proctext text;
    struct image precopy; /* mappings, while the process runs */
    bool once;            /* process_read_once() is done */
    uint32_t nvmas;       /* at the last checkpoint */
    uint32_t map_seq;     /* of the mappings that are tracked; 0: not known */
    unsigned houses;      /* times house was kept */
    struct mono housekeeping;
};

static uint32_t
since(struct mono *from)
{
    struct mono now = mono_clock();
    int64_t us = mono_us_between(*from, now);

    *from = now;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int
read_cell_pid(struct target *t)
{
    int ret = proctext_read(&t->text, "/proc/%d/status", (int)t->pid);

    if (ret == -ENOENT)
        ret = -ESRCH;
    if (ret < 0)
        return ret;
    t->cell_pid = proctext_last_id(t->text.data);
    return t->cell_pid ? 0 : -ESRCH;
}

static int
open_parts(struct target *t)
{
    int ret = proctext_init(&t->text, TEXT_SIZE);

    if (ret == 0)
        ret = read_cell_pid(t);
    if (ret == 0)
        ret = image_alloc(&t->precopy);
    if (ret == 0)
        ret = maps_open(&t->maps, t->pid, t->cell_pid);
    t->maps.with_files = t->trace.kin && !t->trace.kin->in_cell;
    if (ret == 0)
        ret = memory_open(&t->memory, t->pid, t->cell_pid);
    if (ret == 0)
        ret = process_open(&t->process, t->pid);
    if (ret == 0)
        ret = trace_open(&t->trace, t->pid);
    if (ret == 0)
        ret = descriptors_open(&t->descriptors, &t->trace, t->cell_pid);
    return ret;
}

/* With all threads stopped: our program and memory into it, tracking on. */
static int
prepare(struct target *t, struct refusals *why)
{
    static _Thread_local uint64_t used[IMAGE_MAX_VMAS][2];
    int ret = threads_may_inject(&t->trace, &t->text, why);

    if (ret == 0)
        ret = place_check(t->pid, t->cell_pid,
            (pid_t)proctext_number(t->text.data, "PPid:", 10, 0), why);
    if (ret == 0)
        ret = maps_read(&t->maps, false, &t->precopy, why);
    if (ret < 0)
        return ret;
    for (uint32_t i = 0; i < t->precopy.nvmas; i++) {
        used[i][0] = t->precopy.vmas[i].start;
        used[i][1] = t->precopy.vmas[i].end;
    }
    ret = inject_open(&t->inject, &t->trace, t->memory.mem_fd, used, t->precopy.nvmas);
    if (ret == -EOPNOTSUPP)
        refuse(why, t->cell_pid, -1, "report this with the output of uname -a",
            "the kernel's vdso has no room");
    if (ret < 0)
        return ret;
    t->maps.skip = t->inject.scratch;
    t->maps.skip_end = t->inject.scratch + INJECT_SCRATCH;
    ret = memory_track(&t->memory, &t->inject, &t->trace.threads[0]);
    if (ret == -EOPNOTSUPP)
        refuse(why, t->cell_pid, -1, "use Linux 6.7 or later with CONFIG_USERFAULTFD",
            "the kernel cannot track writes to memory");
    return ret;
}

/* Look at everything once, so that what cannot be protected is named at once. */
static int
inspect(struct target *t, struct refusals *why)
{
    struct parcels none = { 0 };
    struct image *im = &t->precopy;
    struct mono now = mono_clock();
    int ret = process_read_once(&t->process, &t->text, im, why), one;

    if (ret == 0 || ret == -EOPNOTSUPP) {
        one = process_read(&t->process, &t->trace, &t->text, im, why);
        ret = one < 0 ? one : ret;
    }
    if (ret == 0 && t->inject.scratch)
        ret = process_learn(&t->process, &t->trace, &t->inject, &t->text, im, now, why);
    if (ret == 0)
        ret = segments_read(t->pid, im, why);
    if (ret == 0)
        ret = segments_check_others(im, t->process.segments, why);
    t->process.looks = 0; /* what was learnt went into another image */
    t->process.next_look = now;
    if (ret == 0 && t->inject.scratch)
        ret = threads_learn(&t->trace, &t->inject, &t->text, now, false, why);
    if (ret == 0)
        ret = threads_read(&t->trace, im, why);
    if (ret == 0 || ret == -EOPNOTSUPP) {
        one = parcels_init(&none, 64u << 20);
        t->descriptors.look_only = true;
        if (one == 0)
            one = descriptors_read(&t->descriptors, im, &none, why);
        t->descriptors.look_only = false;
        parcels_fini(&none);
        /* full queues and moving connections are the checkpoint's business */
        if (one < 0 && one != -EAGAIN && one != -ENOSPC)
            ret = one;
        descriptors_forget(&t->descriptors);
    }
    return ret;
}

static int
attach(pid_t pid, const struct trace_kin *kin, bool look, struct target **out,
    struct refusals *why)
{
    struct target *t = calloc(1, sizeof *t);
    int ret, one;

    memset(why, 0, sizeof *why);
    if (!t)
        return -ENOMEM;
    t->pid = pid;
    t->trace.kin = kin;
    t->maps.fd = t->memory.uffd = t->memory.mem_fd = t->memory.pagemap_fd = -1;
    t->process.status_fd = t->process.timers_fd = t->trace.signal_fd = -1;
    t->descriptors.pidfd = t->descriptors.dir_fd = -1;
    t->descriptors.survey.files = t->descriptors.survey.mappings = -1;
    t->descriptors.tee[0] = t->descriptors.tee[1] = t->descriptors.diag = -1;
    ret = open_parts(t);
    if (ret == -EBUSY || ret == -EPERM)
        refuse(why, 0, -1, "end the debugger or tracer of the process",
            "process %d is traced by another program", (int)pid);
    if (ret == 0)
        ret = trace_stop(&t->trace, ATTACH_STOP_US);
    if (ret == 0) {
        one = prepare(t, why);
        if (look && (one == 0 || one == -EOPNOTSUPP))
            ret = inspect(t, why);
        ret = ret == 0 ? one : ret;
        if (ret == 0)
            trace_resume(&t->trace);
    }
    if (ret < 0) {
        target_detach(t);
        return why->n > 0 ? -EOPNOTSUPP : ret;
    }
    maps_read_flags(&t->maps);
    t->housekeeping = mono_add_ms(mono_clock(), HOUSEKEEPING_MS);
    *out = t;
    return 0;
}

int
target_attach(pid_t pid, struct target **out, struct refusals *why)
{
    return attach(pid, NULL, true, out, why);
}

int
target_attach_quickly(
    pid_t pid, const struct trace_kin *kin, struct target **out, struct refusals *why)
{
    return attach(pid, kin, false, out, why);
}

int
target_attach_among(
    pid_t pid, const struct trace_kin *kin, struct target **out, struct refusals *why)
{
    return attach(pid, kin, true, out, why);
}

void
target_detach(struct target *t)
{
    if (!t)
        return;
    if (t->trace.threads && !t->trace.ended &&
        trace_stop(&t->trace, ATTACH_STOP_US) == 0 && t->inject.code)
        inject_close(&t->inject);
    descriptors_close(&t->descriptors);
    memory_close(&t->memory); /* the kernel ends tracking with the last descriptor */
    trace_close(&t->trace);
    process_close(&t->process);
    maps_close(&t->maps);
    image_release(&t->precopy);
    proctext_fini(&t->text);
    free(t);
}

int
target_serve(struct target *t, struct mono until, int wake_fd)
{
    return trace_serve(&t->trace, until, wake_fd);
}

int
target_exit_status(const struct target *t)
{
    return t->trace.ended ? t->trace.status : -1;
}

pid_t
target_pid(const struct target *t)
{
    return t->pid;
}

/* Stopped for it: of mappings that were read while it runs, some are others by now, and
 * one that is registered in part is two to the kernel, which then refuses to mremap()
 * it: EFAULT. */
static int
map_ahead(struct target *t)
{
    struct refusals why = { 0 };
    int ret = trace_stop(&t->trace, AHEAD_STOP_US);

    if (ret == -EAGAIN)
        return 0; /* the next round, or the checkpoint, tracks what is new */
    if (ret < 0)
        return ret;
    ret = maps_read(&t->maps, false, &t->precopy, &why);
    if (ret == 0)
        memory_register(&t->memory, &t->precopy, t->inject.scratch, &why);
    trace_resume(&t->trace);
    return ret == -EOPNOTSUPP ? 0 : ret; /* the checkpoint will name it */
}

int
target_precopy(struct target *t, struct pages *pages)
{
    int ret;

    t->map_seq = 0;
    t->memory.same = false;
    if (t->memory.nfound == 0) { /* else finish the last round first */
        ret = map_ahead(t);
        if (ret == 0)
            ret = memory_scan(&t->memory, &t->precopy, true);
        if (ret < 0)
            return ret;
    }
    if (!pages) {
        t->memory.nfound = 0;
        return 0;
    }
    return memory_read(&t->memory, pages);
}

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
    timing->threads = since(&at);
    if (ret == 0)
        ret = descriptors_read(&t->descriptors, im, parcels, why);
    timing->sockets = t->descriptors.sockets_us;
    timing->fds = since(&at) - timing->sockets;
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
    timing->maps = since(&at);
    t->memory.share_all = im->nchildren > 0;
    if (ret == 0 && pages)
        ret = memory_scan(&t->memory, im, false);
    timing->scan = since(&at);
    if (ret == 0 && pages)
        ret = memory_read(&t->memory, pages);
    timing->read = since(&at);
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
    t->housekeeping = mono_add_ms(mono_clock(), HOUSEKEEPING_MS);
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
    timing->stop = since(&at);
    if (req->mark)
        req->mark(req->arg);
    timing->mark = since(&at);
    ret = check_request(t, why);
    if (ret == 0 && req->files)
        ret = req->files(req->arg, why);
    t->descriptors.renamed |= ret > 0; /* until they have been read */
    since(&at);
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
    since(&at);
    if (ret < 0 || !req->stay_stopped)
        trace_resume(&t->trace);
    timing->resume = since(&at);
    timing->pause = since(&begin);
    if (ret == 0 && !req->stay_stopped)
        target_keep_house(t, im);
    return ret == -ENOENT ? -ESRCH : ret;
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

void
target_forget_state(struct target *t)
{
    descriptors_forget(&t->descriptors);
}

unsigned
target_births(const struct target *t)
{
    return t->trace.births;
}

bool
target_has_executed(const struct target *t)
{
    return t->trace.execed;
}

int
target_answer(struct target *t)
{
    return trace_answer(&t->trace);
}

int
target_signal_fd(const struct target *t)
{
    return t->trace.signal_fd;
}

int
target_stop(struct target *t, unsigned limit_ms)
{
    return t->trace.ended ? -ESRCH : trace_stop(&t->trace, (int64_t)limit_ms * 1000);
}

void
target_ask(struct target *t)
{
    if (!t->trace.ended)
        trace_ask(&t->trace);
}

bool
target_job_stopped(const struct target *t)
{
    return t->trace.nthreads > 0 && t->trace.threads[0].job_stop;
}

int
target_rest(struct target *t, struct pages *pages)
{
    return memory_read(&t->memory, pages);
}

void
target_forget(struct target *t)
{
    memory_forget(&t->memory);
    descriptors_forget(&t->descriptors);
}

void
target_resume(struct target *t)
{
    trace_resume(&t->trace);
}
