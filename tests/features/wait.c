/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/wait.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

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
