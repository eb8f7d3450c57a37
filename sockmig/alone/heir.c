/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/heir.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its first word says that it is there: who is killed from then on has an heir. */
static int
wait_for_end(int life)
{
    char word = 0;
    ssize_t n;

    setsid(); /* what ends the original's terminal or group does not end it */
    if (write(life, &word, 1) != 1)
        _exit(0);
    do
        n = read(life, &word, 1);
    while (n < 0 && errno == EINTR);
    fd_close(life);
    if (n == 1)
        _exit(0);
    return 1;
}

int
heir_make(struct heir *h)
{
    int ends[2] = { -1, -1 }, ret;
    char word;

    *h = (struct heir){ .life = -1 };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    h->pid = fork();
    if (h->pid == 0) {
        fd_close(ends[0]);
        return wait_for_end(ends[1]);
    }
    ret = h->pid < 0 ? -errno : 0;
    fd_close(ends[1]);
    h->life = ends[0];
    if (ret == 0)
        ret = fd_read_all(h->life, &word, 1);
    if (ret < 0)
        heir_free(h);
    return ret;
}

void
heir_dismiss(struct heir *h)
{
    if (h->life < 0)
        return;
    send(h->life, "", 1, MSG_NOSIGNAL);
    fd_close(h->life);
    h->life = -1;
}

void
heir_free(struct heir *h)
{
    heir_dismiss(h);
    if (h->pid > 0)
        waitpid(h->pid, NULL, 0);
    *h = (struct heir){ .life = -1 };
}
