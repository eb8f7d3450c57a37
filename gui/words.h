/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.h - values and states in the operator's language. */
#ifndef BSC_GUI_WORDS_H
#define BSC_GUI_WORDS_H

#include "gui/core/takeovers.h"

#include <glib.h>
#include <glib/gi18n.h>

/* One character that tells classes apart without colour. */
const char *words_sign(enum view_class class);
/* The class as a word: "good", "attention"... for screen readers. */
const char *words_class(enum view_class class);

const char *words_service(int64_t state);
const char *words_node(int64_t state);
const char *words_health(int64_t health);
const char *words_standby(int64_t state);
const char *words_severity(int64_t severity);
const char *words_policy(int64_t policy);
const char *words_order(int64_t kind);
const char *words_progress(int64_t state);
const char *words_tcp(int64_t state);
const char *words_truth(int64_t value);
const char *words_drain(int64_t state);

/* Fencing and the quorum device of @v, with their signs where they are to be noticed.
 */
char *words_fencing(const struct view *v);
char *words_device(const struct view *v);

/* The overall state of @v in one sentence.  Owned by the caller, like all below. */
char *words_overall(const struct view *v);

/* Numbers with their units; "not known" for NOT_KNOWN. */
char *words_count(int64_t n);
char *words_ms(int64_t ms);
char *words_us(int64_t us);
char *words_phase(const struct takeover *o, unsigned i); /* how long phase @i took */
char *words_bytes(int64_t bytes);
char *words_kib(int64_t kib);
char *words_mib(int64_t mib);
char *words_time(int64_t ms_since_1970);  /* local, to the millisecond */
char *words_clock(int64_t ms_since_1970); /* time of day only */
char *words_lag(int64_t checkpoints);

/* A node in one line, for the picture's accessible text. */
char *words_node_line(const struct view *v, unsigned node);
char *words_service_line(const struct view *v, unsigned service);
char *words_standby_line(const struct view *v, unsigned standby);

/* words_said - what a supervisor says in words, if it is one of the known sentences, in
 * the operator's language; else as it is. */
const char *words_said(const char *text);

/* words_report - what an SNMPv3 engine says instead of an answer: a usmStats counter,
 * 1..6; untranslated. */
const char *words_report(uint32_t usm_stat);

#endif
