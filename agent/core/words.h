/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.h - the enumerations of BASCULE-TC-MIB and the words of the control protocol
 * that they stand for.  Pure. */
#ifndef BSC_AGENT_WORDS_H
#define BSC_AGENT_WORDS_H

#include <stdint.h>

enum health { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_DEGRADED, HEALTH_FAILED };
enum liveness { LIVE_UNKNOWN, LIVE_ANSWERING, LIVE_SILENT, LIVE_ABSENT };
enum link_state { LINK_UNKNOWN, LINK_UP, LINK_DOWN, LINK_MISSING };
enum constraint {
    CONSTRAINT_PREFERRED = 1,
    CONSTRAINT_NEVER,
    CONSTRAINT_TOGETHER,
    CONSTRAINT_APART
};
enum order_type {
    ORDER_NONE,
    ORDER_SWITCHOVER,
    ORDER_DRAIN,
    ORDER_RESUME,
    ORDER_MAINTENANCE,
    ORDER_POLICY,
    ORDER_CHECKPOINT,
    ORDER_INTERVAL,
    ORDER_CLEAR,
    ORDER_ACKNOWLEDGE,
    ORDER_FREEZE,
    ORDER_N
};
enum role { ROLE_UNKNOWN, ROLE_NONE, ROLE_STANDBY, ROLE_ACTIVE };
enum order_outcome {
    OUTCOME_NONE,
    OUTCOME_PENDING,
    OUTCOME_ACCEPTED,
    OUTCOME_REFUSED,
    OUTCOME_UNANSWERED
};

struct words {
    const char *const *word; /* by value; NULL where the protocol has no word */
    int32_t n;
};

extern const struct words words_health, words_policy, words_role, words_engine,
    words_service, words_node, words_standby, words_severity, words_order,
    words_progress, words_drain, words_fenced;

/* word_value - the number of @text; 0 (unknown) for NULL and for words not in @w. */
int64_t word_value(const struct words *w, const char *text);

/* word_text - the word of @value; "unknown" if it has none. */
const char *word_text(const struct words *w, int64_t value);

#endif
