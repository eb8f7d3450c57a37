/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_check_sockets.c - the invariants of sockets. */
#include "sockmig/core/image_check.h"

static const char *
check_tcp(const struct image_fd *f, const struct image_tcp *t)
{
    if (!f || f->fd != t->fd || f->kind != IMAGE_FD_TCP || f->dup_of >= 0)
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
    uint32_t wanted = 0, k = 0; /* k: both are in order */

    if (im->ntcps > IMAGE_MAX_FDS)
        return "too many connections";
    for (uint32_t i = 0; i < im->ntcps; i++) {
        const char *why;

        if (i > 0 && im->tcps[i].fd <= im->tcps[i - 1].fd)
            return "connections out of order";
        while (k < im->nfds && im->fds[k].fd < im->tcps[i].fd)
            k++;
        why = check_tcp(k < im->nfds ? &im->fds[k] : NULL, &im->tcps[i]);
        if (why)
            return why;
    }
    for (uint32_t i = 0; i < im->nfds; i++)
        wanted += im->fds[i].kind == IMAGE_FD_TCP && im->fds[i].dup_of < 0;
    return wanted == im->ntcps ? NULL : "TCP descriptor without its connection";
}

static const char *
check_unix(const struct image *im, const struct image_unix *u)
{
    const struct image_fd *f = image_fd_find(im, u->fd);
    bool found = false;

    if (!f || f->kind != IMAGE_FD_UNIX || f->dup_of >= 0)
        return "unix socket of no such descriptor";
    if ((u->type != 1 && u->type != 2 && u->type != 5) ||
        u->state >= IMAGE_UNIX_NSTATES || u->shutdown > 3 || u->queued % 8 ||
        u->mode > 07777)
        return "unix socket: type, state or mode out of range";
    if (u->local_len > IMAGE_UNIX_NAME || u->remote_len > IMAGE_UNIX_NAME ||
        !terminated(u->path, sizeof u->path) ||
        !terminated(u->options.congestion, sizeof u->options.congestion))
        return "unix socket: name too long or without an end";
    if (im->process.among) /* it may be another process's: whoever has all looks */
        return NULL;
    for (uint32_t i = 0; i < im->nfds && u->peer && !found; i++)
        found = im->fds[i].kind == IMAGE_FD_UNIX && im->fds[i].inode == u->peer;
    return u->peer && !found ? "unix socket whose other end is not there" : NULL;
}

static const char *
check_unixes(const struct image *im)
{
    uint32_t wanted = 0;

    if (im->nunixes > IMAGE_MAX_UNIX)
        return "too many unix sockets";
    for (uint32_t i = 0; i < im->nunixes; i++) {
        const char *why = check_unix(im, &im->unixes[i]);

        if (i > 0 && im->unixes[i].fd <= im->unixes[i - 1].fd)
            return "unix sockets out of order";
        if (why)
            return why;
    }
    for (uint32_t i = 0; i < im->nfds; i++)
        wanted += im->fds[i].kind == IMAGE_FD_UNIX && im->fds[i].dup_of < 0;
    return wanted == im->nunixes ? NULL : "unix descriptor without its socket";
}

static const char *
check_groups(const struct image *im)
{
    if (im->ngroups > IMAGE_MAX_GROUPS)
        return "too many multicast groups";
    for (uint32_t i = 0; i < im->ngroups; i++) {
        const struct image_fd *f = image_fd_find(im, im->groups[i].fd);

        if (!f || (f->kind != IMAGE_FD_UDP && f->kind != IMAGE_FD_RAW) ||
            f->dup_of >= 0)
            return "multicast group of no UDP socket";
        if (!bool_value(im->groups[i].v6) ||
            !terminated(im->groups[i].device, sizeof im->groups[i].device))
            return "multicast group: family or device out of range";
    }
    return NULL;
}

static const char *
check_unaccepted(const struct image *im)
{
    if (im->nunaccepted > IMAGE_MAX_UNACCEPTED)
        return "too many connections that were not accepted";
    for (uint32_t i = 0; i < im->nunaccepted; i++) {
        const struct image_fd *f = image_fd_find(im, im->unaccepted[i].fd);

        if (!f || f->kind != IMAGE_FD_TCP_LISTEN || f->dup_of >= 0)
            return "connection that was not accepted of no listener";
    }
    return NULL;
}

const char *
image_check_sockets(const struct image *im)
{
    const char *(*const checks[])(const struct image *) = { check_tcps, check_unixes,
        check_groups, check_unaccepted };
    const char *why = NULL;

    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !why; i++)
        why = checks[i](im);
    return why;
}
