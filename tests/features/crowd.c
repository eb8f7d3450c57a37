/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * crowd.c - threads that come and go at random, and wait in different ways for work. */
#include "tests/features/chance.h"
#include "tests/features/features.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 10u
#define LONGEST_S 5 /* until a piece of work is done */

enum way { BY_CONDITION, BY_SEMAPHORE, BY_POLL, BY_READ, NWAYS };

struct worker {
    pthread_t thread;
    bool there;
    enum way way;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    sem_t work;
    int counter; /* descriptor, owned */
    uint64_t given, done;
    bool last; /* piece of work, after which it ends */
    sem_t answers;
};

static struct worker workers[WORKERS];
static uint32_t state = 13;

static void
wait_for_work(struct worker *w)
{
    struct pollfd p = { w->counter, POLLIN, 0 };
    uint64_t value;

    if (w->way == BY_SEMAPHORE) {
        while (sem_wait(&w->work) < 0)
            ;
        return;
    }
    if (w->way == BY_CONDITION) {
        pthread_mutex_lock(&w->lock);
        while (w->given == w->done)
            pthread_cond_wait(&w->changed, &w->lock);
        pthread_mutex_unlock(&w->lock);
        return;
    }
    if (w->way == BY_POLL)
        chance_need(poll(&p, 1, -1) == 1);
    chance_need(read(w->counter, &value, sizeof value) == sizeof value);
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    bool last = false;

    while (!last) {
        wait_for_work(w);
        pthread_mutex_lock(&w->lock);
        w->done++;
        last = w->last;
        pthread_mutex_unlock(&w->lock);
        sem_post(&w->answers);
    }
    return NULL;
}

static void
give_work(struct worker *w, bool last)
{
    uint64_t one = 1;

    pthread_mutex_lock(&w->lock);
    w->given++;
    w->last = last;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (w->way == BY_SEMAPHORE)
        sem_post(&w->work);
    else if (w->way != BY_CONDITION)
        chance_need(write(w->counter, &one, sizeof one) == sizeof one);
}

static bool
is_done(struct worker *w)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += LONGEST_S;
    return sem_timedwait(&w->answers, &limit) == 0 && w->done == w->given;
}

static void
hire(struct worker *w)
{
    *w = (struct worker){ .there = true, .way = (enum way)chance_dice(&state, NWAYS) };
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    chance_need(sem_init(&w->work, 0, 0) == 0 && sem_init(&w->answers, 0, 0) == 0);
    w->counter = eventfd(0, EFD_CLOEXEC);
    chance_need(w->counter >= 0 && pthread_create(&w->thread, NULL, work, w) == 0);
}

static void
dismiss(struct worker *w)
{
    give_work(w, true);
    chance_need(is_done(w) && pthread_join(w->thread, NULL) == 0);
    close(w->counter);
    w->there = false;
}

static void
step(void)
{
    struct worker *w = &workers[chance_dice(&state, WORKERS)];

    if (!w->there) {
        hire(w);
    } else if (chance_dice(&state, 4) == 0) {
        dismiss(w);
    } else {
        give_work(w, false);
        chance_need(is_done(w));
    }
}

static const char *
set_up(void)
{
    for (unsigned i = 0; i < 30; i++)
        step();
    return NULL;
}

static const char *
check(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        if (!workers[i].there)
            continue;
        give_work(&workers[i], false);
        WANT(is_done(&workers[i]));
    }
    return NULL;
}

static const struct feature rows[] = {
    { "threads that come, wait for work, and go, at random", NULL, FEATURE_ALONE,
        set_up, check, step },
};

AREA(area_crowd, "A crowd of threads", rows);
