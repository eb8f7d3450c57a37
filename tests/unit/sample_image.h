/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sample_image.h - a small image that has something of everything, for tests. */
#ifndef BSC_SAMPLE_IMAGE_H
#define BSC_SAMPLE_IMAGE_H

#include "sockmig/core/image.h"

#include <string.h>

static inline void
sample_fds(struct image *im)
{
    static const struct {
        int fd, kind, dup_of;
    } rows[] = {
        { 0, IMAGE_FD_FILE, -1 },
        { 1, IMAGE_FD_FILE, 0 },
        { 3, IMAGE_FD_EPOLL, -1 },
        { 4, IMAGE_FD_PIPE_READ, -1 },
        { 5, IMAGE_FD_PIPE_WRITE, -1 },
        { 6, IMAGE_FD_TCP_LISTEN, -1 },
        { 7, IMAGE_FD_TCP, -1 },
        { 9, IMAGE_FD_TCP, -1 },
        { 12, IMAGE_FD_TCP, 9 },
        { 13, IMAGE_FD_UDP, -1 },
        { 14, IMAGE_FD_UNIX, -1 },
        { 15, IMAGE_FD_INOTIFY, -1 },
        { 16, IMAGE_FD_PTY_MASTER, -1 },
        { 17, IMAGE_FD_PTY_SLAVE, -1 },
        { 18, IMAGE_FD_FIFO, -1 },
        { IMAGE_IN_FLIGHT, IMAGE_FD_EVENTFD, -1 },
        { IMAGE_IN_FLIGHT + 1, IMAGE_FD_FILE, 0 },
    };

    im->nfds = sizeof rows / sizeof rows[0];
    for (uint32_t i = 0; i < im->nfds; i++) {
        struct image_fd *f = &im->fds[i];

        memset(f, 0, sizeof *f);
        f->fd = rows[i].fd;
        f->kind = rows[i].kind;
        f->dup_of = rows[i].dup_of;
        if (f->kind == IMAGE_FD_FILE)
            memcpy(f->u.file.path, "/dev/null", 10);
        if (f->kind == IMAGE_FD_FIFO)
            memcpy(f->u.fifo.path, "/run/fifo", 10);
        if (f->kind == IMAGE_FD_PIPE_READ)
            f->u.pipe.capacity = 65536;
        if (f->kind == IMAGE_FD_TCP && f->dup_of < 0)
            im->tcps[im->ntcps++] = (struct image_tcp){
                .fd = f->fd, .state = 1, .outq = 10, .unsent = 3
            };
    }
    im->nunixes = 1;
    memset(im->unixes, 0, sizeof *im->unixes);
    im->unixes[0].fd = 14;
    im->unixes[0].type = 1;
    im->nwatches = 1;
    im->watches[0] = (struct image_watch){ .fd = 15, .wd = 1, .path = "/" };
    im->nfilters = 2;
    im->filters[0] = (struct image_filter){ .length = 2 };
    im->filters[1] = (struct image_filter){ .length = 3, .log = 1 };
    im->ncode = 5;
    for (uint32_t i = 0; i < im->ncode; i++)
        im->code[i] = 6;
    im->nsets = 2;
    im->sets[0] = (struct image_set){ .id = 3, .n = 2 };
    im->sets[1] = (struct image_set){ .id = 4, .n = 1 };
    im->nsemaphores = 3;
    for (uint32_t i = 0; i < 3; i++)
        im->semaphores[i] = (struct image_semaphore){ (int32_t)i, -1 };
    im->nqueues = 1;
    im->queues[0] = (struct image_queue){ .id = 5, .size = 16 };
    im->nunaccepted = 1;
    im->unaccepted[0] = (struct image_unaccepted){ .fd = 6 };
    im->ngroups = 1;
    im->groups[0] = (struct image_group){ .fd = 13, .device = "eth0" };
    im->nlocks = 1;
    im->locks[0] = (struct image_lock){ .end = -1 };
    im->nitems = 2;
    im->items[0] = (struct image_epoll_item){ 3, 6, 1, 0, 6 };
    im->items[1] = (struct image_epoll_item){ 3, 7, 1, 0, 7 };
}

/* sample_image - fill @im, which is zeroed but for its arrays. */
static inline void
sample_image(struct image *im)
{
    im->process.pid = 7;
    memcpy(im->process.exe, "/usr/bin/thing", 15);
    memcpy(im->process.cwd, "/", 2);
    memcpy(im->process.root, "/", 2);
    im->nthreads = 3;
    for (uint32_t i = 0; i < 3; i++) {
        struct image_thread *t = &im->threads[i];

        memset(t, 0, sizeof *t);
        t->tid = 7 + (int32_t)i;
        t->xstate_len = 100 + i;
        memset(t->xstate, 0x40 + (int)i, t->xstate_len);
        memcpy(t->comm, "worker", 7);
    }
    im->nvmas = 2;
    memset(im->vmas, 0, 2 * sizeof *im->vmas);
    im->vmas[0].start = 0x400000;
    im->vmas[0].end = im->vmas[1].start = 0x402000;
    im->vmas[0].kind = IMAGE_VMA_FILE;
    im->vmas[0].prot = 5;
    memcpy(im->vmas[0].path, "/usr/bin/thing", 15);
    im->vmas[1].end = 0x500000;
    im->vmas[1].prot = 3;
    im->nvmas = 3;
    im->vmas[2] = (struct image_vma){ .start = 0x600000,
        .end = 0x601000,
        .kind = IMAGE_VMA_SEGMENT,
        .inode = 4,
        .path = "/SYSV00000001 (deleted)" };
    im->nsegments = 2;
    im->segments[0] = (struct image_segment){ .inode = 4, .id = 4, .size = 100 };
    im->segments[1] = (struct image_segment){ .id = -1, .path = "/dev/shm/x" };
    sample_fds(im);
    im->ntimers = 1;
    im->timers[0] = (struct image_timer){ .id = 1, .signo = 34 };
    im->nchildren = 1;
    im->children[0] = (struct image_child){ 20, 17 };
}

#endif
