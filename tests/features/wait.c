/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void
nap(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

bool
grows(atomic_long *v, long from)
{
    for (int i = 0; i < 1000 && *v <= from; i++)
        nap(5);
    return *v > from;
}

bool
start_thread(void *(*run)(void *), void *arg)
{
    pthread_t t;

    return pthread_create(&t, NULL, run, arg) == 0 && pthread_detach(t) == 0;
}

unsigned
count_open(void)
{
    char path[32], link[32];
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++) {
        ssize_t size;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        size = readlink(path, link, sizeof link);
        n += (size > 5 && memcmp(link, "pipe:", 5) == 0) ||
             (size > 7 && memcmp(link, "socket:", 7) == 0);
    }
    return n;
}
