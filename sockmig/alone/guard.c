/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/guard.h"

#include "lib/fd.h"
#include "sockmig/ckpt/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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
    if (page->moves)
        forget(page, netns);
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
watch(struct guard_page *page, int life, int netns)
{
    char word = 0;
    ssize_t n;

    do
        n = read(life, &word, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1 && page->final)
        finish(page, netns);
    else if (n != 1) /* it did not end well */
        undo(page, netns);
}

int
guard_start(struct guard *g, int netns, int folder, const char *temporary)
{
    int ends[2] = { -1, -1 };
    void *page = mmap(NULL, sizeof *g->page, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    *g = (struct guard){ .page = page == MAP_FAILED ? NULL : page, .life = -1 };
    if (!g->page || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    g->page->note.fd = -1;
    g->pid = fork();
    if (g->pid == 0) {
        setsid(); /* what ends sockmig's terminal or group does not end it */
        close(ends[1]);
        watch(g->page, ends[0], netns);
        unlinkat(folder, temporary, 0); /* is under its name, or not whole */
        _exit(0);
    }
    fd_close(ends[0]);
    if (g->pid < 0) {
        fd_close(ends[1]);
        return -errno;
    }
    g->life = ends[1];
    repair_note = &g->page->note;
    return 0;
}

void
guard_end(struct guard *g)
{
    repair_note = NULL;
    if (g->life >= 0) {
        fd_write_all(g->life, "", 1);
        fd_close(g->life);
        waitpid(g->pid, NULL, 0);
    }
    if (g->page)
        munmap(g->page, sizeof *g->page);
    *g = (struct guard){ .life = -1 };
}
