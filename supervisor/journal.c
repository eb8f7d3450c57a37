/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/journal.h"

#include "lib/log.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEEP_ROWS 100000 /* older ones are forgotten */
#define MAX_LIMIT 10000
#define MAX_PENDING 256

struct pending {    /* not durable yet: a row, or else a record, or else wishes */
    struct jv *row; /* owned */
    bool is_wish;
    char service[64]; /* "": the cluster */
    struct reign r;
    struct wish w;
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *insert, *store, *keep; /* owned */
    struct pending pending[MAX_PENDING];
    unsigned n;
    char error[256];
    uint64_t lost; /* rows that could not be written since the last that could */
    void (*on_row)(const struct jv *row, void *arg);
    void *arg;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS row (serial INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time_ms INTEGER NOT NULL, node TEXT, service TEXT, epoch INTEGER,"
    " severity TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS reign (service TEXT PRIMARY KEY, epoch INTEGER,"
    " version INTEGER, phase INTEGER, mode INTEGER, active INTEGER, kept INTEGER,"
    " target INTEGER, members INTEGER, shut INTEGER, doubt INTEGER, strikes INTEGER,"
    " floor INTEGER);"
    "CREATE TABLE IF NOT EXISTS wish (service TEXT PRIMARY KEY, version INTEGER,"
    " author INTEGER, drained INTEGER, maintained INTEGER, frozen INTEGER,"
    " held INTEGER, policy INTEGER, interval_ms INTEGER, fails BLOB);"
    "CREATE TABLE IF NOT EXISTS ack (serial INTEGER PRIMARY KEY, who TEXT NOT NULL,"
    " time_ms INTEGER NOT NULL);";

static int64_t
wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool
prepare(struct journal *j)
{
    return sqlite3_prepare_v2(j->db,
               "INSERT INTO row (time_ms, node, service, epoch, severity, kind, text)"
               " VALUES (?,?,?,?,?,?,?)",
               -1, &j->insert, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(j->db,
               "INSERT OR REPLACE INTO wish VALUES (?,?,?,?,?,?,?,?,?,?)", -1, &j->keep,
               NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(j->db,
               "INSERT OR REPLACE INTO reign VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
               &j->store, NULL) == SQLITE_OK;
}

struct journal *
journal_open(const char *dir, char *error)
{
    struct journal *j = calloc(1, sizeof *j);
    char path[512];

    if (!j)
        log_fatal("journal: out of memory");
    snprintf(path, sizeof path, "%s/journal.db", dir);
    if (sqlite3_open_v2(path, &j->db,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
            NULL) != SQLITE_OK ||
        sqlite3_exec(j->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", NULL,
            NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(j->db, schema, NULL, NULL, NULL) != SQLITE_OK || !prepare(j)) {
        snprintf(error, JOURNAL_ERROR_LEN,
            "%s: %s; it must be a SQLite database this user can write", path,
            sqlite3_errmsg(j->db));
        journal_close(j);
        return NULL;
    }
    sqlite3_busy_timeout(j->db, 200);
    return j;
}

void
journal_close(struct journal *j)
{
    if (!j)
        return;
    journal_flush(j);
    for (unsigned i = 0; i < j->n; i++)
        jv_free(j->pending[i].row);
    sqlite3_finalize(j->insert);
    sqlite3_finalize(j->store);
    sqlite3_finalize(j->keep);
    sqlite3_close(j->db);
    free(j);
}

void
journal_on_row(
    struct journal *j, void (*cb)(const struct jv *row, void *arg), void *arg)
{
    j->on_row = cb;
    j->arg = arg;
}

const char *
journal_error(const struct journal *j)
{
    return j->error[0] ? j->error : NULL;
}

/* The record of a service is of no use when a later one waits too. */
static bool
superseded(const struct journal *j, unsigned at)
{
    for (unsigned i = at + 1; i < j->n; i++)
        if (!j->pending[i].row &&
            !strcmp(j->pending[i].service, j->pending[at].service))
            return true;
    return false;
}

/* The disk takes nothing: the older half of the rows is given up, no record is. */
static void
make_room(struct journal *j)
{
    unsigned kept = 0, drop = MAX_PENDING / 2;

    for (unsigned i = 0; i < j->n; i++) {
        struct pending p = j->pending[i];

        if (p.row && drop > 0) {
            drop--;
            j->lost++;
            jv_free(p.row);
        } else if (p.row || !superseded(j, i)) {
            j->pending[kept++] = p;
        }
    }
    j->n = kept;
}

static struct pending *
next_pending(struct journal *j)
{
    if (j->n == MAX_PENDING)
        journal_flush(j);
    if (j->n == MAX_PENDING)
        make_room(j);
    j->pending[j->n] = (struct pending){ 0 };
    return &j->pending[j->n++];
}

void
journal_add(struct journal *j, const struct journal_row *row)
{
    struct jv *v = jv_object();

    jv_set_int(v, "time_ms", wall_ms());
    jv_set_str(v, "node", row->node);
    jv_set_str(v, "service", row->service);
    jv_set_int(v, "epoch", (int64_t)row->epoch);
    jv_set_str(v, "severity", row->severity);
    jv_set_str(v, "kind", row->kind);
    jv_set_str(v, "text", row->text);
    next_pending(j)->row = v;
}

void
journal_store(struct journal *j, const char *service, const struct reign *r)
{
    struct pending *p = next_pending(j);

    snprintf(p->service, sizeof p->service, "%s", service);
    p->r = *r;
}

void
journal_keep(struct journal *j, const char *service, const struct wish *w)
{
    struct pending *p = next_pending(j);

    p->is_wish = true;
    snprintf(p->service, sizeof p->service, "%s", service ? service : "");
    p->w = *w;
}

static bool
write_row(struct journal *j, struct jv *row)
{
    static const char *const texts[] = { "severity", "kind", "text" };
    sqlite3_stmt *st = j->insert;
    bool ok;

    sqlite3_bind_int64(st, 1, jv_int(row, "time_ms", 0));
    sqlite3_bind_text(st, 2, jv_str(row, "node", NULL), -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, jv_str(row, "service", NULL), -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 4, jv_int(row, "epoch", 0));
    for (int i = 0; i < 3; i++)
        sqlite3_bind_text(st, 5 + i, jv_str(row, texts[i], ""), -1, SQLITE_STATIC);
    ok = sqlite3_step(st) == SQLITE_DONE;
    sqlite3_reset(st);
    if (ok)
        jv_set_int(row, "serial", sqlite3_last_insert_rowid(j->db));
    return ok;
}

static bool
write_reign(struct journal *j, const char *service, const struct reign *r)
{
    const int64_t v[] = { (int64_t)r->epoch, r->version, r->phase, r->mode, r->active,
        r->kept, r->to, (int64_t)r->set, r->shut, r->doubt, r->strikes,
        (int64_t)r->floor };
    bool ok;

    sqlite3_bind_text(j->store, 1, service, -1, SQLITE_STATIC);
    for (int i = 0; i < 12; i++)
        sqlite3_bind_int64(j->store, 2 + i, v[i]);
    ok = sqlite3_step(j->store) == SQLITE_DONE;
    sqlite3_reset(j->store);
    return ok;
}

static bool
write_wish(struct journal *j, const char *service, const struct wish *w)
{
    const int64_t v[] = { w->version, w->author, (int64_t)w->drained,
        (int64_t)w->maintained, (int64_t)w->frozen, (int64_t)w->held, w->policy,
        w->interval_ms };
    bool ok;

    sqlite3_bind_text(j->keep, 1, service, -1, SQLITE_STATIC);
    for (int i = 0; i < 8; i++)
        sqlite3_bind_int64(j->keep, 2 + i, v[i]);
    sqlite3_bind_blob(j->keep, 10, w->fails, sizeof w->fails, SQLITE_STATIC);
    ok = sqlite3_step(j->keep) == SQLITE_DONE;
    sqlite3_reset(j->keep);
    return ok;
}

static bool
write_pending(struct journal *j, struct pending *p)
{
    if (p->row)
        return write_row(j, p->row);
    return p->is_wish ? write_wish(j, p->service, &p->w)
                      : write_reign(j, p->service, &p->r);
}

static bool
write_all(struct journal *j)
{
    bool ok = sqlite3_exec(j->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;

    for (unsigned i = 0; i < j->n && ok; i++)
        ok = write_pending(j, &j->pending[i]);
    ok = ok && sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (ok)
        return true;
    if (!j->error[0])
        log_error("journal: %s; free or repair the disk: the services go on, and what "
                  "happens is kept in memory until it can be written",
            sqlite3_errmsg(j->db));
    snprintf(j->error, sizeof j->error, "journal cannot be written: %s",
        sqlite3_errmsg(j->db));
    sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static void
forget_old(struct journal *j, int64_t serial)
{
    char sql[160];

    if (serial % 1000 || serial <= KEEP_ROWS)
        return;
    snprintf(sql, sizeof sql,
        "DELETE FROM row WHERE serial <= %1$lld; DELETE FROM ack WHERE serial <= "
        "%1$lld",
        (long long)(serial - KEEP_ROWS));
    sqlite3_exec(j->db, sql, NULL, NULL, NULL);
}

static void
say_recovered(struct journal *j)
{
    char text[128];

    snprintf(text, sizeof text, "journal is written again; rows lost: %llu",
        (unsigned long long)j->lost);
    j->lost = 0;
    j->error[0] = '\0';
    log_info("journal: %s", text);
    journal_add(j,
        &(struct journal_row){ .severity = "warn", .kind = "journal", .text = text });
}

void
journal_flush(struct journal *j)
{
    bool recovered;
    unsigned n = j->n;

    if (!n)
        return;
    if (!write_all(j))
        return; /* all of it waits for the next time */
    recovered = j->error[0];
    j->n = 0;
    for (unsigned i = 0; i < n; i++) {
        struct jv *row = j->pending[i].row;

        if (!row)
            continue;
        forget_old(j, jv_int(row, "serial", 0));
        if (j->on_row)
            j->on_row(row, j->arg);
        jv_free(row);
    }
    if (recovered)
        say_recovered(j);
}

void
journal_load(struct journal *j, const char *service, struct reign *r)
{
    sqlite3_stmt *st = NULL;

    *r = (struct reign){ 0 };
    sqlite3_prepare_v2(j->db, "SELECT * FROM reign WHERE service = ?", -1, &st, NULL);
    sqlite3_bind_text(st, 1, service, -1, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW) {
        r->epoch = (uint64_t)sqlite3_column_int64(st, 1);
        r->version = (uint32_t)sqlite3_column_int64(st, 2);
        r->phase = (enum service_state)sqlite3_column_int(st, 3);
        r->mode = (enum peer_mode)sqlite3_column_int(st, 4);
        r->active = (unsigned)sqlite3_column_int(st, 5);
        r->kept = (unsigned)sqlite3_column_int(st, 6);
        r->to = (unsigned)sqlite3_column_int(st, 7);
        r->set = (uint64_t)sqlite3_column_int64(st, 8);
        r->shut = sqlite3_column_int(st, 9);
        r->doubt = sqlite3_column_int(st, 10);
        r->strikes = (unsigned)sqlite3_column_int(st, 11);
        r->floor = (uint64_t)sqlite3_column_int64(st, 12);
    }
    sqlite3_finalize(st);
}

void
journal_recall(struct journal *j, const char *service, struct wish *w)
{
    sqlite3_stmt *st = NULL;

    *w = (struct wish){ 0 };
    sqlite3_prepare_v2(j->db, "SELECT * FROM wish WHERE service = ?", -1, &st, NULL);
    sqlite3_bind_text(st, 1, service ? service : "", -1, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW) {
        w->version = (uint32_t)sqlite3_column_int64(st, 1);
        w->author = (unsigned)sqlite3_column_int(st, 2);
        w->drained = (uint64_t)sqlite3_column_int64(st, 3);
        w->maintained = (uint64_t)sqlite3_column_int64(st, 4);
        w->frozen = (uint64_t)sqlite3_column_int64(st, 5);
        w->held = (uint64_t)sqlite3_column_int64(st, 6);
        w->policy = (unsigned)sqlite3_column_int(st, 7);
        w->interval_ms = (unsigned)sqlite3_column_int64(st, 8);
        if (sqlite3_column_bytes(st, 9) == sizeof w->fails)
            memcpy(w->fails, sqlite3_column_blob(st, 9), sizeof w->fails);
    }
    sqlite3_finalize(st);
}

static bool
change_one(struct journal *j, const char *sql, int64_t serial, const char *who)
{
    sqlite3_stmt *st = NULL;
    bool ok;

    sqlite3_prepare_v2(j->db, sql, -1, &st, NULL);
    sqlite3_bind_int64(st, 1, serial);
    sqlite3_bind_text(st, 2, who, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, wall_ms());
    ok = sqlite3_step(st) == SQLITE_DONE && sqlite3_changes(j->db) == 1;
    sqlite3_finalize(st);
    return ok;
}

int
journal_ack(struct journal *j, int64_t serial, const char *who)
{
    sqlite3_stmt *st = NULL;
    int ret = -ENOENT;

    sqlite3_prepare_v2(j->db,
        "SELECT ack.serial FROM row LEFT JOIN ack USING (serial)"
        " WHERE row.serial = ?",
        -1, &st, NULL);
    sqlite3_bind_int64(st, 1, serial);
    if (sqlite3_step(st) == SQLITE_ROW)
        ret = sqlite3_column_type(st, 0) == SQLITE_NULL ? 0 : -EALREADY;
    sqlite3_finalize(st);
    if (ret == 0 && !change_one(j, "INSERT INTO ack VALUES (?, ?, ?)", serial, who))
        ret = -EIO;
    return ret;
}

static struct jv *
row_object(sqlite3_stmt *st)
{
    static const char *const names[] = { "serial", "time_ms", "node", "service",
        "epoch", "severity", "kind", "text", "acked_by", "acked_ms" };
    struct jv *row = jv_object();

    for (int i = 0; i < 10; i++)
        if (i == 0 || i == 1 || i == 4 || i == 9)
            jv_set_int(row, names[i], sqlite3_column_int64(st, i));
        else
            jv_set_str(row, names[i], (const char *)sqlite3_column_text(st, i));
    return row;
}

bool
journal_last_is(struct journal *j, const char *kind, const char *text)
{
    struct jv *rows = journal_rows(j, -1, 1);
    const struct jv *last = jv_at(rows, 0);
    bool is = !strcmp(jv_str(last, "kind", ""), kind) &&
              !strcmp(jv_str(last, "text", ""), text);

    jv_free(rows);
    return is;
}

struct jv *
journal_rows(struct journal *j, int64_t after, int64_t limit)
{
    struct jv *rows = jv_array();
    sqlite3_stmt *st = NULL;

    sqlite3_prepare_v2(j->db,
        after >= 0
            ? "SELECT row.*, who, ack.time_ms FROM row LEFT JOIN ack USING (serial)"
              " WHERE serial > ?1 ORDER BY serial LIMIT ?2"
            : "SELECT row.*, who, ack.time_ms FROM row LEFT JOIN ack USING (serial)"
              " WHERE serial > ?1 ORDER BY serial DESC LIMIT ?2",
        -1, &st, NULL);
    sqlite3_bind_int64(st, 1, after);
    sqlite3_bind_int64(st, 2, limit < 1 || limit > MAX_LIMIT ? 100 : limit);
    while (sqlite3_step(st) == SQLITE_ROW)
        jv_push(rows, row_object(st));
    sqlite3_finalize(st);
    return rows;
}
