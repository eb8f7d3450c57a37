/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/unfinished.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/alone/decision.h"
#include "sockmig/alone/silence.h"
#include "sockmig/alone/vip.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END ".move"

struct record {
    struct channel_order order;
    char group[FREEZER_PATH];
};

int
unfinished_begin(struct unfinished *u, const struct channel_order *order,
    const struct freezer *freezer)
{
    struct record r = { .order = *order };
    char path[DECISION_PATH];
    int ret = 0;

    memcpy(u->id, order->id, sizeof u->id);
    snprintf(r.group, sizeof r.group, "%s", freezer->path);
    decision_path(u->id, END, path);
    if (mkdir(DECISION_FOLDER, 0700) < 0 && errno != EEXIST)
        return -errno;
    u->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (u->fd < 0 || flock(u->fd, LOCK_EX) < 0)
        return -errno;
    ret = fd_write_all(u->fd, &r, sizeof r);
    if (ret < 0)
        unfinished_end(u);
    return ret;
}

void
unfinished_end(struct unfinished *u)
{
    char path[DECISION_PATH];

    if (u->fd < 0)
        return;
    decision_path(u->id, END, path);
    unlink(path);
    fd_close(u->fd);
    u->fd = -1;
}

/* What it had to send is gone with who had it: better no connection than one with a
 * gap.  In repair mode it ends without a word. */
static void
abort_connection(int sock)
{
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    socklen_t n = sizeof(int);
    int on = 0, off = 0;

    if (getsockopt(sock, IPPROTO_TCP, TCP_REPAIR, &on, &n) < 0 || !on)
        return;
    connect(sock, &none, sizeof none);
    setsockopt(sock, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
}

static void
abort_connections(pid_t pid, void *unused)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct dirent *e;
    char path[64];
    DIR *dir;

    (void)unused;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    while (pidfd >= 0 && dir && (e = readdir(dir)) != NULL) {
        int sock = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);

        if (e->d_name[0] != '.' && sock >= 0)
            abort_connection(sock);
        fd_close(sock);
    }
    if (dir)
        closedir(dir);
    fd_close(pidfd);
}

/* They are told of here, or taken away. */
static void
settle_addresses(const struct channel_order *o, bool runs)
{
    for (unsigned i = 0; i < o->naddresses && i < CHANNEL_ADDRESSES; i++) {
        struct vip v = { .family = (int)o->addresses[i].family };
        char ignored[VIP_ERROR];

        memcpy(v.bytes, o->addresses[i].bytes, sizeof v.bytes);
        if (vip_find(&v, ignored) < 0)
            continue;
        if (runs)
            vip_announce(&v);
        else
            vip_remove(&v);
    }
}

static void
finish(const struct record *r)
{
    struct freezer f;
    int runs = decision_make(r->order.id, false);
    bool held = freezer_open(&f, r->order.id, r->group) == 0;

    if (runs < 0)
        return;
    if (runs == 1 && held)
        freezer_each(&f, abort_connections, NULL);
    if (runs == 0 && held)
        freezer_kill(&f);
    if (r->order.silence[0])
        silence_clear(r->order.silence);
    settle_addresses(&r->order, runs == 1);
    if (runs == 0) {
        decision_forget(r->order.id);
    } else if (held) {
        freezer_release(&f);
        freezer_end(&f);
    }
    log_warn("a move that was cut off: its processes %s",
        runs ? "run here" : "do not run here");
    freezer_close(&f);
}

bool
unfinished_clear(const uint8_t *id)
{
    struct record r;
    char path[DECISION_PATH];
    bool free;
    int fd;

    decision_path(id, END, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return true;
    free = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (free && fd_read_all(fd, &r, sizeof r) == 0) {
        r.order.silence[sizeof r.order.silence - 1] = '\0';
        r.group[sizeof r.group - 1] = '\0';
        finish(&r);
    }
    if (free)
        unlink(path);
    fd_close(fd);
    return free;
}

static bool
id_of(const char *name, uint8_t id[16])
{
    unsigned byte;

    if (strlen(name) != 32 + strlen(END) || strcmp(name + 32, END) != 0)
        return false;
    for (unsigned i = 0; i < 16; i++) {
        if (sscanf(name + 2 * i, "%2x", &byte) != 1)
            return false;
        id[i] = (uint8_t)byte;
    }
    return true;
}

void
unfinished_clear_all(void)
{
    DIR *dir = opendir(DECISION_FOLDER);
    struct dirent *e;
    uint8_t id[16];

    while (dir && (e = readdir(dir)) != NULL)
        if (id_of(e->d_name, id))
            unfinished_clear(id);
    if (dir)
        closedir(dir);
}
