/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * node_private.h - what node.c (events in) and node_acts.c (effects out) share. */
#ifndef BSC_NODE_PRIVATE_H
#define BSC_NODE_PRIVATE_H

#include "supervisor/control.h"
#include "supervisor/corosync.h"
#include "supervisor/device.h"
#include "supervisor/fence.h"
#include "supervisor/node.h"

struct node {
    struct loop *loop;
    const struct conf *conf;
    const struct conf_node *self;
    struct member core;
    struct effects out; /* of one step; too large for a stack */
    struct corosync *corosync;
    struct engine *engine;
    struct journal *journal;
    struct poller *poller;
    struct health_fold health;
    struct builds builds;
    struct fence *fence;
    struct device *device; /* NULL: none decides */
    struct control *control;
    struct loop_timer *tick, *join;
    struct node_order orders[NODE_ORDERS];
    unsigned norders; /* ever */
};

/* node_act - carry out what is in .out, in order. */
void node_act(struct node *node);

#endif
