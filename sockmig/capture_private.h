/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture_private.h - what capture.c (packets that wait), capture_read.c
 * (packets that come) and capture_open.c (made once) share. */
#ifndef BSC_CAPTURE_PRIVATE_H
#define BSC_CAPTURE_PRIVATE_H

#include "sockmig/engine.h"

#define CAPTURE_FLOWS 65536 /* connections known at a time */

bool capture_logs(const struct engine *e); /* there is a standby to do it for */
bool capture_append(
    struct engine *e, const uint8_t *record, size_t size, uint64_t *lsn);

/* capture_is_complete - as many packets wait to be let out as can be expected. */
bool capture_is_complete(const struct engine *e);

/* capture_hands_over - nothing leaves; the log has what comes in, for the successor. */
bool capture_hands_over(const struct engine *e);

/* capture_forget_drops - what this thread did until now found no room: not a delivery.
 * capture_overrun - @batch was delivered: what of it found no room is cancelled. */
void capture_forget_drops(struct engine *e);
void capture_overrun(struct engine *e, const struct held_batch *batch);

/* capture_pass - what may go, both ways; a checkpoint is asked for the others. */
void capture_pass(struct engine *e);

void capture_read_in(struct engine *e); /* all that is in the ingress queue */

/* capture_settled - more of the log is stable: what waited for it goes, and who came
 * while a round of it was under way is read. */
void capture_settled(struct engine *e);

void capture_hear(struct engine *e); /* ends capture_deafen() */

/* The loop's callbacks: a queue has packets, a rest is over. */
void capture_on_in(struct loop_io *io, int fd, int events, void *engine);
void capture_on_out(struct loop_io *io, int fd, int events, void *engine);
void capture_on_rested(void *engine);

#endif
