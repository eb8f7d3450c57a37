/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_polled.c - the digest of a node is another one when anything that the
 * poller reads is another one, and only then. */
#include "agent/core/polled.h"
#include "tests/suite.h"

#include <string.h>

static struct snapshot snap; /* megabytes */

/* Did the digest change since the last call? */
static bool
changes(void)
{
    static char last[SNAP_WORD];
    char now[SNAP_WORD];
    bool changed;

    polled_digest(&snap, now);
    ck_assert_uint_eq(strlen(now), 16);
    changed = strcmp(last, now) != 0;
    memcpy(last, now, sizeof last);
    return changed;
}

static void *
known(enum snapshot_table table, const char *name)
{
    struct mib_row *row = snapshot_named(&snap, table, name);

    row->known = true;
    return row;
}

static void
make(void)
{
    struct driver_row *d;
    struct probe_row *p;
    struct build_set_row *b;

    snapshot_clear(&snap);
    d = known(SNAP_DRIVER, "disk");
    d->health = 1;
    snapshot_text(d->text, sizeof d->text, "all is well");
    p = known(SNAP_PROBE, "ping");
    p->health = 1;
    known(SNAP_ENGINE, "redis");
    b = known(SNAP_BUILD_SET, "redis");
    snapshot_text(b->digest, sizeof b->digest, "1");
    ck_assert(changes());
    ck_assert(!changes());
}

/* set - another value in @column of @row. */
static void
set(enum snapshot_table table, uint32_t column, void *row)
{
    const struct mib_table *t = &snapshot_tables[table];

    for (uint32_t c = 0; c < t->ncolumns; c++)
        if (t->columns[c].arc == column) {
            char *field = (char *)row + t->columns[c].offset;
            int64_t number = 1; /* a MIB_TRUTH shows no more than this */

            if (t->columns[c].type == MIB_TEXT)
                field[0]++, field[1] = '\0';
            else
                memcpy(field, &number, sizeof number);
            return;
        }
    ck_abort_msg("table %d has no column %u", (int)table, column);
}

START_TEST(each_object)
{
    const struct polled *p = &polled_service[_i];
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, "redis");

    make();
    set(p->table, p->column, mib_find(&snapshot_tables[p->table], &snap, index, n));
    ck_assert_msg(changes(), "%s", p->key);
    ck_assert(!changes());
}
END_TEST

START_TEST(verdicts)
{
    struct driver_row *d;
    struct probe_row *p;

    make();
    d = known(SNAP_DRIVER, "disk");
    p = known(SNAP_PROBE, "ping");
    snapshot_text(d->text, sizeof d->text, "still well");
    d->age = 7; /* nobody polls that */
    snapshot_text(p->output, sizeof p->output, "OK - 3 ms");
    ck_assert_msg(!changes(), "a text of what is ok is not read");
    d->health = 2;
    ck_assert(changes());
    snapshot_text(d->text, sizeof d->text, "a little ill");
    ck_assert_msg(changes(), "why it is not ok");
    p->health = 3;
    ck_assert(changes());
    snapshot_text(p->output, sizeof p->output, "CRITICAL");
    ck_assert(changes());
    d->row.known = false; /* its source is away */
    ck_assert(changes());
}
END_TEST

START_TEST(rows)
{
    make();
    ck_assert(!changes());
    known(SNAP_DRIVER, "clock");
    ck_assert_msg(changes(), "a driver more");
    known(SNAP_ENGINE, "mail");
    ck_assert_msg(changes(), "a service more");
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("digest");

    tcase_add_loop_test(c, each_object, 0, POLLED_SERVICE);
    tcase_add_test(c, verdicts);
    tcase_add_test(c, rows);
    return suite_run("agent: digest of a node", c, NULL);
}
