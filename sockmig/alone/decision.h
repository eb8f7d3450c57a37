/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * decision.h - whether the processes of a move run here: decided once, by a file that
 * who comes first makes.  So a receiver that was cut off, and one that is asked about
 * it later, cannot say different things, whatever was killed meanwhile.  The files are
 * in a folder that a reboot empties: then they do not run here. */
#ifndef BSC_DECISION_H
#define BSC_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#define DECISION_VERSION 1u
#define DECISION_FOLDER "/run/sockmig"

/* decision_make - about move @id (16 bytes): @runs, unless it is decided already.
 * 1: they run here, 0: they do not; -errno: it could not be decided. */
int decision_make(const uint8_t *id, bool runs);

/* decision_revoke - by who decided that they run, and failed: they do not. */
void decision_revoke(const uint8_t *id);

#endif
