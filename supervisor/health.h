/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * health.h - what the poller reads, folded into verdicts and loads. */
#ifndef BSC_HEALTH_H
#define BSC_HEALTH_H

#include "lib/conf.h"
#include "lib/jv.h"
#include "supervisor/core/verdict.h"

#define HEALTH_TEXT 256

struct health_view { /* of a node or a service */
    struct verdict verdict;
    int load_permille;        /* -1: unknown */
    unsigned node;            /* of a service: where this was read */
    char reason[HEALTH_TEXT]; /* what is not ok; "" if all is */
};

struct health_fold {
    struct health_view nodes[PEER_MAX_NODE + 1];
    struct health_view services[CONF_MAX_SERVICES];
};

void health_init(struct health_fold *f);

/* health_take - one line of the poller about node @id.  @active: bit i: service i is
 * active there, so that this reading of it counts. */
void health_take(struct health_fold *f, const struct conf *conf, unsigned id,
    const struct jv *reading, uint64_t active);

#endif
