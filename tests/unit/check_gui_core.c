/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_gui_core.c - what the console computes: a claim a row. */
#include "gui/core/clean.h"
#include "gui/core/probe.h"
#include "gui/core/scene.h"
#include "gui/core/series.h"
#include "gui/core/takeovers.h"
#include "tests/suite.h"
#include "tests/unit/sample_model.h"

#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

static const struct {
    const char *claim, *in, *out;
    size_t size;
} texts[] = {
    { "plain text stays", "redis", "redis", 32 },
    { "UTF-8 stays", "n\xc5\x93ud", "n\xc5\x93ud", 32 },
    { "a bad octet is replaced",
        "a\xff"
        "b",
        "a\xef\xbf\xbd"
        "b",
        32 },
    { "an overlong form is bad", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", 32 },
    { "a surrogate is bad", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
        32 },
    { "a character that is cut off is bad", "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd",
        32 },
    { "control characters are spaces", "a\x1b[b\n", "a [b ", 32 },
    { "what does not fit ends in an ellipsis", "abcdefghij", "abcd\xe2\x80\xa6", 8 },
    { "no character is cut in two", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
        "\xc3\xa9\xc3\xa9\xe2\x80\xa6", 8 },
};

START_TEST(clean)
{
    char out[64];

    clean_text(out, texts[_i].size, texts[_i].in, strlen(texts[_i].in));
    ck_assert_msg(!strcmp(out, texts[_i].out), "%s: %s", texts[_i].claim, out);
}
END_TEST

/* ---- tables ---- */

static void
put(struct table *t, const char *oid, char kind, int64_t number, const char *text,
    size_t n)
{
    struct table_value v = { kind, number, text, text && n == 0 ? strlen(text) : n };
    uint32_t part[TABLE_OID];
    size_t count = 0;
    char *at = (char *)oid;

    while (*at) {
        part[count++] = (uint32_t)strtoul(at, &at, 10);
        at += *at == '.';
    }
    table_put(t, part, count, &v);
}

START_TEST(table_holds)
{
    struct table t;
    void *storage = new_table(&t, &objects_cluster[OF_STANDBYS]);

    table_begin(&t, false);
    put(&t, "2.2.97.98.1.99", 'n', 3, NULL, 0);
    put(&t, "4.2.97.98.1.99", 'n', 7, NULL, 0);
    put(&t, "4.2.97.98.1.100", 's', 0, "text", 0); /* of the wrong type */
    put(&t, "9.2.97.98.1.99", 'n', 7, NULL, 0);    /* no such column */
    put(&t, "2.200.97.98.1.99", 'n', 7, NULL, 0);  /* an index that does not add up */
    put(&t, "2.2.97.98.1.99.5", 'n', 7, NULL, 0);  /* and one with something behind */
    ck_assert_uint_eq(t.side[0].rows, 0);          /* nobody sees half a table */
    table_commit(&t);
    ck_assert_uint_eq(t.side[0].rows, 2);
    ck_assert_str_eq(table_text(&t, 0, -1), "ab");
    ck_assert_str_eq(table_text(&t, 0, -2), "c");
    ck_assert_int_eq(table_number(&t, 0, STANDBY_STATE, -1), 3);
    ck_assert_int_eq(table_number(&t, 0, STANDBY_LAG, -1), 7);
    ck_assert_int_eq(table_number(&t, 1, STANDBY_LAG, -5), -5);
    ck_assert_int_eq(table_number(&t, 0, STANDBY_IN_SET, -5), -5);
    ck_assert_int_eq(table_number(&t, 99, STANDBY_LAG, -5), -5);
    ck_assert_int_eq(table_find(&t, "ab", "d"), 1);
    ck_assert_int_eq(table_find(&t, "ab", "x"), -1);
    free(storage);
}
END_TEST

START_TEST(table_dates_and_addresses)
{
    struct table t;
    void *storage = new_table(&t, &objects_cluster[OF_EVENTS]);

    table_begin(&t, false);
    put(&t, "2.1", 's', 0, "\x07\xea\x0b\x19\x17\x1e\x05\x03+\0\0", 11);
    put(&t, "2.2", 's', 0, "\x07\xea\x0b\x19\x17\x1e\x05\x03+\1\0", 11);
    put(&t, "2.3", 's', 0, "\x07\xea\x0d\x19\x17\x1e\x05\x03", 8);
    table_commit(&t);
    ck_assert_int_eq(table_number(&t, 0, EVENT_TIME, 0), 1795649405300);
    ck_assert_int_eq(table_number(&t, 1, EVENT_TIME, 0), 1795649405300 - 3600000);
    ck_assert_uint_eq(t.side[0].rows, 3);
    ck_assert_int_eq(table_number(&t, 2, EVENT_TIME, -1), -1); /* month 13 */
    free(storage);
    storage = new_table(&t, &objects_node[ON_CONNECTIONS]);
    table_begin(&t, false);
    put(&t, "7.1.97.1.4.10.0.0.1.80.2.16.253.119.0.1.0.0.0.0.0.0.0.0.0.0.2.84.999", 'n',
        1, NULL, 0);
    table_commit(&t);
    ck_assert_str_eq(table_text(&t, 0, -3), "10.0.0.1");
    ck_assert_str_eq(table_text(&t, 0, -6), "fd77:1::254");
    free(storage);
}
END_TEST

/* ---- the view ---- */

static struct view view;

static const struct {
    const char *claim;
    int64_t supervisor, quorate, first, second, node; /* states */
    enum view_overall overall;
    enum view_class class;
} rows[] = {
    { "all is well", ANSWERING, 1, SERVICE_PROTECTED, SERVICE_PROTECTED, NODE_ONLINE,
        OVERALL_PROTECTED, CLASS_GOOD },
    { "a failed service is worse than one that is taken over", ANSWERING, 1,
        SERVICE_TAKING_OVER, SERVICE_FAILED, NODE_ONLINE, OVERALL_FAILED, CLASS_BAD },
    { "a takeover is seen before what is not protected", ANSWERING, 1,
        SERVICE_UNPROTECTED, SERVICE_TAKING_OVER, NODE_ONLINE, OVERALL_TAKING_OVER,
        CLASS_BUSY },
    { "a state that is not known is not called protected", ANSWERING, 1, 0,
        SERVICE_PROTECTED, NODE_ONLINE, OVERALL_UNPROTECTED, CLASS_WARN },
    { "a lost node is told of", ANSWERING, 1, SERVICE_PROTECTED, SERVICE_PROTECTED,
        NODE_OFFLINE, OVERALL_NODES, CLASS_WARN },
    { "without quorum nothing else matters", ANSWERING, 2, SERVICE_PROTECTED,
        SERVICE_PROTECTED, NODE_ONLINE, OVERALL_NO_QUORUM, CLASS_BAD },
    { "a supervisor that is silent is said to be", SILENT, 1, SERVICE_PROTECTED,
        SERVICE_PROTECTED, NODE_ONLINE, OVERALL_NO_SUPERVISOR, CLASS_BAD },
};

START_TEST(overall)
{
    struct table *t;

    no_model();
    t = &model.cluster[OF_CLUSTER];
    table_begin(t, false);
    put(t, "2.0", 'n', rows[_i].supervisor, NULL, 0);
    put(t, "4.0", 'n', rows[_i].quorate, NULL, 0);
    table_commit(t);
    t = &model.cluster[OF_NODES];
    table_begin(t, false);
    put(t, "2.1", 's', 0, "n1", 0);
    put(t, "3.1", 'n', rows[_i].node, NULL, 0);
    put(t, "4.1", 'n', HEALTH_OK, NULL, 0);
    table_commit(t);
    t = &model.cluster[OF_SERVICES];
    table_begin(t, false);
    put(t, "2.1.97", 'n', rows[_i].first, NULL, 0);
    put(t, "2.1.98", 'n', rows[_i].second, NULL, 0);
    table_commit(t);
    view_make(&view, &model);
    ck_assert_msg(view.overall == rows[_i].overall && view.class == rows[_i].class,
        "%s: %d %d", rows[_i].claim, view.overall, view.class);
}
END_TEST

START_TEST(nobody_answers)
{
    no_model();
    model.primary = -1;
    model.agents[0].state = AGENT_SILENT;
    view_make(&view, &model);
    ck_assert_int_eq(view.overall, OVERALL_LOST);
    model.agents[0].state = AGENT_CONNECTING;
    view_make(&view, &model);
    ck_assert_int_eq(view.overall, OVERALL_CONNECTING);
}
END_TEST

static const struct {
    const char *claim, *fencing, *device;
    enum view_class fencing_class, device_class;
    bool has_device;
} deciders[] = {
    { "three nodes need no fences", "none", "none", CLASS_GOOD, CLASS_UNKNOWN, false },
    { "fences that are missing are told of", "refused", "none", CLASS_WARN,
        CLASS_UNKNOWN, false },
    { "an agent that knows of neither", "", "", CLASS_UNKNOWN, CLASS_UNKNOWN, false },
    { "two that are together", "ready", "together", CLASS_GOOD, CLASS_GOOD, true },
    { "the device is being watched", "none", "split", CLASS_GOOD, CLASS_BUSY, true },
    { "one goes on alone", "none", "won", CLASS_GOOD, CLASS_WARN, true },
    { "one decides nothing", "none", "lost", CLASS_GOOD, CLASS_BAD, true },
    { "a word of a newer version", "maybe", "soon", CLASS_UNKNOWN, CLASS_UNKNOWN,
        true },
};

START_TEST(who_decides)
{
    struct table *t;

    no_model();
    t = &model.cluster[OF_CLUSTER];
    table_begin(t, false);
    put(t, "13.0", 's', 0, deciders[_i].fencing, 0);
    put(t, "17.0", 's', 0, deciders[_i].device, 0);
    put(t, "18.0", 'n', MIB_TRUE, NULL, 0);
    table_commit(t);
    view_make(&view, &model);
    ck_assert_msg(view.fencing_class == deciders[_i].fencing_class &&
                      view.device_class == deciders[_i].device_class &&
                      view.has_device == deciders[_i].has_device,
        "%s: %d %d", deciders[_i].claim, view.fencing_class, view.device_class);
    ck_assert_int_eq(view.device_votes, MIB_TRUE);
}
END_TEST

/* ---- the scene ---- */

static bool
apart(const struct scene_rect *a, const struct scene_rect *b)
{
    return a->x + a->w <= b->x || b->x + b->w <= a->x || a->y + a->h <= b->y ||
           b->y + b->h <= a->y;
}

START_TEST(cards_do_not_overlap)
{
    static struct scene s;

    memset(&view, 0, sizeof view);
    view.nnodes = (unsigned)_i;
    for (unsigned i = 0; i < view.nnodes; i++)
        view.nodes[i].state = NODE_ONLINE;
    view.nservices = 1; /* it runs nowhere, and covers nobody */
    view.services[0].node = -1;
    scene_make(&s, &view, 940, 430, -1);
    ck_assert_uint_eq(s.nchips, view.nnodes > 0);
    ck_assert_uint_eq(s.ncards, view.nnodes);
    for (unsigned i = 0; i < s.ncards; i++) {
        const struct scene_rect *a = &s.cards[i];

        ck_assert_msg(
            a->x >= 0 && a->y >= 0 && a->x + a->w <= 940 && a->y + a->h <= 430,
            "card %u of %d is outside", i, _i);
        ck_assert_msg(apart(a, &s.chips[0].at), "the service covers %u of %d", i, _i);
        for (unsigned k = 0; k < i; k++) {
            const struct scene_rect *b = &s.cards[k];

            ck_assert_msg(apart(a, b), "cards %u and %u of %d overlap", i, k, _i);
        }
    }
}
END_TEST

/* ---- the rest ---- */

START_TEST(probe)
{
    static const uint8_t report[] = { 0x30, 0x3b, 2, 1, 3, 0x30, 0x0e, 2, 1, 42, 2, 3,
        0, 0xff, 0xe3, 4, 1, 0, 2, 1, 3, 4, 0x13, 0x30, 0x11, 4, 5, 0x80, 0, 0x7e, 0xd9,
        5, 2, 1, 7, 2, 1, 9, 4, 0, 4, 0, 4, 0, 0x30, 0x11, 4, 0, 4, 0, 0xa8, 0x0b, 2, 1,
        42, 2, 1, 0, 2, 1, 0, 0x30, 0 };
    uint8_t engine[PROBE_ENGINE], out[PROBE_SIZE];
    size_t size = 0;

    ck_assert(probe_answer(report, sizeof report, 42, engine, &size));
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(engine, "\x80\x00\x7e\xd9\x05", 5);
    ck_assert(!probe_answer(report, sizeof report, 43, engine, &size));
    for (size_t n = 0; n < 32; n++) /* cut anywhere before its end */
        ck_assert(!probe_answer(report, n, 42, engine, &size));
    ck_assert_uint_eq(probe_request(out, 1), PROBE_SIZE);
    ck_assert_uint_eq(out[1], PROBE_SIZE - 2);
}
END_TEST

START_TEST(series_remembers)
{
    static struct series s;
    struct series_bucket b[4];

    memset(&view, 0, sizeof view);
    view.nservices = 1;
    view.services[0] = (struct view_service){ .epoch = 1,
        .pause = 500,
        .held = NOT_KNOWN,
        .released = NOT_KNOWN,
        .checkpoint_size = NOT_KNOWN,
        .connections = 3 };
    series_clear(&s);
    for (int i = 0; i < SERIES_POINTS + 100; i++)
        series_add(&s, &view, 0, i * 1000 + 1);
    ck_assert_uint_eq(s.n, SERIES_POINTS);
    ck_assert(series_buckets(&s, METRIC_PAUSE, 200000, 204000, b, 4) == 500);
    ck_assert(b[3].high == 500);
    ck_assert(series_buckets(&s, METRIC_WAIT, 200000, 204000, b, 4) == 0);
    ck_assert(b[0].low < 0);
    view.services[0].epoch = 2;
    view.services[0].blackout = 180;
    series_add(&s, &view, 0, 9999999);
    ck_assert_uint_eq(s.nblackouts, 1);
    ck_assert_int_eq(s.blackouts[0].length_ms, 180);
    ck_assert(
        series_top(43) == 50 && series_top(0.3) == 0.5 && series_top(1.5e6) == 2e6);
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("all");

    tcase_set_timeout(c, 60);
    ADD_ROWS(c, clean, texts);
    tcase_add_test(c, table_holds);
    tcase_add_test(c, table_dates_and_addresses);
    ADD_ROWS(c, overall, rows);
    tcase_add_test(c, nobody_answers);
    ADD_ROWS(c, who_decides, deciders);
    tcase_add_loop_test(c, cards_do_not_overlap, 1, 65);
    tcase_add_test(c, probe);
    tcase_add_test(c, series_remembers);
    return suite_run("gui core", c, NULL);
}
