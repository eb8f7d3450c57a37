/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fill.h - rows of a snapshot from the configuration, and from the JSON objects of
 * doc/protocol.md.
 *
 * A key that is missing or has the wrong type gives an object without a value, never
 * one that is made up. */
#ifndef BSC_AGENT_FILL_H
#define BSC_AGENT_FILL_H

#include "agent/core/snapshot.h"
#include "lib/conf.h"
#include "lib/jv.h"

/* fill_configured - what must be there whoever is away: its state is unknown. */
void fill_configured(struct snapshot *s, const struct conf *conf);

/* fill_engines - sockmigd's `status`.  @before: the snapshot shown so far, by which
 * counters that started again are noticed; @now_us: the monotonic clock. */
void fill_engines(struct snapshot *s, const struct jv *status,
    const struct snapshot *before, int64_t now_us);

void fill_cluster(struct snapshot *s, const struct jv *status); /* basculed's */
void fill_events(struct snapshot *s, const struct jv *journal);
void fill_orders(struct snapshot *s, const struct jv *orders);

#endif
