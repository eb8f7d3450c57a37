/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_track.c - the userfaultfd of the process, and what is registered with it. */
#include "sockmig/ckpt/memory_private.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESERVATION (4ull << 30) /* larger: most of it is never touched */
#define STEAL_MS 20

struct theft {
    const struct inject *in;
    int pidfd, got;
};

/* The thread sleeps between making its userfaultfd and closing it: take a duplicate;
 * true: it need sleep no longer. */
static bool
steal(void *arg)
{
    struct theft *t = arg;
    int64_t fd = -1;

    if (t->got >= 0 ||
        pread(t->in->mem_fd, &fd, sizeof fd,
            (off_t)inject_call_address(t->in, 2, offsetof(struct inject_call, args))) !=
            sizeof fd ||
        fd < 0)
        return false;
    t->got = (int)syscall(SYS_pidfd_getfd, t->pidfd, (int)fd, 0);
    return t->got >= 0;
}

static int
make_uffd(struct memory *m, struct inject *in, struct trace_thread *th, unsigned ms)
{
    struct timespec limit = { 0, ms * 1000000l };
    struct {
        uint64_t none;
        struct timespec limit;
    } data = { 0, limit };
    struct inject_call calls[3] = {
        { .nr = SYS_userfaultfd,
            .args = { O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY },
            .result_at = inject_call_address(
                in, 2, offsetof(struct inject_call, args)) },
        { .nr = SYS_rt_sigtimedwait,
            .args = { inject_data(in, 0), 0, inject_data(in, 8), 8 } },
        { .nr = SYS_close, .args = { ~0ull } },
    };
    struct theft theft = { in, (int)syscall(SYS_pidfd_open, m->pid, 0), -1 };
    int64_t result;
    int ret = theft.pidfd < 0 ? -errno : inject_put(in, 0, &data, sizeof data);

    if (ret == 0)
        ret = inject_run(in, th, calls, 3, steal, &theft);
    if (ret == 0 && theft.got < 0) {
        ret = pread(in->mem_fd, &result, sizeof result, (off_t)calls[0].result_at) ==
                          sizeof result &&
                      result < 0
                  ? (int)result
                  : -EAGAIN; /* too slow: it was closed before */
    }
    fd_close(theft.pidfd);
    m->uffd = theft.got;
    return ret;
}

int
memory_track(struct memory *m, struct inject *in, struct trace_thread *th)
{
    struct uffdio_api api = { .api = UFFD_API,
        .features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED };
    int ret = -EAGAIN;

    for (unsigned ms = STEAL_MS; ret == -EAGAIN && ms <= 4 * STEAL_MS; ms *= 2)
        ret = make_uffd(m, in, th, ms);
    if (ret == 0 && ioctl(m->uffd, UFFDIO_API, &api) < 0)
        ret = -EOPNOTSUPP;
    if (ret == -ENOSYS)
        ret = -EOPNOTSUPP;
    if (ret < 0) {
        fd_close(m->uffd);
        m->uffd = -1;
    }
    return ret;
}

static bool
has_pages(struct memory *m, const struct image_vma *v)
{
    struct page_region one;
    struct pm_scan_arg arg = { .size = sizeof arg,
        .start = v->start,
        .end = v->end,
        .vec = (uint64_t)(uintptr_t)&one,
        .vec_len = 1,
        .max_pages = 1,
        .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_PRESENT };

    return ioctl(m->pagemap_fd, PAGEMAP_SCAN, &arg) > 0;
}

static enum memory_mode
mode_of(struct memory *m, const struct image_vma *v)
{
    switch (v->kind) {
    case IMAGE_VMA_FILE:
        return v->prot & 2 ? MEMORY_PRESENT : MEMORY_QUIET;
    case IMAGE_VMA_SHARED_ANON:
        return MEMORY_SHARED;
    case IMAGE_VMA_SEGMENT:
        return v->prot & 2 ? MEMORY_SHARED : MEMORY_WHOLE;
    case IMAGE_VMA_STATE_FILE:
        return MEMORY_FILE;
    case IMAGE_VMA_ANON:
        /* the kernel's fast path, which reports drops, is for usual pages only */
        if (v->page_bits)
            return MEMORY_PRESENT;
        /* marking memory that nobody can touch would only cost page tables */
        if (v->prot == 0)
            return has_pages(m, v) ? MEMORY_PRESENT : MEMORY_NONE;
        return v->end - v->start >= RESERVATION ? MEMORY_PRESENT : MEMORY_WRITTEN;
    default:
        return MEMORY_NONE;
    }
}

static int
register_range(struct memory *m, uint64_t start, uint64_t end)
{
    struct uffdio_register reg = { .range = { start, end - start },
        .mode = UFFDIO_REGISTER_MODE_WP };

    return ioctl(m->uffd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

/* mremap() can join what it moves to a neighbour that is registered, and then takes the
 * registration from both (mm/userfaultfd.c:mremap_userfaultfd_prep()): pages of the
 * neighbour stay marked as protected and are not, whatever is written to them.  Those
 * that are marked in what is not registered any more, into .regions. */
static long
find_stale(struct memory *m, uint64_t start, uint64_t end)
{
    const struct pm_scan_arg what = { .category_mask = PAGE_IS_WPALLOWED |
                                                       PAGE_IS_WRITTEN,
        .category_inverted = PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN,
        .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_PRESENT };

    return memory_pagemap(m, start, end, &what, m->regions, MEMORY_MAX_REGIONS);
}

/* It is registered again: as written. */
static int
unmark(struct memory *m, long n)
{
    for (long i = 0; i < n; i++) {
        const struct page_region *r = &m->regions[i];
        struct uffdio_writeprotect wp = { .range = { r->start, r->end - r->start } };

        if (ioctl(m->uffd, UFFDIO_WRITEPROTECT, &wp) < 0)
            return -errno;
    }
    return 0;
}

static int
register_each(struct memory *m, const struct image *im, uint32_t i, uint32_t end,
    struct refusals *why)
{
    int ret = 0;

    for (; i < end; i++) {
        const struct image_vma *v = &im->vmas[i];
        int one = register_range(m, v->start, v->end);

        if (one == -ENOMEM || one == 0)
            continue; /* unmapped meanwhile, while the process runs */
        refuse(why, m->cell_pid, -1, "report this: it is not known what maps it",
            "writes to mapping %llx-%llx %.60s cannot be tracked: %s",
            (unsigned long long)v->start, (unsigned long long)v->end, v->path,
            strerror(-one));
        ret = -EOPNOTSUPP;
    }
    return ret;
}

static int
register_group(struct memory *m, const struct image *im, uint32_t i, uint32_t end,
    struct refusals *why)
{
    uint64_t from = im->vmas[i].start, to = im->vmas[end - 1].end;
    long stale = find_stale(m, from, to);
    int ret = stale < 0 ? (int)stale : register_range(m, from, to);

    if (stale >= 0 && ret < 0)
        ret = register_each(m, im, i, end, why);
    return ret < 0 ? ret : unmark(m, stale);
}

static bool
is_tracked(const struct memory *m, uint32_t i)
{
    return m->modes[i] != MEMORY_NONE && m->modes[i] != MEMORY_WHOLE;
}

int
memory_register(
    struct memory *m, const struct image *im, uint64_t skip, struct refusals *why)
{
    int ret = 0, one;

    for (uint32_t i = 0; i < im->nvmas; i++)
        m->modes[i] = (uint8_t)mode_of(m, &im->vmas[i]);
    for (uint32_t i = 0, end; i < im->nvmas; i = end) {
        end = i + 1;
        if (!is_tracked(m, i))
            continue;
        while (end < im->nvmas && is_tracked(m, end) &&
               !(skip >= im->vmas[end - 1].end && skip < im->vmas[end].start))
            end++;
        one = register_group(m, im, i, end, why);
        ret = ret < 0 ? ret : one;
    }
    return ret;
}
