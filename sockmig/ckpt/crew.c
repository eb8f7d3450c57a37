/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define WORTH_A_THREAD 2000 /* us of work; a thread costs 50 */
#define AT_ONCE 320         /* us */
#define STACK 262144

struct crew {
    int (*each)(void *arg, uint32_t piece);
    uint32_t n, at_once;
    _Atomic uint32_t next;
    _Atomic int result;
};

struct hand {
    struct crew *crew;
    void *arg;
};

static void *
work(void *arg)
{
    const struct hand *h = arg;
    struct crew *c = h->crew;
    uint32_t from;

    while (c->result == 0 && (from = atomic_fetch_add(&c->next, c->at_once)) < c->n)
        for (uint32_t i = from; i < c->n && i < from + c->at_once; i++) {
            int ret = c->each(h->arg, i);

            if (ret < 0) {
                c->result = ret;
                break;
            }
        }
    return NULL;
}

int
crew_run(int (*each)(void *arg, uint32_t piece), void *mine, void *others, uint32_t n,
    unsigned us)
{
    struct crew c = {
        .each = each, .n = n, .at_once = us < AT_ONCE ? AT_ONCE / us : 1
    };
    struct hand own = { &c, mine }, other = { &c, others };
    pthread_t thread;
    bool two = n > c.at_once && (uint64_t)n * us >= WORTH_A_THREAD &&
               pthread_create(&thread, NULL, work, &other) == 0;

    work(&own);
    if (two)
        pthread_join(thread, NULL);
    return c.result;
}
