/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_engine.h - shared by sim_engine.c (checkpoints, orders) and sim_beats.c (beats,
 * the lease). */
#ifndef BSC_SIM_ENGINE_H
#define BSC_SIM_ENGINE_H

#include "tests/sim/sim.h"

int64_t engine_delay(struct sim *s); /* of a message between two nodes */

/* engine_later - @what comes to @node in @us, if its engine and epoch are still these.
 */
void engine_later(struct sim *s, unsigned node, enum sim_what what, int64_t us);
void engine_open_gates(
    struct sim *s, unsigned node);                 /* for the first time in an epoch */
void engine_release(struct sim *s, unsigned node); /* what is stable may be seen */

void engine_beat(struct sim *s, const struct sim_event *ev);    /* SIM_BEAT */
void engine_on_beat(struct sim *s, const struct sim_event *ev); /* SIM_BEAT_AT */
void engine_on_ack(struct sim *s, const struct sim_event *ev);  /* SIM_ACK_AT */

#endif
