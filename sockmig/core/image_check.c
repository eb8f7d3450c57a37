/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_check.c - the invariants of an image: a row per claim. */
#include "sockmig/core/image.h"

#include <string.h>

static bool
terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool
bool_value(uint32_t v)
{
    return v <= 1;
}

static const char *
check_process(const struct image *im)
{
    const struct image_process *p = &im->process;

    if (p->pid <= 0)
        return "process without a pid";
    if (p->ngroups > IMAGE_GROUPS || p->nsignals > IMAGE_MAX_SIGNALS ||
        p->auxv_bytes > sizeof p->auxv)
        return "process: a count beyond its array";
    if (!terminated(p->exe, sizeof p->exe) || !terminated(p->cwd, sizeof p->cwd))
        return "process: path without an end";
    if (p->exe[0] != '/' || p->cwd[0] != '/')
        return "process: path is not absolute";
    if (!bool_value(p->no_new_privs) || !bool_value(p->thp_disable) ||
        !bool_value(p->child_subreaper) || p->umask > 07777)
        return "process: flag out of range";
    return NULL;
}

static const char *
check_threads(const struct image *im)
{
    if (im->nthreads == 0 || im->nthreads > IMAGE_MAX_THREADS)
        return "no threads, or too many";
    if (im->threads[0].tid != im->process.pid)
        return "first thread is not the leader";
    for (uint32_t i = 0; i < im->nthreads; i++) {
        const struct image_thread *t = &im->threads[i];

        if (t->tid <= 0)
            return "thread without an id";
        for (uint32_t j = 0; j < i; j++)
            if (im->threads[j].tid == t->tid)
                return "thread twice";
        if (t->nsignals > sizeof t->signals / sizeof t->signals[0] ||
            t->xstate_len > IMAGE_XSTATE)
            return "thread: a count beyond its array";
        if (!terminated(t->comm, sizeof t->comm))
            return "thread: name without an end";
    }
    return NULL;
}

static bool
maps_file(uint32_t kind)
{
    return kind == IMAGE_VMA_FILE || kind == IMAGE_VMA_SHARED_FILE;
}

static const char *
check_vmas(const struct image *im)
{
    uint64_t last = 0;

    if (im->nvmas > IMAGE_MAX_VMAS)
        return "too many mappings";
    for (uint32_t i = 0; i < im->nvmas; i++) {
        const struct image_vma *v = &im->vmas[i];

        if (v->start < last || v->end <= v->start)
            return "mappings out of order or overlapping";
        if ((v->start | v->end | v->offset) % IMAGE_PAGE)
            return "mapping not at a page";
        if (v->end > (1ull << 56))
            return "mapping outside user space";
        if (v->kind >= IMAGE_VMA_NKINDS || v->prot > 7 || v->flags > 255)
            return "mapping: kind or flags out of range";
        if (!terminated(v->path, sizeof v->path))
            return "mapping: path without an end";
        if (maps_file(v->kind) && v->path[0] != '/')
            return "mapping: file without a path";
        last = v->end;
    }
    return NULL;
}

static const char *
check_fd_kind(const struct image_fd *f)
{
    switch (f->kind) {
    case IMAGE_FD_FILE:
        if (!terminated(f->u.file.path, sizeof f->u.file.path))
            return "descriptor: path without an end";
        return f->u.file.path[0] == '/' ? NULL : "descriptor: path is not absolute";
    case IMAGE_FD_TCP_LISTEN:
        return f->u.listen.address_len <= sizeof f->u.listen.address
                   ? NULL
                   : "descriptor: address too long";
    case IMAGE_FD_UDP:
        if (f->u.udp.local_len > sizeof f->u.udp.local ||
            f->u.udp.remote_len > sizeof f->u.udp.remote)
            return "descriptor: address too long";
        return f->u.udp.queued % 8 == 0 ? NULL : "descriptor: part of a datagram";
    case IMAGE_FD_PIPE_READ:
    case IMAGE_FD_PIPE_WRITE:
        return f->u.pipe.queued <= f->u.pipe.capacity
                   ? NULL
                   : "descriptor: pipe holds more than it can";
    default:
        return NULL;
    }
}

static const char *
check_fds(const struct image *im)
{
    if (im->nfds > IMAGE_MAX_FDS)
        return "too many descriptors";
    for (uint32_t i = 0; i < im->nfds; i++) {
        const struct image_fd *f = &im->fds[i], *of;
        const char *why;

        if (f->fd < 0 || (i > 0 && f->fd <= im->fds[i - 1].fd))
            return "descriptors out of order";
        if (f->kind < 0 || f->kind >= IMAGE_FD_NKINDS || !bool_value(f->cloexec))
            return "descriptor: kind or flag out of range";
        if (f->dup_of < -1 || f->dup_of >= f->fd)
            return "descriptor: duplicate of a later one";
        of = f->dup_of < 0 ? NULL : image_fd_find(im, f->dup_of);
        if (f->dup_of >= 0 && (!of || of->dup_of >= 0 || of->kind != f->kind))
            return "descriptor: duplicate of one that is not there";
        why = check_fd_kind(f);
        if (why)
            return why;
    }
    return NULL;
}

static const char *
check_items(const struct image *im)
{
    if (im->nitems > IMAGE_MAX_ITEMS)
        return "too many epoll items";
    for (uint32_t i = 0; i < im->nitems; i++) {
        const struct image_fd *set = image_fd_find(im, im->items[i].epfd);

        if (!set || set->kind != IMAGE_FD_EPOLL || set->dup_of >= 0)
            return "epoll item of no epoll descriptor";
        if (!image_fd_find(im, im->items[i].fd))
            return "epoll item watches no descriptor";
    }
    return NULL;
}

static const char *
check_tcp(const struct image *im, const struct image_tcp *t)
{
    const struct image_fd *f = image_fd_find(im, t->fd);

    if (!f || f->kind != IMAGE_FD_TCP || f->dup_of >= 0)
        return "connection of no TCP descriptor";
    if (t->state < 1 || t->state > 11)
        return "connection: state out of range";
    if (t->address_len > sizeof t->local)
        return "connection: address too long";
    if (t->unsent > t->outq)
        return "connection: more unsent than queued";
    if (!terminated(t->congestion, sizeof t->congestion))
        return "connection: name without an end";
    return NULL;
}

static const char *
check_tcps(const struct image *im)
{
    uint32_t wanted = 0;

    if (im->ntcps > IMAGE_MAX_FDS)
        return "too many connections";
    for (uint32_t i = 0; i < im->ntcps; i++) {
        const char *why = check_tcp(im, &im->tcps[i]);

        if (i > 0 && im->tcps[i].fd <= im->tcps[i - 1].fd)
            return "connections out of order";
        if (why)
            return why;
    }
    for (uint32_t i = 0; i < im->nfds; i++)
        wanted += im->fds[i].kind == IMAGE_FD_TCP && im->fds[i].dup_of < 0;
    return wanted == im->ntcps ? NULL : "TCP descriptor without its connection";
}

static const char *
check_rest(const struct image *im)
{
    if (im->ntimers > IMAGE_MAX_TIMERS || im->nchildren > IMAGE_MAX_CHILDREN)
        return "too many timers or children";
    for (uint32_t i = 0; i < im->ntimers; i++) {
        const struct image_timer *t = &im->timers[i];

        if (t->signo < 0 || t->signo > 64 || t->id < 0 ||
            (t->notify != 0 && t->notify != 1 && t->notify != 4))
            return "timer: number or kind out of range";
    }
    for (uint32_t i = 0; i < im->nchildren; i++)
        if (im->children[i].pid <= 0 || im->children[i].exit_signal < 0 ||
            im->children[i].exit_signal > 64)
            return "child: number out of range";
    return NULL;
}

const char *
image_check(const struct image *im)
{
    const char *(*const checks[])(const struct image *) = { check_process,
        check_threads, check_vmas, check_fds, check_items, check_tcps, check_rest };
    const char *why = NULL;

    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !why; i++)
        why = checks[i](im);
    return why;
}
