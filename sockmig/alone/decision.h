/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * decision.h - whether the processes of a move run here: decided once, by a file that
 * who comes first makes.  So a receiver that was cut off, and one that is asked about
 * it later, cannot say different things, whatever was killed meanwhile.  The files are
 * in a folder that a reboot empties: then they do not run here.
 *
 * A file is there as long as somebody may ask or decide: one that says that they run
 * until the source has said that it knows, another one until its worker has ended. */
#ifndef BSC_DECISION_H
#define BSC_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#define DECISION_VERSION 1u
#define DECISION_FOLDER "/run/sockmig"

/* decision_make - about move @id (16 bytes): @runs, unless it is decided already.
 * 1: they run here, 0: they do not; -errno: it could not be decided. */
int decision_make(const uint8_t *id, bool runs);

/* decision_forget - that they run: both sides know it; that they do not: nobody is left
 * who could decide otherwise. */
void decision_forget(const uint8_t *id);

/* decision_path - of the file for @id, with @end. */
#define DECISION_PATH 96
void decision_path(const uint8_t *id, const char *end, char path[DECISION_PATH]);

/* decision_revoke - by who decided that they run, and failed: they do not. */
void decision_revoke(const uint8_t *id);

#endif
