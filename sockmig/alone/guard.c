/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/guard.h"

#include "lib/fd.h"
#include "sockmig/ckpt/tcp.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define GONE_MS 5000

/* What they leave of connections says nothing: the rules are still there. */
static void
forget(struct guard_page *page, int netns)
{
    char error[SILENCE_ERROR];

    if (!page->silent || (netns >= 0 && setns(netns, CLONE_NEWNET) < 0))
        return;
    for (unsigned i = 0; i < page->silence.n; i++)
        tcp_purge_orphans(page->silence.ends[i].port);
    silence_off(&page->silence, error);
}

/* The other end sees the end of this side, not a reset: so it knows that nobody will
 * ask it. */
static void
take_leave(int fd)
{
    struct timeval limit = { .tv_sec = GONE_MS / 1000 };
    char ignored[4096];

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    shutdown(fd, SHUT_WR);
    while (recv(fd, ignored, sizeof ignored, 0) > 0)
        ;
}

static void
finish(struct guard_page *page, int netns)
{
    struct pollfd gone = { .events = POLLIN };

    if (page->go_size > 0) /* it was decided: the other end shall know */
        fd_write_all(page->go_fd, page->go, page->go_size);
    for (unsigned i = 0; i < page->npids; i++) {
        gone.fd = (int)syscall(SYS_pidfd_open, page->pids[i], 0);
        kill(page->pids[i], SIGKILL);
        if (gone.fd >= 0)
            poll(&gone, 1, GONE_MS);
        fd_close(gone.fd);
    }
    if (!page->moves)
        return;
    forget(page, netns);
    take_leave(page->go_fd);
}

static void
undo(struct guard_page *page, int netns)
{
    char error[SILENCE_ERROR];

    repair_leave(page->pid, &page->note);
    if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
        return;
    for (unsigned i = 0; i < page->nvips; i++)
        vip_add(&page->vips[i]);
    if (page->silent)
        silence_off(&page->silence, error);
    for (unsigned i = 0; i < page->nvips; i++)
        vip_announce(&page->vips[i]);
}

static void
clear(void *arg)
{
    struct guard_page *page = arg;

    if (page->final)
        finish(page, page->netns);
    else
        undo(page, page->netns);
    unlinkat(page->folder, page->temporary, 0); /* is under its name, or not whole */
}

int
guard_start(struct guard *g, int netns, int folder, const char *temporary)
{
    void *page = mmap(NULL, sizeof *g->page, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ret;

    *g = (struct guard){ .page = page == MAP_FAILED ? NULL : page };
    g->watcher.life = -1;
    if (!g->page)
        return -errno;
    g->page->note.fd = -1;
    g->page->netns = netns;
    g->page->folder = folder;
    snprintf(g->page->temporary, sizeof g->page->temporary, "%s", temporary);
    ret = watcher_start(&g->watcher, clear, g->page);
    if (ret == 0)
        repair_note = &g->page->note;
    return ret;
}

void
guard_end(struct guard *g)
{
    repair_note = NULL;
    watcher_end(&g->watcher);
    if (g->page)
        munmap(g->page, sizeof *g->page);
    g->page = NULL;
}
