/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_dead.c - TCP sockets of a clone whose connections are over. */
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/tcp_dead.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* A socket that behaves as one whose connection is gone: reads end, writes fail. */
int
wake_dead_socket(const struct image_fd *f, int family)
{
    int sock = socket(
        family, SOCK_STREAM | SOCK_CLOEXEC | net_nonblock(f), IPPROTO_TCP);

    if (sock >= 0)
        shutdown(sock, SHUT_RDWR); /* says ENOTCONN, and does it */
    return sock;
}

/* One that its process knows to be over is as good as one that never was. */
int
wake_dead(struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];
    const struct clone_queue *q = &w->c->queues[f->fd];
    const char *step = "image";
    int sock = -EBADMSG;

    if (f->u.dead.queued == 0 && f->u.dead.error == 0) {
        w->c->opened[i] = wake_dead_socket(f, f->u.dead.family);
        return w->c->opened[i] < 0 ? -errno : 0;
    }
    if (f->u.dead.queued == 0 || q->size == f->u.dead.queued)
        sock = tcp_dead_restore(f->u.dead.family, net_nonblock(f), q->bytes,
            f->u.dead.queued, f->u.dead.error, &step);
    if (sock < 0)
        refuse(w->why, w->im->process.pid, f->fd,
            "bring up the loopback where the service runs",
            "what a closed connection left unread is lost: %s: %s", step,
            strerror(-sock));
    w->c->opened[i] = sock < 0 ? wake_dead_socket(f, f->u.dead.family) : sock;
    return w->c->opened[i] < 0 ? -errno : 0;
}
