/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_births_log.c - what who has taken over has for a standby that joins, of the log
 * before. */
#include "tests/unit/births_story.h"

/* After a takeover, of @steps that are in the log; with an image that has of the
 * connection what is before @rcv_nxt, or none. */
struct log_row {
    const char *claim, *steps;
    int64_t rcv_nxt;
    const char *has;
};

static const struct log_row log_rows[] = {
    { "nothing of it is in the image", "sSad", -1, "sOad" },
    { "it was accepted since", "sSadD", -1, "" },
    { "then, after a hole", "sSadDf", -1, "f" },
    { "after one before that", "sSadfD", -1, "f" },
    { "an end is such a sign", "sSadfF", -1, "f" },
    { "in the image, its SYN once more", "sdfD", 100, "f" },
    { "with another SYN it begins anew, and has a hole", "dtT", 100, "tO" },
    { "it is in the image", "d", 100, "" },
    { "in order", "de", 100, "" },
    { "after a hole", "df", 100, "f" },
    { "whatever its service answers", "dfD", 100, "f" },
    { "it is filled; what is then known is what came in order", "dfef", 100, "f" },
    { "what follows it in order", "fde", 100, "f" },
    { "the image has it already", "f", 130, "" },
    { "it was reset by its service", "dfR", 100, "" },
    { "what was dropped is a hole", "dXef", 100, "ef" },
    { "and is not given", "sSadXe", -1, "sOae" },
    { "a connection of the same ports", "dfRtT", 100, "tO" },
};

/* What it has put out is not made again before there is another image. */
static const struct log_row fed_rows[] = {
    { "the clone has not accepted it yet", "sSadD", -1, "sOad" },
    { "nor reset it", "sSadR", -1, "sOad" },
    { "what is after a hole is", "df", 100, "f" },
};

static void
log_has(const struct log_row *r, bool kept, bool fed)
{
    struct births_conf conf = { 4, 2, 64, 4096 };
    struct keep_conf keep_conf = { 8, 4, 1 << 12 };
    struct node n = node(conf);
    struct keep *k = keep_init(malloc(keep_size(&keep_conf)), &keep_conf);
    struct plog_mark mark = { 1, kept ? 100 : 0, kept ? 100 : 0 };
    struct births_succession s = { .as = 77, .keep = k, .made_again = !fed };

    story(&n, r->steps);
    keep_begin(k);
    if (r->rcv_nxt >= 0)
        keep_connection(k, &sample_flow, (uint32_t)r->rcv_nxt, 0);
    ck_assert(keep_trim(k, &n.log, &mark, scratch));
    n.births = births_init(n.memory, &conf);
    births_log(n.births, &s, keep_records(k), scratch);
    births_log(n.births, &s, &n.log, scratch);
    has(&n, r->claim, r->steps, r->has);
    free(k);
    end(&n);
}

START_TEST(has_what_the_log_has)
{
    log_has(&log_rows[_i], false, false);
}
END_TEST

START_TEST(has_what_is_fed)
{
    log_has(&fed_rows[_i], false, true);
}
END_TEST

/* A segment after a hole that the image's mark is after. */
START_TEST(has_what_the_standby_has_kept)
{
    static const struct log_row row = { "kept", "f", 100, "f" };

    log_has(&row, true, false);
}
END_TEST

/* When its clone acknowledges what was fed. */
START_TEST(what_the_log_had_is_let_go)
{
    struct births_conf conf = { 4, 2, 64, 4096 };
    struct keep_conf keep_conf = { 8, 4, 1 << 12 };
    struct node n = node(conf);
    struct keep *k = keep_init(malloc(keep_size(&keep_conf)), &keep_conf);
    struct plog_mark mark = { 1, 0, 0 };
    struct births_succession s = { .as = 77, .keep = k, .made_again = true };

    story(&n, "dfe");
    keep_begin(k);
    keep_connection(k, &sample_flow, 100, 0);
    ck_assert(keep_trim(k, &n.log, &mark, scratch));
    births_log(n.births, &s, &n.log, scratch);
    ck_assert_uint_gt(births_bytes(n.births), 0);
    step(&n, 'B');
    ck_assert_uint_gt(births_bytes(n.births), 0);
    step(&n, 'G');
    ck_assert_uint_eq(births_bytes(n.births), 0);
    free(k);
    end(&n);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("births_log");

    ADD_ROWS(tc, has_what_the_log_has, log_rows);
    ADD_ROWS(tc, has_what_is_fed, fed_rows);
    tcase_add_test(tc, has_what_the_standby_has_kept);
    tcase_add_test(tc, what_the_log_had_is_let_go);
    return suite_run("births of a log", tc, NULL);
}
