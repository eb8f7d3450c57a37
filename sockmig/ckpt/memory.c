/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/memory.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_REGIONS MEMORY_MAX_REGIONS
#define MAX_PIECES MEMORY_MAX_PIECES
#define MAX_FOUND MEMORY_MAX_FOUND
#define RESERVATION (4ull << 30) /* larger: most of it is never touched */
#define MAX_IOV 512
#define MAX_COPY (256u << 20) /* bytes of one process_vm_readv */
#define STEAL_MS 20

static void *
reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void
give_back(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

static int
open_proc(pid_t pid, const char *name, int flags)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool
is_guard(struct memory *m, uint64_t at)
{
    struct page_region one;
    struct pm_scan_arg arg = { .size = sizeof arg,
        .start = at,
        .end = at + IMAGE_PAGE,
        .vec = (uint64_t)(uintptr_t)&one,
        .vec_len = 1,
        .category_mask = m->guard,
        .return_mask = m->guard };

    return m->guard && ioctl(m->pagemap_fd, PAGEMAP_SCAN, &arg) > 0;
}

int
memory_open(struct memory *m, pid_t pid, int cell_pid)
{
    int ret = -ENOMEM;

    *m = (struct memory){ .pid = pid,
        .cell_pid = cell_pid,
        .mem_fd = -1,
        .pagemap_fd = -1,
        .uffd = -1,
        .all = true };
    m->hot = hot_new();
    m->regions = reserve(MAX_REGIONS * sizeof *m->regions);
    m->pieces = reserve(MAX_PIECES * sizeof *m->pieces);
    m->found = reserve(MAX_FOUND * sizeof *m->found);
    m->present = reserve(MAX_FOUND * sizeof *m->present);
    m->was_present = reserve(MAX_FOUND * sizeof *m->was_present);
    m->written = reserve(IMAGE_MAX_VMAS * sizeof *m->written);
    m->was_written = reserve(IMAGE_MAX_VMAS * sizeof *m->was_written);
    m->witness = reserve(MAX_FOUND * sizeof *m->witness);
    m->was_witness = reserve(MAX_FOUND * sizeof *m->was_witness);
    m->times = reserve(IMAGE_MAX_VMAS * sizeof *m->times);
    m->was_times = reserve(IMAGE_MAX_VMAS * sizeof *m->was_times);
    if (!m->hot || !m->regions || !m->pieces || !m->found || !m->present ||
        !m->was_present || !m->written || !m->was_written || !m->witness ||
        !m->was_witness || !m->times || !m->was_times)
        goto fail;
    ret = m->mem_fd = open_proc(pid, "mem", O_RDWR);
    if (ret < 0)
        goto fail;
    ret = m->pagemap_fd = open_proc(pid, "pagemap", O_RDONLY);
    if (ret < 0)
        goto fail;
    m->guard = PAGE_IS_GUARD;
    errno = 0;
    if (!is_guard(m, 0) && errno == EINVAL)
        m->guard = 0;
    return 0;
fail:
    memory_close(m);
    return ret;
}

void
memory_close(struct memory *m)
{
    fd_close(m->uffd);
    fd_close(m->pagemap_fd);
    fd_close(m->mem_fd);
    hot_free(m->hot);
    give_back(m->regions, MAX_REGIONS * sizeof *m->regions);
    give_back(m->pieces, MAX_PIECES * sizeof *m->pieces);
    give_back(m->found, MAX_FOUND * sizeof *m->found);
    give_back(m->present, MAX_FOUND * sizeof *m->present);
    give_back(m->was_present, MAX_FOUND * sizeof *m->was_present);
    give_back(m->written, IMAGE_MAX_VMAS * sizeof *m->written);
    give_back(m->was_written, IMAGE_MAX_VMAS * sizeof *m->was_written);
    give_back(m->witness, MAX_FOUND * sizeof *m->witness);
    give_back(m->was_witness, MAX_FOUND * sizeof *m->was_witness);
    give_back(m->times, IMAGE_MAX_VMAS * sizeof *m->times);
    give_back(m->was_times, IMAGE_MAX_VMAS * sizeof *m->was_times);
    *m = (struct memory){ .mem_fd = -1, .pagemap_fd = -1, .uffd = -1 };
}

void
memory_forget(struct memory *m)
{
    m->all = true;
    m->nfound = 0;
    m->npresent = 0;
    m->nwritten = 0;
    m->nwitness = 0;
    m->ntimes = 0;
}

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

static bool
is_tracked(const struct memory *m, uint32_t i)
{
    return m->modes[i] != MEMORY_NONE && m->modes[i] != MEMORY_WHOLE;
}

int
memory_register(
    struct memory *m, const struct image *im, uint64_t skip, struct refusals *why)
{
    int ret = 0;

    for (uint32_t i = 0; i < im->nvmas; i++)
        m->modes[i] = (uint8_t)mode_of(m, &im->vmas[i]);
    for (uint32_t i = 0, end; i < im->nvmas; i = end) {
        end = i + 1;
        if (!is_tracked(m, i))
            continue;
        while (end < im->nvmas && is_tracked(m, end) &&
               !(skip >= im->vmas[end - 1].end && skip < im->vmas[end].start))
            end++;
        if (register_range(m, im->vmas[i].start, im->vmas[end - 1].end) < 0 &&
            register_each(m, im, i, end, why) < 0)
            ret = -EOPNOTSUPP;
    }
    return ret;
}

/* Page by page, through the debugger's door; what cannot be read is not there any
 * more, or a guard, which a later run says.  False: no room for that. */
static bool
read_slowly(struct memory *m, struct pages *pages, size_t index)
{
    struct page_run run = pages->runs[index];
    bool ok = true;

    for (uint32_t i = 0; i < run.count; i++) {
        uint8_t *to = pages->data + run.offset + (size_t)i * IMAGE_PAGE;
        uint64_t at = run.address + (uint64_t)i * IMAGE_PAGE;

        if (pread(m->mem_fd, to, IMAGE_PAGE, (off_t)at) == IMAGE_PAGE)
            continue;
        memset(to, 0, IMAGE_PAGE);
        if (is_guard(m, at))
            ok = pages_drop(pages, at, 1, PAGES_GUARD) && ok;
    }
    return ok;
}

/* Read the content of runs @from.. of @pages: one call for up to MAX_IOV runs, whose
 * content is contiguous here. */
static int
read_runs(struct memory *m, struct pages *pages, size_t from)
{
    struct iovec remote[MAX_IOV], local;

    while (from < pages->nruns) {
        size_t first = from, bytes = 0;
        int n = 0;

        for (; from < pages->nruns && n < MAX_IOV && bytes < MAX_COPY; from++) {
            const struct page_run *r = &pages->runs[from];
            size_t size = (size_t)r->count * IMAGE_PAGE;

            if (r->dropped)
                continue;
            if (n == 0)
                local.iov_base = pages->data + r->offset;
            remote[n++] = (struct iovec){ (void *)(uintptr_t)r->address, size };
            bytes += size;
        }
        local.iov_len = bytes;
        if (n == 0 || process_vm_readv(m->pid, &local, 1, remote, (unsigned long)n,
                          0) == (ssize_t)bytes)
            continue;
        if (errno == ESRCH)
            return -ESRCH;
        for (size_t i = first; i < from; i++)
            if (!pages->runs[i].dropped && !read_slowly(m, pages, i))
                return -ENOSPC;
    }
    return 0;
}

/* Put one finding into @pages; what does not fit stays in it. */
static bool
add_finding(struct pages *pages, struct finding *f)
{
    while (f->start < f->end) {
        uint64_t count = (f->end - f->start) / IMAGE_PAGE;
        uint64_t room = (pages->max_size - pages->size) / IMAGE_PAGE;

        if (f->kind != PAGES_CONTENT) {
            if (!pages_drop(pages, f->start, count, f->kind))
                return false;
            f->start = f->end;
            continue;
        }
        count = count < room ? count : room;
        count = count < MAX_COPY / IMAGE_PAGE ? count : MAX_COPY / IMAGE_PAGE;
        if (count == 0 || !pages_add(pages, f->start, (uint32_t)count))
            return false;
        f->start += count * IMAGE_PAGE;
    }
    return true;
}

int
memory_read(struct memory *m, struct pages *pages)
{
    size_t from = pages->nruns, i = 0;
    int ret;

    if (from > 0 && pages->runs[from - 1].process == pages->process)
        from--; /* it may grow */
    while (i < m->nfound && add_finding(pages, &m->found[i]))
        i++;
    memmove(m->found, m->found + i, (m->nfound - i) * sizeof *m->found);
    m->nfound -= i;
    ret = read_runs(m, pages, from);
    return ret < 0 ? ret : m->nfound ? -ENOSPC : 0;
}
