/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sample_cluster.h - three nodes, for tests of the supervisor's cores. */
#ifndef BSC_TEST_SAMPLE_CLUSTER_H
#define BSC_TEST_SAMPLE_CLUSTER_H

#include "supervisor/core/cluster.h"
#include "supervisor/core/member.h"

#define N(n) ((uint64_t)1 << (n))
#define ALL (N(1) | N(2) | N(3))

static const struct placement nothing;
static const struct wish no_wish;

static inline void
good_cluster(struct cluster *c, uint64_t members)
{
    cluster_init(c, 1, ALL);
    c->view = 1;
    c->members = c->synced = c->quorums = c->engines = members;
    c->ready = true;
}

#endif
