/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo_history.h - what one redis connection has been told, and may therefore expect.
 *
 * Pure: makes requests, judges replies (RESP, redis.io/docs/reference/protocol-spec).
 */
#ifndef BSC_DEMO_HISTORY_H
#define BSC_DEMO_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_KEYS 8
#define HISTORY_MAX_VALUE 60000

struct history {
    unsigned id;
    uint64_t run;                 /* tells this run's keys from an earlier one's */
    uint64_t counter;             /* acknowledged INCRs */
    uint32_t value[HISTORY_KEYS]; /* seed of the value acknowledged last; 0: none */
    enum { HISTORY_INCR, HISTORY_SET, HISTORY_GET, HISTORY_CHECK } asked;
    unsigned key;   /* of the request under way */
    uint32_t sent;  /* seed of the value that a SET carries */
    unsigned final; /* next value to read back, from 0; the counter is the last */
    bool in_final, broken;
    uint64_t wrong_bytes; /* in replies */
    uint64_t lost;        /* acknowledged writes that the final check did not find */
};

void history_init(struct history *h, unsigned id, uint64_t run);

/* history_next - the next request into @out; @random chooses it.  Its size. */
size_t history_next(struct history *h, uint64_t random, char *out, size_t size);

/* history_reply - judge the reply at the start of @data.  Its size; 0: not complete. */
size_t history_reply(struct history *h, const char *data, size_t size);

/* From now on history_next() reads back what was acknowledged, once. */
void history_final_begin(struct history *h);
bool history_final_done(const struct history *h);

/* history_value - the value that @seed stands for, into @out (HISTORY_MAX_VALUE
 * bytes).  Its size. */
size_t history_value(uint32_t seed, char *out);

#endif
