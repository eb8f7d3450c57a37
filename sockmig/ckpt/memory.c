/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/memory.h"

#include "lib/fd.h"
#include "sockmig/ckpt/given.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_REGIONS MEMORY_MAX_REGIONS
#define MAX_PIECES MEMORY_MAX_PIECES
#define MAX_FOUND MEMORY_MAX_FOUND
#define MAX_IOV 512
#define MAX_COPY (256u << 20) /* bytes of one process_vm_readv */

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
    m->given = reserve(IMAGE_MAX_VMAS * sizeof *m->given);
    m->was_given = reserve(IMAGE_MAX_VMAS * sizeof *m->was_given);
    if (!m->hot || !m->regions || !m->pieces || !m->found || !m->present ||
        !m->was_present || !m->written || !m->was_written || !m->witness ||
        !m->was_witness || !m->given || !m->was_given)
        goto fail;
    given_load();
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
    reserve_end(m->regions, MAX_REGIONS * sizeof *m->regions);
    reserve_end(m->pieces, MAX_PIECES * sizeof *m->pieces);
    reserve_end(m->found, MAX_FOUND * sizeof *m->found);
    reserve_end(m->present, MAX_FOUND * sizeof *m->present);
    reserve_end(m->was_present, MAX_FOUND * sizeof *m->was_present);
    reserve_end(m->written, IMAGE_MAX_VMAS * sizeof *m->written);
    reserve_end(m->was_written, IMAGE_MAX_VMAS * sizeof *m->was_written);
    reserve_end(m->witness, MAX_FOUND * sizeof *m->witness);
    reserve_end(m->was_witness, MAX_FOUND * sizeof *m->was_witness);
    reserve_end(m->given, IMAGE_MAX_VMAS * sizeof *m->given);
    reserve_end(m->was_given, IMAGE_MAX_VMAS * sizeof *m->was_given);
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
    m->ngiven = 0;
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
