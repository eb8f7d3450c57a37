/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch.h - whether a driver or a probe works, and what its readings amount to.
 *
 * Readings are taken elsewhere and may hang there; here only times come in.  A verdict
 * changes when so many readings in a row say so: more to get better than to get worse.
 * Pure. */
#ifndef BSC_AGENT_WATCH_H
#define BSC_AGENT_WATCH_H

#include "agent/core/words.h"
#include "lib/core/mono.h"

#include <stdbool.h>

enum watch_state {
    WATCH_UNKNOWN,
    WATCH_OK,
    WATCH_STALE,
    WATCH_HUNG,
    WATCH_FAILED,
    WATCH_OFF
};
enum watch_result { WATCH_READ, WATCH_ERROR, WATCH_NOTHING }; /* of one reading */

struct watch_conf {
    int64_t period_ms, timeout_ms;
    unsigned worse, better; /* readings in a row for a verdict to change; >= 1 */
};

struct watch {               /* all zero: nothing was read yet, and it is due */
    bool running, any, late; /* late: the running one was counted as a time-out */
    enum watch_state last;   /* how the last reading ended */
    struct mono began, ended;
    int64_t duration_us;
    enum health health, next; /* shown; what the last readings say instead */
    unsigned nnext;           /* how many of them */
    uint32_t runs, failures, timeouts;
};

/* watch_due - the time of the next reading; .us INT64_MAX while one runs. */
struct mono watch_due(const struct watch *w, const struct watch_conf *c);

void watch_begin(struct watch *w, struct mono now);

/* watch_end - the reading ended; @health counts if it is WATCH_READ.  True: the verdict
 * that is shown changed. */
bool watch_end(struct watch *w, const struct watch_conf *c, struct mono now,
    enum watch_result result, enum health health);

/* watch_limit - when the one that runs must have ended; .us INT64_MAX: none runs, or
 * it is over already. */
struct mono watch_limit(const struct watch *w, const struct watch_conf *c);

/* watch_look - its state at @now; counts a time-out once. */
enum watch_state watch_look(
    struct watch *w, const struct watch_conf *c, struct mono now);

#endif
