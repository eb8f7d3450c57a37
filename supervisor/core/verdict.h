/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * verdict.h - from readings to one verdict of a node or a service, with hysteresis.
 *
 * Each reading adds to a score: nothing if it is ok or unknown, a part of its weight if
 * it is a warning, all of it if it is critical.  Thresholds turn the score into a
 * verdict; it changes only when several readings in a row say so, and for the better
 * only when the score is clearly below the threshold.  Pure.  Design:
 * doc/design/placement.md. */
#ifndef BSC_VERDICT_H
#define BSC_VERDICT_H

#include "supervisor/core/peermsg.h"

enum reading_state { READING_OK, READING_WARNING, READING_CRITICAL, READING_UNKNOWN };

struct verdict_conf {
    unsigned degraded, failed; /* scores from which it is that */
    unsigned margin;           /* below the threshold by so much to be better again */
    unsigned fall, rise;       /* readings in a row to be worse, better; >= 1 */
};

struct verdict {
    enum health health;  /* HEALTH_UNKNOWN at first */
    unsigned score;      /* of the last reading */
    enum health leaning; /* what the last readings say */
    unsigned streak;     /* ... how many of them */
    bool begun;          /* there was one */
};

/* verdict_score - what one reading of @weight adds. */
unsigned verdict_score(enum reading_state state, unsigned weight);

/* verdict_take - a round of readings: their sum, or nothing is @known. */
void verdict_take(
    struct verdict *v, const struct verdict_conf *conf, bool known, unsigned score);

#endif
