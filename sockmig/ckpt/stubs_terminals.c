/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_terminals.c - pseudo-terminals of a tree.
 *
 * A process gets its controlling terminal from its parent, when it is made: so the
 * pairs are there before the processes, and a session leader takes its own before it
 * has children. */
#include "sockmig/ckpt/stubs_parts.h"

#include "lib/fd.h"
#include "sockmig/ckpt/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTABLE (O_APPEND | O_NONBLOCK)

static struct stub_terminal *
find(const struct stubs *s, uint32_t index)
{
    for (unsigned i = 0; i < s->nterminals; i++)
        if (s->terminals[i].index == index)
            return &s->terminals[i];
    return NULL;
}

static struct stub_terminal *
make(struct stubs *s, unsigned process, uint32_t index, int *ret)
{
    struct stub_terminal *grown = realloc(
        s->terminals, (s->nterminals + 1) * sizeof *grown);
    int master;

    *ret = -ENOMEM;
    if (!grown)
        return NULL;
    s->terminals = grown;
    master = terminal_open(index);
    *ret = master < 0 ? master : 0;
    if (master == -EEXIST)
        refuse(s->why, s->family->members[process].pid, -1,
            "end what has it, or restore where /dev/pts is another one (mount -t "
            "devpts)",
            "terminal /dev/pts/%u is in use here", index);
    if (master < 0)
        return NULL;
    grown[s->nterminals] = (struct stub_terminal){ .index = index, .master = master };
    return &grown[s->nterminals++];
}

/* The master of @f, made if it is not there. */
static int
master_of(struct stubs *s, unsigned process, const struct image_fd *f)
{
    struct stub_terminal *t = find(s, f->u.pty.index);
    int ret = 0;

    if (!t)
        t = make(s, process, f->u.pty.index, &ret);
    return t ? t->master : ret;
}

static bool
is_master(const struct image_fd *f)
{
    return f->kind == IMAGE_FD_PTY_MASTER && f->dup_of < 0;
}

int
stubs_terminals_new(struct stubs *s)
{
    int ret = 0;

    for (unsigned k = 0; k < s->n; k++)
        for (uint32_t i = 0; stub_image(s, k) && i < stub_image(s, k)->nfds && ret >= 0;
             i++)
            if (is_master(&stub_image(s, k)->fds[i]))
                ret = master_of(s, k, &stub_image(s, k)->fds[i]);
    return ret < 0 ? ret : 0;
}

/* The terminal that process @pid leads a session on. */
static const struct image_fd *
terminal_of(const struct family *f, int32_t pid)
{
    for (uint32_t k = 0; k < f->n; k++) {
        const struct image *im = f->images[k];

        for (uint32_t i = 0; !family_is_zombie(&f->members[k]) && i < im->nfds; i++)
            if (is_master(&im->fds[i]) && im->fds[i].u.pty.session == pid)
                return &im->fds[i];
    }
    return NULL;
}

int
stubs_terminals_control(struct stubs *s, unsigned process)
{
    const struct image_fd *f = terminal_of(s->family, s->family->members[process].pid);
    struct stub_terminal *t = f ? find(s, f->u.pty.index) : NULL;

    if (!t)
        return 0;
    t->session = f->u.pty.session;
    if (t->slave <= 0)
        t->slave = terminal_slave(t->master, O_RDWR);
    if (t->slave < 0)
        return t->slave;
    wake_control_terminal(&s->clones[process]->batch, s->number, t->slave, NULL);
    return 0;
}

bool
stubs_same_terminals(const struct stubs *s, const struct family *family)
{
    for (unsigned k = 0; k < family->n; k++) {
        const struct image_fd *f = terminal_of(family, family->members[k].pid);
        const struct stub_terminal *had = NULL;

        for (unsigned i = 0; i < s->nterminals && !had; i++)
            if (s->terminals[i].session == family->members[k].pid)
                had = &s->terminals[i];
        if ((f != NULL) != (had != NULL) || (f && f->u.pty.index != had->index))
            return false;
    }
    return true;
}

/* Who is in front is said by the session's leader, which has no descriptors yet. */
static int
set_foreground(struct stubs *s, const struct image_fd *f)
{
    const struct stub_terminal *t = find(s, f->u.pty.index);

    if (f->u.pty.session == 0)
        return 0;
    if (!t || t->session != f->u.pty.session)
        return -ESTALE; /* it became a controlling terminal after the first look */
    for (unsigned k = 0; k < s->n; k++)
        if (s->clones[k] && s->family->members[k].pid == t->session &&
            f->u.pty.foreground > 0) {
            wake_control_terminal(
                &s->clones[k]->batch, s->number, t->slave, &f->u.pty.foreground);
            return batch_run(&s->clones[k]->batch, s->clones[k]->pid);
        }
    return 0;
}

static int
open_master(struct stubs *s, unsigned k, uint32_t at)
{
    const struct image_fd *f = &stub_image(s, k)->fds[at];
    int master = master_of(s, k, f), ret;

    if (master < 0)
        return master;
    ret = wake_settle_terminal(&s->wakes[k], at, master);
    if (ret == 0)
        ret = set_foreground(s, f);
    if (ret < 0)
        return ret;
    s->clones[k]->opened[at] = fcntl(master, F_DUPFD_CLOEXEC, 0);
    fcntl(master, F_SETFL, (int)f->flags & SETTABLE);
    return s->clones[k]->opened[at] < 0 ? -errno : 0;
}

static int
open_slave(struct stubs *s, unsigned k, uint32_t at)
{
    const struct image_fd *f = &stub_image(s, k)->fds[at];
    int master = master_of(s, k, f);

    s->clones[k]->opened[at] = terminal_slave(
        master, (int)f->flags & (O_ACCMODE | SETTABLE));
    if (s->clones[k]->opened[at] < 0)
        return s->clones[k]->opened[at];
    if (f->u.pty.exclusive)
        terminal_set_exclusive(s->clones[k]->opened[at]);
    return 0;
}

int
stubs_terminals(struct stubs *s)
{
    const int32_t kinds[] = { IMAGE_FD_PTY_MASTER, IMAGE_FD_PTY_SLAVE };
    int ret = 0;

    for (unsigned side = 0; side < 2; side++)
        for (unsigned k = 0; k < s->n && ret == 0; k++) {
            ret = s->clones[k] ? stubs_borrow(s, k) : 0;
            for (uint32_t i = 0; s->clones[k] && i < stub_image(s, k)->nfds && ret == 0;
                 i++) {
                const struct image_fd *f = &stub_image(s, k)->fds[i];

                if (f->kind != kinds[side] || f->dup_of >= 0 ||
                    s->clones[k]->opened[i] >= 0)
                    continue;
                ret = side == 0 ? open_master(s, k, i) : open_slave(s, k, i);
                if (ret < 0)
                    refuse(s->why, s->family->members[k].pid, f->fd,
                        "see what this host lacks for it", "terminal /dev/pts/%u: %s",
                        f->u.pty.index, strerror(-ret));
            }
        }
    return ret;
}

/* A master that is kept here would keep a session from its end. */
void
stubs_terminals_close(struct stubs *s)
{
    for (unsigned i = 0; i < s->nterminals; i++) {
        fd_close(s->terminals[i].master);
        if (s->terminals[i].slave > 0)
            fd_close(s->terminals[i].slave);
    }
    free(s->terminals);
    s->terminals = NULL;
    s->nterminals = 0;
}
