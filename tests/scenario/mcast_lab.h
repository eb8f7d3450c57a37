/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_lab.h - nodes n1..n4 on a bridge, each in a network namespace of its own, with
 * one end of a multicast channel.  The namespaces have no names and go with the
 * program. */
#ifndef BSC_TEST_MCAST_LAB_H
#define BSC_TEST_MCAST_LAB_H

#include "sockmig/mcast.h"
#include "tests/scenario/netlab.h"

#define LAB_NODES 4 /* n1 is active */

enum lab_way { LAB_V4_GROUP, LAB_V4_LIST, LAB_V6_GROUP, LAB_V6_LIST, LAB_WAYS };

struct mcast_lab {
    int ns[LAB_NODES + 1]; /* 0: the switch */
    struct conf conf;
    struct seal_secret secret;
    bool no_aes; /* as if the processors had none */
};

const char *lab_way_name(enum lab_way way);

/* lab_new - exits with 77 and a reason where the host can not do it. */
void lab_new(struct mcast_lab *lab);

/* lab_way - addresses and group for the channels opened from now on. */
void lab_way(struct mcast_lab *lab, enum lab_way way);

/* lab_loss - node @node (1..) loses so much of what comes in; 0: nothing. */
void lab_loss(struct mcast_lab *lab, unsigned node, unsigned percent);

/* lab_open - the channel's end on node @node. */
struct mcast *lab_open(struct mcast_lab *lab, unsigned node, struct loop *loop,
    const struct mcast_calls *calls, void *arg, size_t ring_bytes);

#endif
