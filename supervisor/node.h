/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * node.h - this node's supervisor: events into the core, its effects out.
 *
 * node_act() in node_acts.c is the one place where effects become acts. */
#ifndef BSC_NODE_H
#define BSC_NODE_H

#include "lib/conf.h"
#include "lib/loop.h"
#include "supervisor/builds.h"
#include "supervisor/core/member.h"
#include "supervisor/engine.h"
#include "supervisor/health.h"
#include "supervisor/journal.h"
#include "supervisor/poller.h"

#define NODE_ORDERS 64 /* that are remembered */

struct node_order {
    uint64_t order;       /* 0: free */
    unsigned service, to; /* index or NO_SERVICE; node or 0 */
    enum order_what what;
    enum order_why why;
    uint32_t value;
    enum switchover_step step;
    int64_t started_ms, finished_ms; /* wall clock; 0: not yet */
    char owner[PEER_TEXT], from[PEER_TEXT];
    char text[512];
};

struct node_options {
    const char *conf_path, *state_dir, *run_dir, *poller;
};

struct node; /* one a process */

/* node_new - everything connected or trying to.  @conf and @options are borrowed.
 * NULL: logged why. */
struct node *node_new(struct loop *loop, const struct conf *conf,
    const struct conf_node *self, const struct node_options *options);
void node_free(struct node *node); /* NULL is legal */

/* For status.c and control.c. */
const struct member *node_core(const struct node *node);
const struct conf *node_conf(const struct node *node);
const struct conf_node *node_self(const struct node *node);
const struct engine *node_engine(const struct node *node);
const struct health_fold *node_health(const struct node *node);
const struct builds *node_builds(const struct node *node);
const struct poller *node_poller(const struct node *node); /* may be NULL */
struct journal *node_journal(struct node *node);
const struct node_order *node_orders(const struct node *node); /* NODE_ORDERS */

struct node_ask { /* an order as a client gives it */
    enum order_what what;
    unsigned service, node; /* index or NO_SERVICE; number or 0 */
    uint32_t value;
    const char *owner, *from;
};

/* node_ask - give the order; the answer comes by control_answer(@token), perhaps
 * before this returns. */
void node_ask(struct node *node, const struct node_ask *ask, uint64_t token);

/* node_ack - row @serial of this node's journal has been seen.  0 or -errno, as
 * journal_ack(). */
int node_ack(struct node *node, int64_t serial, const char *owner, const char *from);

/* node_refused - a row of the journal: an order of @owner came to nothing at once.
 * @service: its name in the configuration, or NULL. */
void node_refused(
    struct node *node, const char *service, const char *owner, const char *why);

#endif
