/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pace.h - when the next checkpoint is due.
 *
 * On demand (output waits, or somebody asked): no sooner than the spacing after the
 * start of the last one.  Otherwise at the latest one interval after it.  And always:
 * the service runs at least as long as it was stopped, or many connections with a
 * short spacing would leave it no time to work (measured: a tenth of the throughput).
 *
 * Pure.  Design: doc/design/checkpoint.md. */
#ifndef BSC_PACE_H
#define BSC_PACE_H

#include "lib/core/mono.h"

struct pace {
    int64_t interval_us, spacing_us;
    struct mono started, ended; /* of the last checkpoint; 0: none yet */
};

/* pace_due - earliest time for the next one; @wanted: output waits for it. */
struct mono pace_due(const struct pace *p, bool wanted);

#endif
