/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_terminal.c - pseudo-terminals of a clone: masters first, with what the pair has,
 * then slaves.  A controlling terminal is taken by the stub while it has no other
 * descriptors. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"
#include "sockmig/ckpt/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
wake_settle_terminal(struct wake *w, uint32_t at, int master)
{
    const struct image_fd *f = &w->im->fds[at];
    const struct image_pty *p = &f->u.pty;
    const struct clone_queue *q = &w->c->queues[f->fd];
    int slave = -1, ret;

    if (p->output + p->input > 0 && q->size != p->output + p->input)
        return -EBADMSG;
    if (p->opened || p->hung) {
        slave = terminal_slave(master, O_RDWR);
        if (slave < 0)
            return slave;
    }
    ret = terminal_settle(master, slave, p, q->bytes);
    fd_close(slave);
    return ret;
}

/* Its number in the stub is 0: it has none but the engine's, which lies above. */
void
wake_control_terminal(struct batch *b, int engine, int slave, const int32_t *group)
{
    batch_add(b, "fetch the terminal", SYS_pidfd_getfd, (uint64_t)engine,
        (uint64_t)slave, 0, 0, 0, 0);
    if (group)
        batch_add(b, NULL, SYS_ioctl, 0, terminal_group(),
            batch_put(b, group, sizeof *group), 0, 0, 0);
    else
        batch_add(
            b, "controlling terminal", SYS_ioctl, 0, terminal_control(), 0, 0, 0, 0);
    batch_add(b, "close the terminal", SYS_close, 0, 0, 0, 0, 0, 0);
}

static int
control(struct wake *w, const struct image_pty *p, int master)
{
    int slave, ret;

    if (p->session != w->im->process.pid)
        return 0;
    slave = terminal_slave(master, O_RDWR);
    if (slave < 0)
        return slave;
    wake_control_terminal(&w->c->batch, w->c->parent_fd, slave, NULL);
    if (p->foreground > 0)
        wake_control_terminal(&w->c->batch, w->c->parent_fd, slave, &p->foreground);
    ret = batch_run(&w->c->batch, w->c->pid);
    fd_close(slave);
    return ret;
}

static int
make_master(struct wake *w, uint32_t at)
{
    const struct image_pty *p = &w->im->fds[at].u.pty;
    int master = terminal_open(p->index), ret;

    if (master == -EEXIST)
        refuse(w->why, w->im->process.pid, w->im->fds[at].fd,
            "end what has it, or give the service a /dev/pts of its own",
            "terminal /dev/pts/%u is in use here", p->index);
    if (master < 0)
        return master;
    w->c->opened[at] = master;
    ret = wake_settle_terminal(w, at, master);
    if (ret == 0)
        ret = control(w, p, master);
    fcntl(master, F_SETFL, (int)w->im->fds[at].flags & (O_APPEND | O_NONBLOCK));
    return ret;
}

static int
find_master(const struct wake *w, uint32_t index)
{
    for (uint32_t i = 0; i < w->im->nfds; i++)
        if (w->im->fds[i].kind == IMAGE_FD_PTY_MASTER && w->c->opened[i] >= 0 &&
            w->im->fds[i].u.pty.index == index)
            return w->c->opened[i];
    return -1;
}

int
wake_terminals(struct wake *w, const char **what)
{
    int ret = 0;

    *what = "terminal";
    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++)
        if (w->im->fds[i].kind == IMAGE_FD_PTY_MASTER && w->im->fds[i].dup_of < 0 &&
            w->c->opened[i] < 0)
            ret = make_master(w, i);
    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->kind != IMAGE_FD_PTY_SLAVE || f->dup_of >= 0 || w->c->opened[i] >= 0)
            continue;
        w->c->opened[i] = terminal_slave(
            find_master(w, f->u.pty.index), (int)f->flags & (O_ACCMODE | O_NONBLOCK));
        ret = w->c->opened[i] < 0 ? w->c->opened[i] : 0;
        if (ret == 0 && f->u.pty.exclusive)
            terminal_set_exclusive(w->c->opened[i]);
    }
    return ret;
}
