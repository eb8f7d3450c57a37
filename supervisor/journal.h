/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * journal.h - what happened, and what this node has promised, on disk.
 *
 * The only file that knows SQLite is journal.c.  Rows and records are collected by
 * journal_add()/journal_store() and made durable together by journal_flush(), before
 * the act they speak of (promise P6).  If the disk cannot take them the service goes
 * on: journal_error() says what is wrong until it works again, and then what was kept
 * meanwhile (some hundred rows, every record) is written.
 * Source: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous. */
#ifndef BSC_JOURNAL_H
#define BSC_JOURNAL_H

#include "lib/jv.h"
#include "supervisor/core/peermsg.h"

struct journal;

struct journal_row {
    const char *node, *service; /* NULL: none */
    uint64_t epoch;
    const char *severity; /* info, warn, error */
    const char *kind;
    const char *text;
};

#define JOURNAL_ERROR_LEN 1024

/* journal_open - the file DIR/journal.db, made if there is none.  NULL: @error
 * (JOURNAL_ERROR_LEN bytes) says why. */
struct journal *journal_open(const char *dir, char *error);
void journal_close(struct journal *j); /* NULL is legal */

/* journal_on_row - call @cb with every row once it is durable, as the query gives it */
void journal_on_row(
    struct journal *j, void (*cb)(const struct jv *row, void *arg), void *arg);

void journal_add(struct journal *j, const struct journal_row *row);
void journal_store(struct journal *j, const char *service, const struct reign *r);

/* journal_keep - wishes of @service, or of the cluster if it is NULL. */
void journal_keep(struct journal *j, const char *service, const struct wish *w);

/* journal_flush - durable, or not: then journal_error(), and tried again with the next
 * one. */
void journal_flush(struct journal *j);

/* journal_load - the record of @service; zeros if there is none. */
void journal_load(struct journal *j, const char *service, struct reign *r);

/* journal_recall - the wishes of @service (NULL: the cluster); zeros if there are none.
 */
void journal_recall(struct journal *j, const char *service, struct wish *w);

/* journal_ack - @who has seen row @serial.  0, -ENOENT no such row, -EALREADY somebody
 * has said so before, -EIO the disk does not take it. */
int journal_ack(struct journal *j, int64_t serial, const char *who);

/* journal_rows - a new array: rows after serial @after, oldest first; or the last
 * ones, newest first, if @after is negative. */
struct jv *journal_rows(struct journal *j, int64_t after, int64_t limit);

/* journal_last_is - whether the newest row says just this. */
bool journal_last_is(struct journal *j, const char *kind, const char *text);

const char *journal_error(const struct journal *j); /* NULL: all is well */

#endif
