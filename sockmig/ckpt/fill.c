/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/fill.h"

#include "lib/fd.h"
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/crew.h"
#include "sockmig/ckpt/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORTH_IT (1u << 20) /* bytes: to begin costs some 100 us */
#define PIECE_PAGES 64u
#define PIECE_US 60

struct fill {
    int uffd;                   /* owned; of the stub */
    const struct pages *pages;  /* borrowed */
    struct uffdio_copy *pieces; /* owned */
    uint32_t n, capacity;
};

/* Made by the kernel when they are written to, huge pages are quicker than this. */
static bool
has_huge_pages(const struct clone *c, const struct image_vma *v)
{
    return v->page_bits || v->flags & IMAGE_VMA_HUGE ||
           (c->huge_pages && !(v->flags & IMAGE_VMA_NOHUGE));
}

bool
fill_serves(const struct clone *c, const struct page_run *run)
{
    const struct image_vma *v = content_mapping(c, run->address);

    return !run->dropped && v && v->kind == IMAGE_VMA_ANON && !has_huge_pages(c, v) &&
           run->count <= (v->end - run->address) / IMAGE_PAGE;
}

/* The stub makes it, since it is of the one who makes it. */
static int
make_uffd(struct clone *c)
{
    struct uffdio_api api = { .api = UFFD_API };
    int pidfd, fd, got = -1;

    batch_add(&c->batch, "userfaultfd", SYS_userfaultfd,
        O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY, 0, 0, 0, 0, 0);
    if (batch_run(&c->batch, c->pid) < 0)
        return -1;
    fd = (int)c->batch.calls[0].result;
    pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (pidfd >= 0)
        got = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    fd_close(pidfd);
    batch_add(&c->batch, NULL, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
    if (batch_run(&c->batch, c->pid) == 0 && got >= 0 &&
        ioctl(got, UFFDIO_API, &api) == 0)
        return got;
    fd_close(got);
    return -1;
}

static bool
add_piece(struct fill *f, const struct page_run *run, uint32_t page, uint32_t count)
{
    uint64_t at = (uint64_t)page * IMAGE_PAGE;

    if (f->n == f->capacity) {
        uint32_t capacity = f->capacity ? 2 * f->capacity : 1024;
        struct uffdio_copy *grown = realloc(f->pieces, capacity * sizeof *grown);

        if (!grown)
            return false;
        f->pieces = grown;
        f->capacity = capacity;
    }
    f->pieces[f->n++] = (struct uffdio_copy){ .dst = run->address + at,
        .src = (uint64_t)(uintptr_t)(f->pages->data + run->offset + at),
        .len = (uint64_t)count * IMAGE_PAGE,
        .mode = UFFDIO_COPY_MODE_DONTWAKE };
    return true;
}

/* Its mapping is registered as a whole, so that it is not cut in two. */
static bool
add_run(struct fill *f, const struct clone *c, const struct page_run *run,
    uint64_t *registered)
{
    const struct image_vma *v = content_mapping(c, run->address);
    struct uffdio_register reg = { { v->start, v->end - v->start },
        .mode = UFFDIO_REGISTER_MODE_MISSING };
    bool ok = v->start == *registered || ioctl(f->uffd, UFFDIO_REGISTER, &reg) == 0;

    *registered = v->start;
    for (uint32_t page = 0; page < run->count && ok; page += PIECE_PAGES) {
        uint32_t left = run->count - page;

        ok = add_piece(f, run, page, left < PIECE_PAGES ? left : PIECE_PAGES);
    }
    return ok;
}

static int
place(void *arg, uint32_t i)
{
    struct fill *f = arg;

    return ioctl(f->uffd, UFFDIO_COPY, &f->pieces[i]) < 0 ? -errno : 0;
}

static bool
fill_all(struct fill *f, const struct clone *c, size_t first, size_t end)
{
    uint64_t registered = 0;
    bool ok = f->uffd >= 0;

    for (size_t i = first; i < end && ok; i++)
        if (fill_serves(c, &f->pages->runs[i]))
            ok = add_run(f, c, &f->pages->runs[i], &registered);
    return ok && crew_run(place, f, f, f->n, PIECE_US) == 0;
}

bool
fill_pages(struct clone *c, const struct pages *p, size_t first, size_t end)
{
    struct fill f = { .pages = p };
    uint64_t size = 0;

    for (size_t i = first; i < end && !c->has_pages; i++)
        if (fill_serves(c, &p->runs[i]))
            size += (uint64_t)p->runs[i].count * IMAGE_PAGE;
    if (size < WORTH_IT)
        return false;
    f.uffd = make_uffd(c);
    c->has_pages = !fill_all(&f, c, first, end);
    fd_close(f.uffd); /* the mappings are as they were */
    free(f.pieces);
    return !c->has_pages;
}
