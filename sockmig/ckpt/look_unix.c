/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_unix.c - unix sockets: both ends must be in the process, or gone.
 *
 * Which socket the other end is, and who waits to be accepted, only the kernel's socket
 * diagnosis tells.  Source: net/unix/{diag,af_unix}.c. */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"
#include "sockmig/ckpt/options.h"
#include "sockmig/ckpt/repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)
#endif
#define MAX_WAITING 256
#define STATE_ESTABLISHED 1
#define STATE_LISTEN 10

struct answer {
    uint32_t state, peer, shutdown, nwaiting, backlog;
    uint32_t waiting[MAX_WAITING]; /* inodes of the clients */
};

static void
take_attribute(struct answer *to, const struct nlattr *a)
{
    const uint8_t *data = (const uint8_t *)a + NLA_HDRLEN;
    uint32_t size = a->nla_len - NLA_HDRLEN;
    struct unix_diag_rqlen queue;

    if (a->nla_type == UNIX_DIAG_PEER && size >= 4)
        memcpy(&to->peer, data, 4);
    if (a->nla_type == UNIX_DIAG_SHUTDOWN && size >= 1)
        to->shutdown = data[0];
    if (a->nla_type == UNIX_DIAG_RQLEN && size >= sizeof queue) {
        memcpy(&queue, data, sizeof queue);
        to->backlog = queue.udiag_wqueue;
    }
    if (a->nla_type == UNIX_DIAG_ICONS) {
        to->nwaiting = size / 4 < MAX_WAITING ? size / 4 : MAX_WAITING;
        memcpy(to->waiting, data, 4 * (size_t)to->nwaiting);
    }
}

static int
ask(struct look *l, struct answer *to)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } r = { .head = { .nlmsg_len = sizeof r,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST },
        .body = { .sdiag_family = AF_UNIX,
            .udiag_states = ~0u,
            .udiag_ino = (uint32_t)l->st.st_ino,
            .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN,
            .udiag_cookie = { ~0u, ~0u } } };
    static _Thread_local uint8_t text[8192] __attribute__((aligned(8)));
    const struct nlmsghdr *m = (const struct nlmsghdr *)text;
    const struct unix_diag_msg *found = NLMSG_DATA(m);
    ssize_t n;

    memset(to, 0, sizeof *to);
    if (l->d->diag < 0)
        return -EOPNOTSUPP;
    if (send(l->d->diag, &r, sizeof r, 0) != sizeof r)
        return -errno;
    n = recv(l->d->diag, text, sizeof text, 0);
    if (n < (ssize_t)NLMSG_SPACE(sizeof *found) || m->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return -EOPNOTSUPP;
    to->state = found->udiag_state;
    for (size_t at = NLMSG_SPACE(sizeof *found); at + NLA_HDRLEN <= (size_t)n;) {
        const struct nlattr *a = (const struct nlattr *)(text + at);

        if (a->nla_len < NLA_HDRLEN || at + a->nla_len > (size_t)n)
            break;
        take_attribute(to, a);
        at += NLA_ALIGN(a->nla_len);
    }
    return 0;
}

/* The file of its name: the name may be relative, the file removed or renamed. */
static void
look_at_file_of(struct look *l, struct image_unix *u)
{
    char link[32], path[IMAGE_PATH];
    struct stat st;
    ssize_t n = -1;
    int fd = -1;

    memset(u->path, 0, sizeof u->path);
    u->mode = u->uid = u->gid = 0;
    if (u->local_len > sizeof(sa_family_t) && u->local[sizeof(sa_family_t)] != '\0')
        fd = ioctl(l->dup, SIOCUNIXFILE);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
        n = readlink(link, path, sizeof path);
    if (n > 0 && n < (ssize_t)sizeof path) {
        memcpy(u->path, path, (size_t)n);
        u->mode = st.st_mode & 07777;
        u->uid = st.st_uid;
        u->gid = st.st_gid;
    }
    fd_close(fd);
}

static void
look_at_names(struct look *l, struct image_unix *u)
{
    socklen_t local = sizeof u->local, remote = sizeof u->remote;

    memset(u->local, 0, sizeof u->local);
    memset(u->remote, 0, sizeof u->remote);
    u->local_len = u->remote_len = 0;
    if (getsockname(l->dup, (struct sockaddr *)u->local, &local) == 0 &&
        local > sizeof(sa_family_t))
        u->local_len = local < sizeof u->local ? local : sizeof u->local;
    if (getpeername(l->dup, (struct sockaddr *)u->remote, &remote) == 0 &&
        remote > sizeof(sa_family_t))
        u->remote_len = remote < sizeof u->remote ? remote : sizeof u->remote;
    if (u->local_len == 0)
        memset(u->local, 0, sizeof u->local);
    if (u->remote_len == 0)
        memset(u->remote, 0, sizeof u->remote);
    u->sndbuf = repair_get(l->dup, SOL_SOCKET, SO_SNDBUF);
    u->rcvbuf = repair_get(l->dup, SOL_SOCKET, SO_RCVBUF);
    u->buf_lock = repair_get(l->dup, SOL_SOCKET, SO_BUF_LOCK);
    options_read(l->dup, AF_UNIX, &u->options);
    look_at_file_of(l, u);
}

static uint32_t
state_of(const struct answer *a, uint32_t type)
{
    if (a->state == STATE_LISTEN)
        return IMAGE_UNIX_LISTENS;
    if (type == SOCK_DGRAM)
        return a->peer || a->state == STATE_ESTABLISHED ? IMAGE_UNIX_CONNECTED
                                                        : IMAGE_UNIX_NONE;
    return a->state == STATE_ESTABLISHED ? IMAGE_UNIX_CONNECTED : IMAGE_UNIX_NONE;
}

/* Who waits at a listener is known by its inode; the client itself does not say. */
static void
note_waiting(struct look *l, const struct answer *a)
{
    for (uint32_t i = 0; i < a->nwaiting && l->d->nwaiting < DESCRIPTORS_WAITING; i++)
        l->d->waiting[l->d->nwaiting++] = (struct descriptors_waiting){ a->waiting[i],
            l->st.st_ino, l->fd };
}

static int
refuse_option(struct look *l)
{
    const char *what = options_refused(l->dup, AF_UNIX);

    if (!what && repair_get(l->dup, SOL_SOCKET, SO_PEEK_OFF) >= 0)
        what = "unix socket that peeks (SO_PEEK_OFF)";
    if (!what)
        return 0;
    return look_refuse(l, "disable the feature that uses it in the service", what);
}

int
look_at_unix(struct look *l)
{
    struct descriptor *m = l->memo;
    struct answer a;
    int unsent = 0, ret = ask(l, &a);

    if (ret < 0)
        return look_refuse(l, "use a kernel with CONFIG_UNIX_DIAG",
            "unix socket that cannot be looked at");
    if (!m->un && !(m->un = calloc(1, sizeof *m->un)))
        return -ENOMEM;
    if (l->im->nunixes == IMAGE_MAX_UNIX)
        return look_refuse(
            l, "lower its number of unix sockets", "more than 2048 unix sockets");
    l->out->kind = IMAGE_FD_UNIX;
    if (l->full || m->un->state != state_of(&a, (uint32_t)m->socket_type)) {
        ret = refuse_option(l);
        look_at_names(l, m->un);
    }
    m->un->fd = l->fd;
    m->un->type = (uint32_t)m->socket_type;
    m->un->state = state_of(&a, m->un->type);
    m->un->peer = m->un->state == IMAGE_UNIX_CONNECTED ? a.peer : 0;
    m->un->shutdown = a.shutdown;
    m->un->backlog = m->un->state == IMAGE_UNIX_LISTENS ? (int32_t)a.backlog : 0;
    m->un->queued = 0;
    note_waiting(l, &a);
    ioctl(l->dup, SIOCOUTQ, &unsent);
    m->unsent = m->un->state == IMAGE_UNIX_CONNECTED && a.peer == 0 && unsent > 0;
    return ret < 0 || m->un->state == IMAGE_UNIX_LISTENS ? ret : unix_content(l, m->un);
}

static const struct image_fd *
find_inode(const struct descriptors *d, const struct image *im, uint64_t inode)
{
    int32_t i = places_find(d, inode, IMAGE_FD_UNIX);

    return i < 0 ? NULL : &im->fds[i];
}

static struct image_unix *
find_unix(struct image *im, int fd)
{
    return (struct image_unix *)image_unix_find(im, fd);
}

static int
refuse_unix(struct descriptors *d, int fd, struct refusals *why, const char *cure,
    const char *what, const uint8_t *name, uint32_t name_len)
{
    const struct sockaddr_un *sa = (const struct sockaddr_un *)name;
    int n = name_len > sizeof(sa_family_t) ? (int)(name_len - sizeof(sa_family_t)) : 0;
    bool abstract = n > 0 && sa->sun_path[0] == '\0';

    refuse(why, d->cell_pid, fd, cure, "%s: %s%.*s", what,
        n == 0     ? "without a name"
        : abstract ? "@"
                   : "",
        abstract ? n - 1 : n, sa->sun_path + abstract);
    return -EOPNOTSUPP;
}

/* The system's log is the host's, and each host has one. */
static bool
is_system_log(const struct image_unix *u)
{
    static const char *const names[] = { "/dev/log", "/run/systemd/journal/dev-log",
        "/run/systemd/journal/socket", "/run/systemd/journal/syslog" };
    const struct sockaddr_un *sa = (const struct sockaddr_un *)u->remote;

    for (size_t i = 0; u->type == SOCK_DGRAM && i < sizeof names / sizeof names[0]; i++)
        if (u->remote_len > sizeof(sa_family_t) &&
            strncmp(sa->sun_path, names[i], sizeof sa->sun_path) == 0)
            return true;
    return false;
}

static int
check_waiting(struct descriptors *d, struct image *im, struct refusals *why)
{
    int ret = 0;

    for (uint32_t i = 0; i < d->nwaiting; i++) {
        const struct descriptors_waiting *w = &d->waiting[i];
        const struct image_fd *client = find_inode(d, im, w->client);
        struct image_unix *u = client ? find_unix(im, client->fd) : NULL;

        if (!u) {
            ret = refuse_unix(d, w->fd, why, "close the other program's connection",
                "unix connection of another process waits to be accepted", NULL, 0);
        } else if (d->known[u->fd].unsent) {
            ret = refuse_unix(d, u->fd, why, "wait until the service has accepted it",
                "unix connection that waits to be accepted has data", u->remote,
                u->remote_len);
        } else {
            u->state = IMAGE_UNIX_WAITS;
            u->peer = w->listener;
        }
    }
    return ret;
}

/* Has one of those that are taken together the socket @inode? */
static bool
is_of_kin(const struct descriptors *d, uint64_t inode)
{
    const struct trace_kin *kin = d->trace->kin;
    char path[64], want[32], link[32];
    bool found = false;

    snprintf(want, sizeof want, "socket:[%llu]", (unsigned long long)inode);
    for (unsigned i = 0; kin && i < kin->n && !found; i++) {
        struct dirent *e;
        DIR *dir;

        snprintf(path, sizeof path, "/proc/%d/fd", (int)kin->pids[i]);
        dir = opendir(path);
        while (dir && !found && (e = readdir(dir)) != NULL) {
            ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);

            link[n > 0 ? n : 0] = '\0';
            found = !strcmp(link, want);
        }
        if (dir)
            closedir(dir);
    }
    return found;
}

int
unix_check(struct descriptors *d, struct image *im, struct refusals *why)
{
    int ret = check_waiting(d, im, why);

    for (uint32_t i = 0; i < im->nunixes; i++) {
        struct image_unix *u = &im->unixes[i];

        if (u->peer == 0 || find_inode(d, im, u->peer) || is_of_kin(d, u->peer))
            continue;
        if (is_system_log(u)) {
            u->state = IMAGE_UNIX_OUTSIDE;
            u->peer = 0;
            continue;
        }
        ret = refuse_unix(d, u->fd, why,
            "configure the service without this unix socket (TCP, if it has it)",
            "unix socket connected to another process", u->remote, u->remote_len);
    }
    return ret;
}
