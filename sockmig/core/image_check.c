/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_check.c - the invariants of an image: a row per claim. */
#include "sockmig/core/image_check.h"

enum { MAX_ERROR = 4095 }; /* of Linux */

static const char *
check_process(const struct image *im)
{
    const struct image_process *p = &im->process;

    if (p->pid <= 0)
        return "process without a pid";
    if (p->ngroups > IMAGE_GROUPS || p->nsignals > IMAGE_MAX_SIGNALS ||
        p->auxv_bytes > sizeof p->auxv)
        return "process: a count beyond its array";
    if (!terminated(p->exe, sizeof p->exe) || !terminated(p->cwd, sizeof p->cwd) ||
        !terminated(p->root, sizeof p->root) ||
        !terminated(p->cgroup, sizeof p->cgroup))
        return "process: path without an end";
    if (p->exe[0] != '/' || p->cwd[0] != '/' || p->root[0] != '/' ||
        (p->cgroup[0] && p->cgroup[0] != '/'))
        return "process: path is not absolute";
    if (!bool_value(p->no_new_privs) || !bool_value(p->thp_disable) ||
        !bool_value(p->child_subreaper) || !bool_value(p->merge) || p->umask > 07777 ||
        p->securebits > 0xff || p->never_exec_written > 3 || (p->lock_all & ~6u) ||
        !bool_value(p->among))
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
        if (!bool_value(t->io_flusher) || !bool_value(t->no_tsc) ||
            !bool_value(t->no_cpuid) || t->machine_check > 2)
            return "thread: flag out of range";
        if (t->schedule.policy > 7 || t->schedule.policy == 6 ||
            t->schedule.priority > 99 || t->schedule.flags > 1 ||
            t->schedule.nice < -20 || t->schedule.nice > 19)
            return "thread: scheduling out of range";
    }
    return NULL;
}

static bool
maps_file(uint32_t kind)
{
    return kind == IMAGE_VMA_FILE || kind == IMAGE_VMA_SHARED_FILE ||
           kind == IMAGE_VMA_STATE_FILE;
}

static bool
held_by(const struct image *im, const struct image_vma *v)
{
    for (uint32_t i = 0; i < im->nfds; i++)
        if (im->fds[i].inode == v->inode && im->fds[i].dup_of < 0 &&
            im->fds[i].fd < IMAGE_IN_FLIGHT &&
            (im->fds[i].kind == IMAGE_FD_MEMFD || im->fds[i].kind == IMAGE_FD_FILE))
            return true;
    return false;
}

static bool
has_good_pages(const struct image_vma *v)
{
    if (v->page_bits == 0)
        return true;
    return (v->page_bits == 21 || v->page_bits == 30) && /* as on x86-64 */
           (v->kind == IMAGE_VMA_ANON || v->kind == IMAGE_VMA_SHARED_ANON) &&
           (v->start | v->end | v->offset) % (UINT64_C(1) << v->page_bits) == 0;
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
        if (v->kind >= IMAGE_VMA_NKINDS || v->prot > 7 || v->flags > IMAGE_VMA_FLAGS)
            return "mapping: kind or flags out of range";
        if (!has_good_pages(v))
            return "mapping: huge pages that there cannot be";
        if (!terminated(v->path, sizeof v->path))
            return "mapping: path without an end";
        if (v->kind == IMAGE_VMA_HELD && !held_by(im, v))
            return "mapping: of a file that no descriptor has";
        if (v->kind == IMAGE_VMA_SEGMENT && !image_segment_of(im, v))
            return "mapping: of shared memory that is not there";
        if (maps_file(v->kind) && v->path[0] != '/')
            return "mapping: file without a path";
        last = v->end;
    }
    return NULL;
}

static const char *
check_pty(const struct image_pty *p)
{
    if (p->index >= IMAGE_PTY_INDEX || p->output > IMAGE_PTY_QUEUE ||
        p->input > IMAGE_PTY_QUEUE || p->mode > 07777)
        return "terminal: number, queue or mode out of range";
    if (!bool_value(p->packet) || !bool_value(p->locked) || !bool_value(p->exclusive) ||
        !bool_value(p->opened) || !bool_value(p->hung) || p->session < 0 ||
        p->foreground < 0)
        return "terminal: flag or group out of range";
    return NULL;
}

static const char *
check_fifo(const struct image_fifo *f)
{
    if (!terminated(f->path, sizeof f->path) || f->path[0] != '/')
        return "named pipe: path is not absolute or has no end";
    if (f->queued > f->capacity || f->capacity > (1u << 30))
        return "descriptor: pipe holds more than it can";
    return f->mode <= 07777 && bool_value(f->deleted) && bool_value(f->hung)
               ? NULL
               : "named pipe: mode or flag out of range";
}

static const char *
check_fd_kind(const struct image_fd *f)
{
    switch (f->kind) {
    case IMAGE_FD_FILE:
        if (!terminated(f->u.file.path, sizeof f->u.file.path))
            return "descriptor: path without an end";
        if (!bool_value(f->u.file.deleted) || f->u.file.mode > 07777)
            return "descriptor: mode out of range";
        return f->u.file.path[0] == '/' ? NULL : "descriptor: path is not absolute";
    case IMAGE_FD_MEMFD:
        if (!terminated(f->u.file.path, sizeof f->u.file.path))
            return "descriptor: name without an end";
        return f->u.file.mode <= 07777 && f->u.file.size <= UINT32_MAX
                   ? NULL
                   : "descriptor: mode out of range";
    case IMAGE_FD_TCP_LISTEN:
    case IMAGE_FD_TCP_BOUND:
    case IMAGE_FD_TCP_FRESH:
        if (!terminated(f->u.listen.options.congestion, 16))
            return "descriptor: name without an end";
        return f->u.listen.address_len <= sizeof f->u.listen.address
                   ? NULL
                   : "descriptor: address too long";
    case IMAGE_FD_TCP_DEAD:
        return f->u.dead.error <= MAX_ERROR ? NULL : "descriptor: no such error";
    case IMAGE_FD_RAW:
        if (f->u.udp.queued > 0 || f->u.udp.protocol <= 0 || f->u.udp.protocol > 255)
            return "descriptor: raw socket without a protocol";
        /* fall through */
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
    case IMAGE_FD_FIFO:
        return check_fifo(&f->u.fifo);
    case IMAGE_FD_PTY_MASTER:
    case IMAGE_FD_PTY_SLAVE:
        return check_pty(&f->u.pty);
    default:
        return NULL;
    }
}

static const char *
check_flight(const struct image_fd *f)
{
    if (f->fd < IMAGE_IN_FLIGHT)
        return NULL;
    if (f->kind == IMAGE_FD_EPOLL || f->kind == IMAGE_FD_INOTIFY ||
        f->kind == IMAGE_FD_NETLINK || f->kind == IMAGE_FD_PTY_MASTER ||
        f->kind == IMAGE_FD_PTY_SLAVE)
        return "descriptor in flight: of another kind";
    return f->owner == 0 ? NULL : "descriptor in flight: with an owner";
}

static const char *
check_fds(const struct image *im)
{
    if (im->nfds > IMAGE_MAX_FDS)
        return "too many descriptors";
    for (uint32_t i = 0; i < im->nfds; i++) {
        const struct image_fd *f = &im->fds[i], *of;
        const char *why;

        if (f->fd < 0 || f->fd >= IMAGE_QUEUES || (i > 0 && f->fd <= im->fds[i - 1].fd))
            return "descriptors out of order";
        if (f->kind < 0 || f->kind >= IMAGE_FD_NKINDS || !bool_value(f->cloexec))
            return "descriptor: kind or flag out of range";
        if (f->owner < 0 || f->owner_type < 0 || f->owner_type > 2 ||
            f->owner_signal < 0 || f->owner_signal > 64)
            return "descriptor: owner of its signals out of range";
        if (f->dup_of < -1 || f->dup_of >= f->fd)
            return "descriptor: duplicate of a later one";
        of = f->dup_of < 0 ? NULL : image_fd_find(im, f->dup_of);
        if (f->dup_of >= 0 && (!of || of->dup_of >= 0 || of->kind != f->kind))
            return "descriptor: duplicate of one that is not there";
        why = check_fd_kind(f);
        if (!why)
            why = check_flight(f);
        if (why)
            return why;
    }
    return NULL;
}

/* Items are in no order of their descriptors: a bit for each that is open. */
static const char *
check_items(const struct image *im)
{
    uint64_t open[IMAGE_IN_FLIGHT / 64] = { 0 };
    const struct image_fd *set = NULL;

    if (im->nitems > IMAGE_MAX_ITEMS)
        return "too many epoll items";
    for (uint32_t i = 0; i < im->nfds && im->fds[i].fd < IMAGE_IN_FLIGHT; i++)
        open[im->fds[i].fd / 64] |= 1ull << im->fds[i].fd % 64;
    for (uint32_t i = 0; i < im->nitems; i++) {
        int32_t fd = im->items[i].fd;

        if (i == 0 || im->items[i].epfd != im->items[i - 1].epfd)
            set = image_fd_find(im, im->items[i].epfd);
        if (!set || set->kind != IMAGE_FD_EPOLL || set->dup_of >= 0)
            return "epoll item of no epoll descriptor";
        if (fd < 0 || fd >= IMAGE_IN_FLIGHT || !(open[fd / 64] >> fd % 64 & 1))
            return "epoll item watches no descriptor";
    }
    return NULL;
}

static const char *
check_watches(const struct image *im)
{
    if (im->nwatches > IMAGE_MAX_WATCHES)
        return "too many watches";
    for (uint32_t i = 0; i < im->nwatches; i++) {
        const struct image_watch *w = &im->watches[i];
        const struct image_fd *f = image_fd_find(im, w->fd);

        if (!f || f->kind != IMAGE_FD_INOTIFY || f->dup_of >= 0)
            return "watch of no inotify instance";
        if (w->wd < 1 || w->wd > IMAGE_MAX_WATCH_NUMBER)
            return "watch: number out of range";
        if (i > 0 && (w[-1].fd > w->fd || (w[-1].fd == w->fd && w[-1].wd >= w->wd)))
            return "watches out of order";
        if (!terminated(w->path, sizeof w->path) || w->path[0] != '/')
            return "watch: path is not absolute or has no end";
    }
    return NULL;
}

static const char *
check_locks(const struct image *im)
{
    if (im->nlocks > IMAGE_MAX_LOCKS)
        return "too many locks";
    for (uint32_t i = 0; i < im->nlocks; i++) {
        const struct image_lock *l = &im->locks[i];
        const struct image_fd *f = image_fd_find(im, l->fd);

        if (!f || f->kind != IMAGE_FD_FILE || f->dup_of >= 0 ||
            f->fd >= IMAGE_IN_FLIGHT)
            return "lock of no open file";
        if (l->kind >= IMAGE_LOCK_NKINDS || !bool_value(l->exclusive))
            return "lock: kind out of range";
        if (l->start < 0 || l->end < -1 || (l->end >= 0 && l->end < l->start))
            return "lock: ends before it begins";
    }
    return NULL;
}

static const char *
check_segments(const struct image *im)
{
    if (im->nsegments > IMAGE_MAX_SEGMENTS)
        return "too much shared memory";
    for (uint32_t i = 0; i < im->nsegments; i++) {
        const struct image_segment *s = &im->segments[i];

        if (s->id < -1 || (s->id >= 0) != (s->path[0] == '\0') || s->mode > 07777 ||
            !bool_value(s->gone) || !bool_value(s->locked) || s->size > (1ull << 47))
            return "shared memory: id, mode or size out of range";
        if (s->id >= 0 && s->inode != (uint64_t)s->id)
            return "shared memory: id is not its own";
        if (!terminated(s->path, sizeof s->path) || (s->id < 0 && s->path[0] != '/'))
            return "shared memory: path without an end, or not absolute";
    }
    return NULL;
}

static const char *
check_filters(const struct image *im)
{
    uint32_t total = 0;

    if (im->nfilters > IMAGE_MAX_FILTERS || im->ncode > IMAGE_MAX_CODE)
        return "too many filters";
    for (uint32_t i = 0; i < im->nfilters; i++) {
        const struct image_filter *f = &im->filters[i];

        if (f->length == 0 || f->length > IMAGE_MAX_FILTER || !bool_value(f->log))
            return "filter: length or flag out of range";
        total += f->length;
    }
    return total == im->ncode ? NULL : "filters without their instructions";
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
        check_threads, check_vmas, check_fds, check_items, image_check_sockets,
        check_locks, check_watches, check_segments, image_check_ipc, check_filters,
        check_rest };
    const char *why = NULL;

    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !why; i++)
        why = checks[i](im);
    return why;
}
