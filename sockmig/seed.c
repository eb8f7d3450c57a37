/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/seed.h"

#include "lib/fd.h"
#include "sockmig/ckpt/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define REGIONS 4096
#define WANTED (PAGE_IS_PRESENT | PAGE_IS_SWAPPED)
#define SHOWN (WANTED | PAGE_IS_FILE | PAGE_IS_PFNZERO)

static int
add_range(struct seed *seed, uint64_t start, uint64_t end)
{
    if (seed->nranges == seed->max_ranges) {
        size_t more = seed->max_ranges ? 2 * seed->max_ranges : 1024;
        void *p = realloc(seed->ranges, more * sizeof *seed->ranges);

        if (!p)
            return -ENOMEM;
        seed->ranges = p;
        seed->max_ranges = more;
    }
    seed->ranges[seed->nranges].address = start;
    seed->ranges[seed->nranges].pages = (end - start) / IMAGE_PAGE;
    seed->nranges++;
    return 0;
}

/* What differs from a fresh mapping: not the file's own pages, not the zero page. */
static bool
worth_reading(const struct page_region *region, bool of_file)
{
    uint64_t c = region->categories;

    return !(c & PAGE_IS_PFNZERO) && !(of_file && c & PAGE_IS_FILE);
}

static int
scan_vma(struct seed *seed, int pagemap, const struct image_vma *vma)
{
    static __thread struct page_region regions[REGIONS];
    uint64_t at = vma->start;

    while (at < vma->end) {
        struct pm_scan_arg arg = { .size = sizeof arg,
            .start = at,
            .end = vma->end,
            .vec = (uintptr_t)regions,
            .vec_len = REGIONS,
            .category_anyof_mask = WANTED,
            .return_mask = SHOWN };
        int n = ioctl(pagemap, PAGEMAP_SCAN, &arg);

        if (n < 0)
            return -errno;
        for (int i = 0; i < n; i++)
            if (worth_reading(&regions[i], vma->kind == IMAGE_VMA_FILE) &&
                add_range(seed, regions[i].start, regions[i].end) < 0)
                return -ENOMEM;
        if (arg.walk_end <= at)
            break;
        at = arg.walk_end;
    }
    return 0;
}

int
seed_begin(struct seed *seed, pid_t pid, const struct image *im)
{
    char path[64];
    int fd, ret = 0;

    seed_end(seed);
    seed->pid = pid;
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (uint32_t i = 0; i < im->nvmas && ret == 0; i++) {
        const struct image_vma *vma = &im->vmas[i];

        if (vma->kind == IMAGE_VMA_ANON || vma->kind == IMAGE_VMA_FILE ||
            vma->kind == IMAGE_VMA_SHARED_ANON)
            ret = scan_vma(seed, fd, vma);
    }
    fd_close(fd);
    if (ret < 0)
        seed_end(seed);
    return ret;
}

static int
read_range(struct seed *seed, struct pages *pages, uint64_t address, uint32_t count)
{
    struct pages before = *pages;
    struct page_run *last = pages->nruns ? &pages->runs[pages->nruns - 1] : NULL;
    struct page_run last_before = last ? *last : (struct page_run){ 0 };
    uint8_t *to = pages_add(pages, address, count);
    size_t size = (size_t)count * IMAGE_PAGE;
    struct iovec local = { to, size }, remote = { (void *)(uintptr_t)address, size };

    if (!to)
        return -ENOSPC;
    if (process_vm_readv(seed->pid, &local, 1, &remote, 1, 0) == (ssize_t)size)
        return 0;
    if (errno == ESRCH)
        return -ESRCH;
    /* unmapped or made unreadable since: the next checkpoint tells what is there */
    *pages = before;
    if (last)
        *last = last_before;
    return 0;
}

int
seed_next(struct seed *seed, struct pages *pages, uint64_t max)
{
    pages_reset(pages);
    while (max > 0 && seed->at < seed->nranges) {
        uint64_t left = seed->ranges[seed->at].pages - seed->at_page;
        uint64_t n = left < max ? left : max;
        int ret = read_range(seed, pages,
            seed->ranges[seed->at].address + seed->at_page * IMAGE_PAGE, (uint32_t)n);

        if (ret < 0)
            return ret;
        max -= n;
        seed->at_page += n;
        if (seed->at_page == seed->ranges[seed->at].pages) {
            seed->at++;
            seed->at_page = 0;
        }
    }
    return seed->at < seed->nranges;
}

void
seed_end(struct seed *seed)
{
    free(seed->ranges);
    *seed = (struct seed){ 0 };
}
