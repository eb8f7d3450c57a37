/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * skeleton.c - the stub of a clone: a copy of the engine that gives up everything it
 * has but one shared mapping, then gets address space and threads of the image. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/cell_make.h"
#include "sockmig/ckpt/hugepages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RSEQ_SIGNATURE 0x53053053u
#define MAPS_MAX (4u << 20)
#define FDS_MIN 4096
#define MARGIN_MS 1000

/* A descriptor table that grows while threads share it waits for a grace period of
 * RCU, 12 ms: so it is made large enough here, by the highest number in it. */
int
skeleton_run_stub(const struct skeleton_stub *stub)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (dup2(stub->pidfd, stub->number) < 0)
        return errno;
    syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1,
        RSEQ_SIGNATURE);
    close_range((unsigned)stub->number + 1, ~0u, 0);
    close_range(0, (unsigned)stub->number - 1, 0); /* a cell's report: success */
    __asm__ volatile("jmp *%0" : : "r"(stub->idle));
    __builtin_unreachable();
}

static void
run_stub(const struct cell_plan *plan, int report)
{
    cell_fail(report, CELL_STAGE_STUB, skeleton_run_stub(plan->arg));
}

static bool
image_leaves_free(uint64_t start, uint64_t end, void *arg)
{
    const struct image *im = arg;

    for (uint32_t i = 0; i < im->nvmas; i++)
        if (im->vmas[i].start < end && start < im->vmas[i].end)
            return false;
    return true;
}

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int
skeleton_highest(const struct image *im)
{
    uint32_t n = image_fds_open(im);

    return n > 0 ? im->fds[n - 1].fd : 0;
}

int
skeleton_number(int highest)
{
    int number = highest < FDS_MIN - 1 ? FDS_MIN - 1 : 2 * highest + 1;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)number >= limit.rlim_max &&
        limit.rlim_max > 0)
        number = (int)limit.rlim_max - 1;
    return number;
}

static const struct image_vma *
find_kind(const struct image *im, uint32_t kind)
{
    for (uint32_t i = 0; i < im->nvmas; i++)
        if (im->vmas[i].kind == kind)
            return &im->vmas[i];
    return NULL;
}

static int
kind_of_name(const char *name)
{
    if (strcmp(name, "[vdso]") == 0)
        return IMAGE_VMA_VDSO;
    if (strcmp(name, "[vvar]") == 0)
        return IMAGE_VMA_VVAR;
    if (strcmp(name, "[vvar_vclock]") == 0)
        return IMAGE_VMA_VVAR_VCLOCK;
    return IMAGE_VMA_ANON;
}

/* Two moves: a target may lie where another one still is. */
static int
move_vdso(struct clone *c, const struct image *im, uint32_t kind, uint64_t start,
    uint64_t end)
{
    const struct image_vma *v = find_kind(im, kind);
    uint64_t spare = batch_spare(&c->batch, kind - IMAGE_VMA_VDSO);

    if (!v || v->end - v->start != end - start)
        return -EOPNOTSUPP;
    batch_add(&c->batch, "move the vdso", SYS_mremap, start, end - start, end - start,
        MREMAP_MAYMOVE | MREMAP_FIXED, spare, 0);
    return 0;
}

static void
settle_vdso(struct clone *c, const struct image *im)
{
    for (uint32_t kind = IMAGE_VMA_VDSO; kind <= IMAGE_VMA_VVAR_VCLOCK; kind++) {
        const struct image_vma *v = find_kind(im, kind);

        if (v)
            batch_add(&c->batch, "place the vdso", SYS_mremap,
                batch_spare(&c->batch, kind - IMAGE_VMA_VDSO), v->end - v->start,
                v->end - v->start, MREMAP_MAYMOVE | MREMAP_FIXED, v->start, 0);
    }
}

/* The kernel maps the same vdso into every process, so ours tells where in it the
 * instruction lies. */
static uint64_t
vdso_syscall_offset(uint64_t size)
{
    const uint8_t *p = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);

    for (uint64_t i = 0; p && i + 1 < size; i++)
        if (p[i] == 0x0f && p[i + 1] == 0x05)
            return i;
    return 0;
}

static int
clear_line(struct clone *c, const struct image *im, char *line)
{
    uint64_t start, end, base = (uint64_t)(uintptr_t)c->batch.base;
    char name[64] = "";
    int kind;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %63s", &start, &end,
            name) < 2 ||
        (start >= base && start < base + c->batch.size) ||
        strcmp(name, "[vsyscall]") == 0)
        return 0;
    kind = kind_of_name(name);
    if (kind != IMAGE_VMA_ANON)
        return move_vdso(c, im, (uint32_t)kind, start, end);
    batch_add(&c->batch, "unmap", SYS_munmap, start, end - start, 0, 0, 0, 0);
    return 0;
}

static int
clear_space(struct clone *c, const struct image *im)
{
    const struct image_vma *vdso = find_kind(im, IMAGE_VMA_VDSO);
    char path[64], *text = malloc(MAPS_MAX), *rest = text, *line;
    uint64_t offset;
    ssize_t n;
    int ret = 0;

    if (!text)
        return -ENOMEM;
    snprintf(path, sizeof path, "/proc/%d/maps", c->pid);
    n = file_read(path, text, MAPS_MAX);
    if (n < 0)
        ret = (int)n;
    while (ret == 0 && (line = strsep(&rest, "\n")))
        ret = clear_line(c, im, line);
    if (ret == 0) {
        settle_vdso(c, im);
        ret = batch_run(&c->batch, c->pid);
    }
    offset = vdso ? vdso_syscall_offset(vdso->end - vdso->start) : 0;
    if (ret == 0 && offset == 0)
        ret = -EOPNOTSUPP;
    if (ret == 0) {
        c->vdso_start = vdso->start;
        c->vdso_syscall = vdso->start + offset;
    }
    free(text);
    return ret;
}

int
skeleton_cell(struct clone *c, const struct cell_conf *conf, const struct image *im,
    int number, struct refusals *why)
{
    int64_t margin = conf->clock_margin_ms ? conf->clock_margin_ms : MARGIN_MS;
    struct skeleton_stub args = { .number = number, .idle = batch_idle(&c->batch) };
    struct cell_plan plan = { .conf = conf,
        .own_clocks = true,
        .pid = im->process.pid,
        .run = run_stub,
        .arg = &args };
    char error[CELL_ERROR_LEN];
    int ret;

    if (conf->image_at.us) /* hashing files, making namespaces: it grows older */
        margin += mono_us_between(conf->image_at, mono_clock()) / 1000;
    plan.monotonic_ns = (int64_t)im->process.monotonic_ns + margin * 1000000 -
                        clock_ns(CLOCK_MONOTONIC);
    plan.boottime_ns = (int64_t)im->process.boottime_ns + margin * 1000000 -
                       clock_ns(CLOCK_BOOTTIME);
    args.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (args.pidfd < 0)
        return -errno;
    ret = cell_make(&plan, &c->init, &c->pid, error);
    fd_close(args.pidfd);
    if (ret < 0)
        refuse(why, im->process.pid, -1, "see the message", "%s", error);
    c->parent_fd = args.number;
    c->monotonic_offset_ns = plan.monotonic_ns;
    return ret;
}

void
skeleton_drop_bounding(struct clone *c, uint64_t bounding)
{
    for (uint64_t cap = 0; cap < 64; cap++)
        if ((c->cap_bounding & ~bounding) >> cap & 1)
            batch_add(&c->batch, "PR_CAPBSET_DROP", SYS_prctl, PR_CAPBSET_DROP, cap, 0,
                0, 0, 0);
}

uint64_t
skeleton_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2] = { { 0 } };

    if (syscall(SYS_capget, &head, d) < 0)
        return 0;
    return d[0].permitted | (uint64_t)d[1].permitted << 32;
}

/* Forty calls for each thread, if left to the takeover; the threads inherit it. */
static int
drop_bounding(struct clone *c, uint64_t bounding)
{
    int ret;

    for (uint64_t cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            c->cap_bounding |= 1ull << cap;
    skeleton_drop_bounding(c, bounding);
    ret = batch_run(&c->batch, c->pid);
    c->cap_bounding &= bounding;
    return ret;
}

int
skeleton_new(struct clone *c, const struct cell_conf *conf, const struct image *im,
    struct refusals *why)
{
    int ret = batch_map(&c->batch, image_leaves_free, (void *)(uintptr_t)im);

    if (ret == 0)
        ret = skeleton_cell(c, conf, im, skeleton_number(skeleton_highest(im)), why);
    if (ret == 0)
        ret = batch_seize(&c->batch, c->pid);
    if (ret == 0)
        ret = skeleton_clear(c, im, why);
    return ret == 0 ? skeleton_settle(c, im) : ret;
}

int
skeleton_clear(struct clone *c, const struct image *im, struct refusals *why)
{
    int ret = clear_space(c, im);

    if (ret == -EOPNOTSUPP)
        refuse(why, 0, -1, "run the same kernel on all nodes",
            "the vdso of this host's kernel is laid out differently");
    return ret;
}

int
skeleton_settle(struct clone *c, const struct image *im)
{
    char path[64];
    int ret = drop_bounding(c, im->process.cap_bounding);

    if (ret < 0)
        return ret;
    c->huge_pages = !im->process.thp_disable && hugepages_come();
    c->threads[0].tid = c->pid;
    c->threads[0].in_cell = im->process.pid;
    c->nthreads = 1;
    snprintf(path, sizeof path, "/proc/%d/mem", c->pid);
    c->mem = open(path, O_RDWR | O_CLOEXEC);
    return c->mem < 0 ? -errno : 0;
}

/* A thread of the stub ends by itself; as its tracer we see it go. */
static int
thread_end(struct clone *c, unsigned i)
{
    pid_t tid = c->threads[i].tid;
    int ret;

    batch_add(&c->batch, "end a thread", SYS_exit, 0, 0, 0, 0, 0, 0);
    ret = batch_start(&c->batch, tid, 0, 1);
    c->batch.ncalls = 0;
    if (ret == 0 && batch_wait_stop(tid) != -ESRCH)
        ret = -EPROTO;
    c->threads[i] = c->threads[--c->nthreads];
    return ret;
}

static int
thread_index(const struct clone *c, int32_t in_cell)
{
    for (unsigned i = 0; i < c->nthreads; i++)
        if (c->threads[i].in_cell == in_cell)
            return (int)i;
    return -1;
}

static bool
image_has_thread(const struct image *im, int32_t in_cell)
{
    for (uint32_t i = 0; i < im->nthreads; i++)
        if (im->threads[i].tid == in_cell)
            return true;
    return false;
}

/* Without the address to clear at its end: a thread that ends in the skeleton must not
 * write into the image. */
static void
thread_make(struct clone *c, int32_t in_cell)
{
    struct clone_args args = { .flags = CLONE_VM | CLONE_FS | CLONE_FILES |
                                        CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
        .set_tid_size = 1 };

    args.set_tid = batch_put(&c->batch, &in_cell, sizeof in_cell);
    batch_add(&c->batch, "make a thread", SYS_clone3,
        batch_put(&c->batch, &args, sizeof args), sizeof args, 0, 0, 0, 0);
}

int
skeleton_threads(struct clone *c, const struct image *im)
{
    unsigned before, made = 0;
    int ret = 0;

    for (unsigned i = c->nthreads; i-- > 1 && ret == 0;)
        if (!image_has_thread(im, c->threads[i].in_cell))
            ret = thread_end(c, i);
    before = c->nthreads;
    c->batch.nborn = 0;
    for (uint32_t i = 1; i < im->nthreads && ret == 0; i++)
        if (thread_index(c, im->threads[i].tid) < 0)
            thread_make(c, c->threads[before + made++].in_cell = im->threads[i].tid);
    if (ret == 0)
        ret = batch_run(&c->batch, c->pid);
    if (ret == 0 && c->batch.nborn != made)
        ret = -EPROTO;
    for (unsigned i = 0; i < made && ret == 0; i++)
        c->threads[before + i].tid = c->batch.born[i];
    c->nthreads = before + (ret == 0 ? made : 0);
    return ret;
}
