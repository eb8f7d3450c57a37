/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_terminal.c - pseudo-terminals whose master belongs to the process or to those
 * that are taken with it.  Any other terminal is somebody else's. */
#include "sockmig/ckpt/descriptors.h"

#include "sockmig/ckpt/place.h"
#include "sockmig/ckpt/terminal.h"
#include "sockmig/filehash.h"

#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PTMX makedev(5, 2)

/* Is descriptor @name of process @pid the master of @index? */
static bool
is_master(pid_t pid, const char *name, uint32_t index)
{
    char path[320], text[512];
    const char *at;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", (int)pid, name);
    if (file_read(path, text, sizeof text) < 0)
        return false;
    at = strstr(text, "tty-index:");
    return at && strtoul(at + 10, NULL, 10) == index;
}

/* Has process @pid open a descriptor of a terminal: the master of @index, or a slave?
 */
static bool
holds(pid_t pid, uint32_t index, bool master)
{
    char path[64], slave[32], link[64];
    struct dirent *e;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    snprintf(slave, sizeof slave, "/dev/pts/%u", index);
    dir = opendir(path);
    while (dir && !found && (e = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);
        size_t length = n > 0 ? (size_t)n : 0;

        link[length] = '\0';
        found = master ? length > 5 && !strcmp(link + length - 5, "/ptmx") &&
                             is_master(pid, e->d_name, index)
                       : !strcmp(link, slave);
    }
    if (dir)
        closedir(dir);
    return found;
}

static bool
is_known(const struct look *l, uint32_t index, bool master)
{
    const struct trace_kin *kin = l->d->trace->kin;
    bool found = holds(l->d->pid, index, master);

    for (unsigned i = 0; kin && i < kin->n && !found; i++)
        found = holds(kin->pids[i], index, master);
    return found;
}

/* ---- the two sides */

static void
look_at_node(const struct look *l, struct image_pty *p)
{
    char name[32], path[96];
    struct stat st;

    snprintf(name, sizeof name, "/dev/pts/%u", p->index);
    place_path(l->d->pid, name, path, sizeof path);
    if (stat(path, &st) < 0)
        st = (struct stat){ .st_mode = 0620, .st_gid = 5 };
    p->mode = st.st_mode & 07777;
    p->uid = st.st_uid;
    p->gid = st.st_gid;
}

static int
look_at_master(struct look *l)
{
    struct image_pty *p = &l->out->u.pty;
    struct pollfd pfd = { .fd = l->dup };
    int on = 0, id, ret;

    l->out->kind = IMAGE_FD_PTY_MASTER;
    if (ioctl(l->dup, TIOCGPTN, &p->index) < 0 || ioctl(l->dup, TIOCGPKT, &on) < 0)
        return -errno;
    p->packet = on != 0;
    if (ioctl(l->dup, TIOCGPTLCK, &on) == 0)
        p->locked = on != 0;
    p->exclusive = terminal_exclusive(l->dup);
    ret = terminal_get(l->dup, p);
    if (ret < 0)
        return ret;
    id = terminal_session(l->dup);
    p->session = id > 0 ? look_id(l, id, "NSpid:", id) : 0;
    p->foreground = look_group(l, terminal_foreground(l->dup));
    p->hung = poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP) != 0;
    if (l->full || p->hung)
        p->opened = !p->hung && is_known(l, p->index, false);
    p->opened |= !p->hung && p->session > 0;
    look_at_node(l, p);
    p->output = p->input = 0;
    return 0;
}

int
look_at_terminal(struct look *l)
{
    struct image_pty *p = &l->out->u.pty;
    int index;

    if (l->out->kind != IMAGE_FD_PTY_MASTER && l->out->kind != IMAGE_FD_PTY_SLAVE)
        memset(&l->out->u, 0, sizeof l->out->u);
    if (l->st.st_rdev == PTMX)
        return look_at_master(l);
    index = terminal_index(l->dup);
    if (index == TERMINAL_NOT_ONE)
        return look_refuse(l, "start the service without a terminal",
            "terminal that is no pseudo-terminal, or is gone");
    l->out->kind = IMAGE_FD_PTY_SLAVE;
    p->index = (uint32_t)index;
    p->exclusive = terminal_exclusive(l->dup);
    if (l->full && !is_known(l, p->index, true))
        return look_refuse(l,
            "start it without a terminal, or in one of its own (script)",
            "terminal whose other side is in another process");
    return 0;
}

/* ---- unread bytes */

static int
refuse_stopped(struct look *l)
{
    return look_refuse(l, "let it go on (Ctrl-Q)",
        "terminal is stopped (Ctrl-S), or its output is not read");
}

static int
take(struct look *l, struct image_pty *p, int slave, uint8_t *bytes)
{
    int ret = terminal_take(l->dup, slave, p, bytes), put;

    if (ret == -EBUSY)
        return refuse_stopped(l);
    if (ret < 0)
        return ret;
    put = p->output + p->input > 0 || p->packet ? terminal_put(l->dup, slave, p, bytes)
                                                : 0;
    return put;
}

static int
keep(struct look *l, const uint8_t *bytes, uint32_t size)
{
    uint64_t hash = size > 0 ? filehash_bytes(bytes, size) | 1 : 0;
    uint8_t *to;

    if (size > 0 && hash != l->memo->parcel_hash) {
        to = parcels_add(l->parcels, l->fd, size);
        if (!to)
            return -ENOSPC;
        memcpy(to, bytes, size);
    }
    l->memo->parcel_hash = hash;
    return 0;
}

int
terminal_content(struct look *l)
{
    struct image_pty *p = &l->out->u.pty;
    uint8_t *bytes;
    int slave = -1, ret = 0;

    if (p->locked)
        return 0;
    if (p->opened || p->hung)
        slave = terminal_slave(l->dup, O_RDWR | O_NONBLOCK);
    if (slave < 0 && (p->opened || p->hung))
        return slave;
    if (l->d->look_only) {
        ret = slave >= 0 && !p->hung && terminal_is_stopped(l->dup, slave)
                  ? refuse_stopped(l)
                  : 0;
        fd_close(slave);
        return ret;
    }
    bytes = malloc(2 * IMAGE_PTY_QUEUE);
    ret = bytes ? take(l, p, slave, bytes) : -ENOMEM;
    if (ret == 0)
        ret = keep(l, bytes, p->output + p->input);
    fd_close(slave);
    free(bytes);
    return ret;
}
