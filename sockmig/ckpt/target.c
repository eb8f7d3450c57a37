/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/target_private.h"

#include "lib/loop.h"
#include "sockmig/ckpt/place.h"
#include "sockmig/ckpt/segments.h"
#include "sockmig/ckpt/threads.h"
#include "sockmig/image_alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ATTACH_STOP_US 2000000
#define AHEAD_STOP_US 20000
#define TEXT_SIZE (1u << 20)

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
    t->maps.folders = t->folders;
    t->maps.with_files = t->trace.kin && !t->trace.kin->in_cell;
    if (ret == 0)
        ret = memory_open(&t->memory, t->pid, t->cell_pid);
    if (ret == 0)
        ret = process_open(&t->process, t->pid);
    if (ret == 0)
        ret = trace_open(&t->trace, t->pid);
    if (ret == 0)
        ret = descriptors_open(&t->descriptors, &t->trace, t->cell_pid);
    if (ret == 0)
        maps_read_flags(&t->maps); /* it still runs: that takes long */
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
attach(pid_t pid, const struct trace_kin *kin, const struct maps_folders *folders,
    bool look, struct target **out, struct refusals *why)
{
    struct target *t = calloc(1, sizeof *t);
    int ret, one;

    memset(why, 0, sizeof *why);
    if (!t)
        return -ENOMEM;
    t->pid = pid;
    t->trace.kin = kin;
    t->folders = folders;
    t->maps.fd = t->memory.uffd = t->memory.mem_fd = t->memory.pagemap_fd = -1;
    t->process.status_fd = t->process.timers_fd = t->trace.signal_fd = -1;
    t->descriptors.pidfd = t->descriptors.dir_fd = t->descriptors.own_fd = -1;
    t->descriptors.ipc = (struct ipc){ .list = { -1, -1 }, .undo = -1 };
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
    t->housekeeping = mono_add_ms(mono_clock(), TARGET_HOUSEKEEPING_MS);
    *out = t;
    return 0;
}

int
target_attach(pid_t pid, struct target **out, struct refusals *why)
{
    return attach(pid, NULL, NULL, true, out, why);
}

int
target_attach_quickly(pid_t pid, const struct trace_kin *kin,
    const struct maps_folders *folders, struct target **out, struct refusals *why)
{
    return attach(pid, kin, folders, false, out, why);
}

int
target_attach_among(
    pid_t pid, const struct trace_kin *kin, struct target **out, struct refusals *why)
{
    return attach(pid, kin, NULL, true, out, why);
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
    free(t->mapped);
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

void
target_ahead(struct target *t)
{
    descriptors_ahead(&t->descriptors);
}

void
target_forget_state(struct target *t)
{
    descriptors_forget(&t->descriptors);
}

unsigned
target_children(const struct target *t)
{
    return t->trace.nchildren;
}

void
target_join(struct target *t, const struct trace_kin *kin)
{
    t->trace.kin = kin;
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
