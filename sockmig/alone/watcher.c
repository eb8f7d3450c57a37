/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/watcher.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void
watch(int life, void (*undo)(void *arg), void *arg)
{
    char word = 0;
    ssize_t n;

    do
        n = read(life, &word, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1) /* it did not end well */
        undo(arg);
    _exit(0);
}

int
watcher_start(struct watcher *w, void (*undo)(void *arg), void *arg)
{
    int ends[2] = { -1, -1 };

    *w = (struct watcher){ .life = -1 };
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    w->pid = fork();
    if (w->pid == 0) {
        setsid(); /* what ends sockmig's terminal or group does not end it */
        close(ends[1]);
        watch(ends[0], undo, arg);
    }
    fd_close(ends[0]);
    if (w->pid < 0) {
        fd_close(ends[1]);
        return -errno;
    }
    w->life = ends[1];
    return 0;
}

void
watcher_end(struct watcher *w)
{
    if (w->life >= 0) {
        fd_write_all(w->life, "", 1);
        fd_close(w->life);
        waitpid(w->pid, NULL, 0);
    }
    *w = (struct watcher){ .life = -1 };
}
