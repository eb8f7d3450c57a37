/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_share.c - what the processes of a tree have in common: shared memory, open
 * files, pipes. */
#include "sockmig/ckpt/stubs_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- shared memory */

struct piece {           /* a mapping of an object */
    uint64_t inode, end; /* end: in the object */
    unsigned process;
    uint32_t vma;
};

static int
by_object(const void *a, const void *b)
{
    const struct piece *p = a, *q = b;

    return p->inode < q->inode ? -1 : p->inode > q->inode;
}

static size_t
list_pieces(const struct stubs *s, struct piece *out)
{
    size_t n = 0;

    for (unsigned k = 0; k < s->n; k++)
        for (uint32_t i = 0; stub_image(s, k) && i < stub_image(s, k)->nvmas; i++) {
            const struct image_vma *v = &stub_image(s, k)->vmas[i];

            if (v->kind != IMAGE_VMA_SHARED_ANON)
                continue;
            if (out)
                out[n] = (struct piece){ v->inode, v->offset + v->end - v->start, k,
                    i };
            n++;
        }
    return n;
}

/* An object as mmap() makes it, of which there is a descriptor, too. */
static int
open_object(uint64_t size, uint32_t page_bits)
{
    /* huge pages that are not set aside now may be missing when they are touched */
    int flags = page_bits ? MAP_HUGETLB | (int)(page_bits << MAP_HUGE_SHIFT)
                          : MAP_NORESERVE;
    void *p = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);
    char path[96];
    int fd;

    if (p == MAP_FAILED)
        return -errno;
    snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", (unsigned long)p,
        (unsigned long)p + (unsigned long)size);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    munmap(p, size);
    return fd;
}

static int
open_map_file(pid_t pid, uint64_t start, uint64_t end)
{
    char path[96];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", (int)pid,
        (unsigned long long)start, (unsigned long long)end);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static struct stub_object *
find_object(const struct stubs *s, uint64_t inode)
{
    for (unsigned i = 0; i < s->nobjects; i++)
        if (s->objects[i].inode == inode)
            return &s->objects[i];
    return NULL;
}

/* @fd is the table's from now on. */
static int
add_object(struct stubs *s, uint64_t inode, uint64_t size, int fd)
{
    struct stub_object *grown;

    if (fd < 0)
        return fd;
    grown = realloc(s->objects, (s->nobjects + 1) * sizeof *grown);
    if (!grown) {
        fd_close(fd);
        return -ENOMEM;
    }
    s->objects = grown;
    grown[s->nobjects++] = (struct stub_object){ inode, size, fd };
    return 0;
}

/* Is @p of object @fd as it is? */
static bool
is_mapped(const struct stubs *s, const struct piece *p, int fd)
{
    const struct image_vma *v = &stub_image(s, p->process)->vmas[p->vma];
    struct stat there, wanted;
    char path[96];

    snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx",
        (int)s->clones[p->process]->pid, (unsigned long long)v->start,
        (unsigned long long)v->end);
    return stat(path, &there) == 0 && fstat(fd, &wanted) == 0 &&
           there.st_ino == wanted.st_ino && there.st_dev == wanted.st_dev;
}

/* The stub has no descriptors below its engine's: what it fetches is descriptor 0. */
static int
map_object(struct stubs *s, const struct piece *p, int fd)
{
    const struct image_vma *v = &stub_image(s, p->process)->vmas[p->vma];
    struct batch *b = &s->clones[p->process]->batch;

    batch_add(b, "pidfd_getfd", SYS_pidfd_getfd, (uint64_t)s->number, (uint64_t)fd, 0,
        0, 0, 0);
    batch_add(b, "map shared memory", SYS_mmap, v->start, v->end - v->start,
        skeleton_prot(v), MAP_SHARED | MAP_FIXED, 0, v->offset);
    batch_add(b, "close", SYS_close, 0, 0, 0, 0, 0, 0);
    return batch_run(b, s->clones[p->process]->pid);
}

static uint32_t
page_bits(const struct stubs *s, const struct piece *p)
{
    return stub_image(s, p->process)->vmas[p->vma].page_bits;
}

static int
share_object(struct stubs *s, const struct piece *pieces, size_t n)
{
    struct stub_object *o = find_object(s, pieces->inode);
    uint64_t size = 0;
    int ret = 0;

    for (size_t i = 0; i < n; i++)
        size = pieces[i].end > size ? pieces[i].end : size;
    if (!o) {
        ret = add_object(
            s, pieces->inode, size, open_object(size, page_bits(s, pieces)));
        o = &s->objects[s->nobjects - 1];
    } else if (size > o->size) { /* more of it is mapped than ever before */
        ret = ftruncate(o->fd, (off_t)size) < 0 ? -errno : 0;
        o->size = size;
    }
    for (size_t i = 0; i < n && ret == 0; i++)
        if (s->clones[pieces[i].process] && !is_mapped(s, &pieces[i], o->fd))
            ret = map_object(s, &pieces[i], o->fd);
    return ret;
}

/* Nobody has them mapped any more. */
static void
forget_objects(struct stubs *s, const struct piece *all, size_t n)
{
    for (unsigned i = s->nobjects; i-- > 0;) {
        size_t k = 0;

        while (k < n && all[k].inode != s->objects[i].inode)
            k++;
        if (k < n)
            continue;
        fd_close(s->objects[i].fd);
        s->objects[i] = s->objects[--s->nobjects];
    }
}

int
stubs_share_memory(struct stubs *s)
{
    size_t n = list_pieces(s, NULL), end;
    struct piece *all = n > 0 ? calloc(n, sizeof *all) : NULL;
    int ret = 0;

    if (n > 0 && !all)
        return -ENOMEM;
    list_pieces(s, all);
    forget_objects(s, all, n);
    if (n > 0)
        qsort(all, n, sizeof *all, by_object);
    for (size_t i = 0; i < n && ret == 0; i = end) {
        for (end = i + 1; end < n && all[end].inode == all[i].inode;)
            end++;
        ret = share_object(s, all + i, end - i);
    }
    if (ret < 0)
        refuse(s->why, s->family->members[0].pid, -1,
            ret == -ENOMEM ? "free memory on this host, or set more huge pages aside "
                             "(vm.nr_hugepages) if it maps such"
                           : "run it as root",
            "shared memory: %s", strerror(-ret));
    free(all);
    return ret;
}

/* Of a clone of one process, to which each mapping is an object of its own. */
int
stubs_adopt_objects(struct stubs *s, const struct clone *c)
{
    int ret = 0;

    for (unsigned i = 0; i < c->nvmas && ret == 0; i++) {
        const struct image_vma *v = &c->vmas[i];

        if (v->kind != IMAGE_VMA_SHARED_ANON)
            continue;
        if (v->offset != 0 || find_object(s, v->inode))
            return -EAGAIN;
        ret = add_object(
            s, v->inode, v->end - v->start, open_map_file(c->pid, v->start, v->end));
    }
    return ret;
}

void
stubs_objects_close(struct stubs *s)
{
    for (unsigned i = 0; i < s->nobjects; i++)
        fd_close(s->objects[i].fd);
    free(s->objects);
    s->objects = NULL;
    s->nobjects = 0;
}

/* ---- open files */

static int32_t
index_of(const struct image *im, int fd)
{
    const struct image_fd *f = image_fd_find(im, fd);

    return f && f->dup_of >= 0 ? index_of(im, f->dup_of)
                               : (f ? (int32_t)(f - im->fds) : -1);
}

/* What another process has open by now. */
int
stubs_borrow(struct stubs *s, unsigned process)
{
    for (size_t i = 0; i < s->family->nlinks; i++) {
        const struct family_link *l = &s->family->links[i];
        int32_t to, from;

        if (l->process != process || l->of_process >= s->n || !s->clones[process] ||
            !s->clones[l->of_process])
            continue;
        to = index_of(stub_image(s, process), l->fd);
        from = index_of(stub_image(s, l->of_process), l->of_fd);
        if (to < 0 || from < 0 || s->clones[process]->opened[to] >= 0 ||
            s->clones[l->of_process]->opened[from] < 0)
            continue;
        s->clones[process]->opened[to] = fcntl(
            s->clones[l->of_process]->opened[from], F_DUPFD_CLOEXEC, 0);
        if (s->clones[process]->opened[to] < 0)
            return -errno;
    }
    return 0;
}

/* ---- epoll sets that several have */

int
stubs_keep_sets(struct stubs *s, unsigned process)
{
    int pidfd = -1, ret = 0;

    for (size_t i = 0; i < s->family->nlinks && ret == 0; i++) {
        const struct family_link *l = &s->family->links[i];
        struct clone *c = s->clones[process];
        int32_t at;

        if (l->of_process != process || !c)
            continue;
        at = index_of(stub_image(s, process), l->of_fd);
        if (at < 0 || stub_image(s, process)->fds[at].kind != IMAGE_FD_EPOLL ||
            c->opened[at] >= 0)
            continue;
        if (pidfd < 0)
            pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
        c->opened[at] = (int)syscall(
            SYS_pidfd_getfd, pidfd, stub_image(s, process)->fds[at].fd, 0);
        ret = c->opened[at] < 0 ? -errno : 0;
    }
    fd_close(pidfd);
    return ret;
}

/* ---- pipes between processes */

static bool
is_pipe(const struct image_fd *f)
{
    return f->dup_of < 0 &&
           (f->kind == IMAGE_FD_PIPE_READ || f->kind == IMAGE_FD_PIPE_WRITE);
}

static int
fill(const struct clone *c, const struct image_fd *f, int end)
{
    const struct clone_queue *q = &c->queues[f->fd];

    if (f->u.pipe.capacity > 0 && fcntl(end, F_SETPIPE_SZ, (int)f->u.pipe.capacity) < 0)
        return -errno;
    if (f->u.pipe.queued == 0)
        return 0;
    if (q->size != f->u.pipe.queued)
        return -EBADMSG;
    return write(end, q->bytes, q->size) == (ssize_t)q->size ? 0 : -ENOSPC;
}

/* Every end of pipe @inode in the whole tree gets a duplicate of @ends, which are
 * filled once, from the first reader. */
static int
hand_out(struct stubs *s, uint64_t inode, const int ends[2])
{
    bool filled = false;
    int ret = 0;

    for (unsigned k = 0; k < s->n; k++)
        for (uint32_t i = 0; s->clones[k] && i < stub_image(s, k)->nfds && ret == 0;
             i++) {
            const struct image_fd *f = &stub_image(s, k)->fds[i];
            int side = f->kind == IMAGE_FD_PIPE_WRITE;

            if (!is_pipe(f) || f->inode != inode)
                continue;
            if (!side && !filled) {
                ret = fill(s->clones[k], f, ends[1]);
                filled = true;
            }
            s->clones[k]->opened[i] = fcntl(ends[side], F_DUPFD_CLOEXEC, 0);
            if (ret == 0 && s->clones[k]->opened[i] < 0)
                ret = -errno;
            /* one end, one set of flags */
            fcntl(ends[side], F_SETFL, (int)f->flags & (O_NONBLOCK | O_DIRECT));
        }
    return ret;
}

int
stubs_pipes(struct stubs *s)
{
    int ret = 0;

    for (unsigned k = 0; k < s->n; k++)
        for (uint32_t i = 0; s->clones[k] && i < stub_image(s, k)->nfds && ret == 0;
             i++) {
            const struct image_fd *f = &stub_image(s, k)->fds[i];
            int ends[2];

            if (!is_pipe(f) || s->clones[k]->opened[i] >= 0)
                continue;
            if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
            ret = hand_out(s, f->inode, ends);
            fd_close(ends[0]);
            fd_close(ends[1]);
        }
    return ret;
}
