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
#include <unistd.h>

#define REGIONS 4096
#define SHOWN (PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_FILE | PAGE_IS_PFNZERO)

/* Of whom the ranges are that are being found. */
struct member {
    struct seed *seed;
    const struct tree *t;
    unsigned place;
};

static int
add_range(const struct member *m, uint64_t start, uint64_t end)
{
    struct seed *seed = m->seed;

    if (seed->nranges == seed->max_ranges) {
        size_t more = seed->max_ranges ? 2 * seed->max_ranges : 1024;
        void *p = realloc(seed->ranges, more * sizeof *seed->ranges);

        if (!p)
            return -ENOMEM;
        seed->ranges = p;
        seed->max_ranges = more;
    }
    seed->ranges[seed->nranges++] = (struct seed_range){ .address = start,
        .pages = (end - start) / IMAGE_PAGE,
        .pid = m->t->pids[m->place],
        .process = m->t->members[m->place].info.number };
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
scan_vma(const struct member *m, int pagemap, const struct image_vma *vma)
{
    static __thread struct page_region regions[REGIONS];
    const bool swaps = memory_swaps() && !vma->page_bits;
    uint64_t at = vma->start;

    while (at < vma->end) {
        struct pm_scan_arg arg = { .size = sizeof arg,
            .start = at,
            .end = vma->end,
            .vec = (uintptr_t)regions,
            .vec_len = REGIONS,
            .category_anyof_mask = PAGE_IS_PRESENT | (swaps ? PAGE_IS_SWAPPED : 0),
            .return_mask = SHOWN };
        int n = ioctl(pagemap, PAGEMAP_SCAN, &arg);

        if (n < 0)
            return -errno;
        for (int i = 0; i < n; i++)
            if (worth_reading(&regions[i], vma->kind == IMAGE_VMA_FILE) &&
                add_range(m, regions[i].start, regions[i].end) < 0)
                return -ENOMEM;
        if (arg.walk_end <= at)
            break;
        at = arg.walk_end;
    }
    return 0;
}

/* Does an earlier member have this shared memory, too? */
static bool
is_known(const struct member *m, const struct image_vma *v)
{
    for (unsigned i = 0; i < m->place; i++) {
        const struct image *im = m->t->members[i].image;

        for (uint32_t k = 0; m->t->members[i].target && k < im->nvmas; k++)
            if (im->vmas[k].kind == v->kind && im->vmas[k].inode == v->inode &&
                im->vmas[k].offset <= v->offset &&
                im->vmas[k].offset + (im->vmas[k].end - im->vmas[k].start) >=
                    v->offset + (v->end - v->start))
                return true;
    }
    return false;
}

/* Of shared memory all that is there, whoever has touched it.  @v may be a part of a
 * mapping: then what this process has touched. */
static int
scan_shared(const struct member *m, int pagemap, const struct image_vma *v)
{
    off_t base = (off_t)v->offset - (off_t)v->start, at = (off_t)v->offset;
    off_t end = (off_t)v->end + base;
    char path[96];
    int fd, ret = 0;

    snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx",
        (int)m->t->pids[m->place], (unsigned long long)v->start,
        (unsigned long long)v->end);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return scan_vma(m, pagemap, v);
    if (v->page_bits) { /* hugetlb does not tell of holes */
        fd_close(fd);
        return add_range(m, v->start, v->end);
    }
    while (ret == 0 && at < end) {
        off_t data = lseek(fd, at, SEEK_DATA), hole;

        if (data < 0 || data >= end)
            break;
        data &= ~(off_t)(IMAGE_PAGE - 1);
        hole = (lseek(fd, data, SEEK_HOLE) + IMAGE_PAGE - 1) & ~(off_t)(IMAGE_PAGE - 1);
        hole = hole <= data || hole > end ? end : hole;
        ret = add_range(m, (uint64_t)(data - base), (uint64_t)(hole - base));
        at = hole;
    }
    fd_close(fd);
    return ret;
}

int
seed_add(
    struct seed *seed, const struct tree *t, unsigned place, const struct image *im)
{
    struct member m = { .seed = seed, .t = t, .place = place };
    char path[64];
    int fd, ret = 0;

    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)t->pids[place]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) /* one that has ended: the next checkpoint says so */
        return errno == ENOENT && place > 0 ? 0 : -errno;
    for (uint32_t i = 0; i < im->nvmas && ret == 0; i++) {
        const struct image_vma *vma = &im->vmas[i];

        if (vma->kind == IMAGE_VMA_ANON || vma->kind == IMAGE_VMA_FILE)
            ret = scan_vma(&m, fd, vma);
        else if ((vma->kind == IMAGE_VMA_SHARED_ANON ||
                     vma->kind == IMAGE_VMA_SEGMENT) &&
                 !is_known(&m, vma))
            ret = scan_shared(&m, fd, vma);
        if (ret == -ESRCH && place > 0)
            ret = 0;
    }
    fd_close(fd);
    return ret;
}

int
seed_begin(struct seed *seed, const struct tree *t)
{
    int ret = 0;

    seed_end(seed);
    for (unsigned i = 0; i < t->n && ret == 0; i++)
        if (t->members[i].target)
            ret = seed_add(seed, t, i, t->members[i].image);
    if (ret < 0)
        seed_end(seed);
    return ret;
}

static int
read_range(
    const struct seed_range *r, struct pages *pages, uint64_t address, uint32_t count)
{
    struct pages before = *pages;
    struct page_run *last = pages->nruns ? &pages->runs[pages->nruns - 1] : NULL;
    struct page_run last_before = last ? *last : (struct page_run){ 0 };
    uint8_t *to = pages_add(pages, address, count);
    size_t size = (size_t)count * IMAGE_PAGE;
    struct iovec local = { to, size }, remote = { (void *)(uintptr_t)address, size };

    if (!to)
        return -ENOSPC;
    if (process_vm_readv(r->pid, &local, 1, &remote, 1, 0) == (ssize_t)size)
        return 0;
    /* unmapped or made unreadable since, or the process has ended: the next checkpoint
     * tells what is there */
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
        const struct seed_range *r = &seed->ranges[seed->at];
        uint64_t left = r->pages - seed->at_page, n = left < max ? left : max;
        int ret;

        pages->process = r->process;
        ret = read_range(
            r, pages, r->address + seed->at_page * IMAGE_PAGE, (uint32_t)n);
        if (ret < 0)
            return ret;
        max -= n;
        seed->at_page += n;
        if (seed->at_page == r->pages) {
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
