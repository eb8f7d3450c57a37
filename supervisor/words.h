/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.h - what the cores say in numbers, in words for people. */
#ifndef BSC_WORDS_H
#define BSC_WORDS_H

#include "lib/conf.h"
#include "supervisor/core/member.h"

#define WORDS_LEN 512
#define VALUE_LEN 32

/* words_journal - the text of a DO_JOURNAL effect.  Its severity: info, warn, error. */
const char *words_journal(
    const struct conf *conf, const struct effect *e, char text[WORDS_LEN]);

/* words_order - why an order was refused, came to nothing or how it went. */
void words_order(const struct conf *conf, const struct effect *e, char text[WORDS_LEN]);

/* words_forecast - where the service would move if it were ordered to, and why there,
 * or why not at all.  The node's name, or NULL. */
const char *words_forecast(const struct conf *conf, const struct service *s,
    const struct cluster *c, const char **why);

/* words_split - "owner\tfrom" of an order, each into PEER_TEXT bytes; empty if it is
 * none. */
void words_split(const char *text, char *owner, char *from);

/* words_why - "planner\treason" of an order of the planner.  @detail: what is not well
 * there, if that is the reason; may be empty. */
void words_why(const struct conf *conf, const struct member *m,
    const struct peermsg *msg, const char *detail, char text[PEER_TEXT]);

/* words_value - "on", "off", a policy, a number of ms or "". */
void words_value(enum order_what what, uint32_t value, char text[VALUE_LEN]);

/* words_set - "n2, n3" or "nobody". */
void words_set(const struct conf *conf, uint64_t set, char text[WORDS_LEN]);

const char *words_node(const struct conf *conf, unsigned id); /* "?" if unknown */

#endif
