/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_engine_cores.c - lease, commit, trim, pace, role and wire: one claim a test. */
#include "sockmig/core/commit.h"
#include "sockmig/core/lease.h"
#include "sockmig/core/pace.h"
#include "sockmig/core/role.h"
#include "sockmig/core/trim.h"
#include "sockmig/core/wire.h"
#include "tests/suite.h"

#include <string.h>

static struct mono
ms(int64_t t)
{
    return (struct mono){ t * 1000 };
}

START_TEST(lease_needs_a_majority)
{
    struct lease l;
    uint64_t n;

    lease_init(&l, 5, 200000);
    n = lease_beat(&l, ms(1000));
    lease_acked(&l, 1, n);
    ck_assert_msg(!lease_held(&l, ms(1001)), "2 of 5 are no majority");
    lease_acked(&l, 1, n);
    ck_assert_msg(!lease_held(&l, ms(1001)), "the same node twice is one proof");
    lease_acked(&l, 3, n);
    ck_assert_msg(lease_held(&l, ms(1001)), "3 of 5 are");
}
END_TEST

START_TEST(lease_counts_from_sending)
{
    struct lease l;
    uint64_t n;

    lease_init(&l, 3, 200000);
    n = lease_beat(&l, ms(1000));
    lease_beat(&l, ms(1100));
    lease_acked(&l, 1, n); /* however late it comes */
    ck_assert(lease_held(&l, ms(1199)));
    ck_assert_msg(!lease_held(&l, ms(1200)), "not from when the answer came");
}
END_TEST

START_TEST(lease_ignores_strange_answers)
{
    struct lease l;
    uint64_t n;

    lease_init(&l, 3, 200000);
    n = lease_beat(&l, ms(1000));
    lease_acked(&l, 1, n + 1);
    lease_acked(&l, 1, 0);
    lease_acked(&l, 99, n);
    ck_assert_msg(!lease_held(&l, ms(1001)), "never sent, or no node");
    for (int i = 0; i < LEASE_BEATS; i++)
        lease_beat(&l, ms(1010 + i));
    lease_acked(&l, 1, n);
    ck_assert_msg(!lease_held(&l, ms(1080)), "too old to be remembered");
}
END_TEST

START_TEST(lease_ended_stays_ended)
{
    struct lease l;
    uint64_t n;

    lease_init(&l, 3, 200000);
    n = lease_beat(&l, ms(1000));
    lease_end(&l);
    lease_acked(&l, 1, n);
    ck_assert_msg(!lease_held(&l, ms(1001)), "a late answer must not revive it");
}
END_TEST

START_TEST(lease_of_two_needs_no_proof)
{
    struct lease l;

    lease_init(&l, 2, 200000);
    lease_beat(&l, ms(1000));
    ck_assert(lease_held(&l, ms(1199)));
    ck_assert(!lease_held(&l, ms(1200)));
}
END_TEST

START_TEST(commit_waits_for_the_whole_set)
{
    struct commit c;
    uint32_t mark = 0;

    commit_init(&c);
    commit_set(&c, 6);
    commit_taken(&c, 1, 100, ms(1));
    commit_taken(&c, 2, 200, ms(2));
    commit_acked(&c, 1, 2);
    ck_assert_msg(!commit_release(&c, &mark), "node 2 has nothing yet");
    commit_acked(&c, 2, 1);
    ck_assert(commit_release(&c, &mark));
    ck_assert_uint_eq(mark, 100);
    ck_assert_msg(!commit_release(&c, &mark), "once");
    commit_acked(&c, 2, 2);
    ck_assert(commit_release(&c, &mark));
    ck_assert_uint_eq(mark, 200);
}
END_TEST

START_TEST(commit_believes_only_what_was_taken)
{
    struct commit c;
    uint32_t mark;

    commit_init(&c);
    commit_set(&c, 2);
    commit_acked(&c, 1, 7);
    commit_taken(&c, 1, 100, ms(1));
    ck_assert_msg(!commit_release(&c, &mark), "7 was never taken");
}
END_TEST

START_TEST(commit_set_decides)
{
    struct commit c;
    uint32_t mark;
    struct mono since;

    commit_init(&c);
    commit_set(&c, 6);
    commit_taken(&c, 1, 100, ms(5));
    commit_acked(&c, 1, 1);
    ck_assert(!commit_release(&c, &mark));
    ck_assert(commit_waiting_since(&c, &since) && since.us == 5000);
    commit_set(&c, 2); /* node 2 was taken out by an agreed view */
    ck_assert(commit_release(&c, &mark));
    ck_assert(!commit_waiting_since(&c, &since));
    commit_forget(&c, 1); /* node 1 starts over */
    commit_taken(&c, 2, 101, ms(6));
    ck_assert_msg(!commit_release(&c, &mark), "its old answers do not count");
}
END_TEST

START_TEST(commit_window_fills)
{
    struct commit c;
    uint32_t mark;

    commit_init(&c);
    commit_set(&c, 2);
    for (uint64_t i = 1; i <= COMMIT_WINDOW; i++) {
        ck_assert(!commit_full(&c));
        commit_taken(&c, i, (uint32_t)i, ms(1));
    }
    ck_assert(commit_full(&c));
    commit_acked(&c, 1, 1);
    ck_assert(commit_release(&c, &mark) && mark == 1);
    ck_assert(!commit_full(&c));
}
END_TEST

START_TEST(commit_covers_up_to_its_newest_mark)
{
    struct commit c;

    commit_init(&c);
    ck_assert_msg(!commit_covers(&c, 0), "none was taken");
    commit_set(&c, 2);
    commit_taken(&c, 1, UINT32_MAX - 1, ms(1));
    ck_assert_msg(commit_covers(&c, UINT32_MAX - 1), "on its way is enough");
    ck_assert(!commit_covers(&c, UINT32_MAX));
    commit_taken(&c, 2, 3, ms(2)); /* the kernel's ids begin again at 0 */
    ck_assert(commit_covers(&c, UINT32_MAX) && commit_covers(&c, 3));
    ck_assert(!commit_covers(&c, 4));
}
END_TEST

START_TEST(trim_goes_to_the_newest_packet_covered)
{
    struct trim t;

    trim_reign(&t, 1000, 800);
    trim_taken(&t, 1, 1200, 1300);
    ck_assert_uint_eq(trim_stable(&t, 1), 1200);
    trim_taken(&t, 2, 1350, 1400);
    ck_assert_uint_eq(trim_stable(&t, 2), 1350);
    ck_assert_msg(trim_stable(&t, 1) == 1200, "the one before may be stable later");
}
END_TEST

START_TEST(trim_goes_to_the_last_one_where_none_comes_in)
{
    struct trim t;

    trim_reign(&t, 1000, 800);
    trim_taken(&t, 1, 0, 1300);
    ck_assert_msg(trim_stable(&t, 1) == 1000, "nothing is known to be older");
    trim_taken(&t, 2, 1200, 1500);
    ck_assert_msg(trim_stable(&t, 2) == 1300, "it only sent since: to where that was");
}
END_TEST

START_TEST(trim_ignores_a_packet_of_an_earlier_reign)
{
    struct trim t;

    trim_reign(&t, 0, 800);
    trim_taken(&t, 1, 9000, 100);
    ck_assert_uint_eq(trim_stable(&t, 1), 0);
}
END_TEST

START_TEST(trim_wants_one_when_half_is_not_covered)
{
    struct trim t;

    trim_reign(&t, 1000, 800);
    ck_assert(!trim_wants(&t, 1400));
    ck_assert(trim_wants(&t, 1401));
    trim_taken(&t, 1, 1300, 1401);
    ck_assert_msg(!trim_wants(&t, 1700), "the one that is on its way makes room");
    ck_assert(trim_wants(&t, 1701));
    trim_reign(&t, 5000, 800);
    ck_assert_msg(!trim_wants(&t, 5400), "a new reign has an empty log");
}
END_TEST

START_TEST(trim_knows_all_that_may_be_on_their_way)
{
    struct trim t;

    trim_reign(&t, 0, 1000);
    for (uint64_t n = 1; n <= 3 * COMMIT_WINDOW; n++) {
        trim_taken(&t, n, 10 * n, 10 * n + 5);
        for (uint64_t k = n < COMMIT_WINDOW ? 1 : n - COMMIT_WINDOW + 1; k <= n; k++)
            ck_assert_uint_eq(trim_stable(&t, k), 10 * k);
    }
}
END_TEST

START_TEST(pace_rules)
{
    struct pace p = {
        .interval_us = 20000, .spacing_us = 2000, .started = ms(100), .ended = ms(101)
    };
    struct pace_wish none = { 0 }, asked = { .now = true };

    ck_assert_int_eq(pace_due(&p, &none).us, 120000);
    ck_assert_int_eq(pace_due(&p, &asked).us, 102000);
    p.ended = ms(105);
    ck_assert_msg(pace_due(&p, &asked).us == 110000, "it runs as long as it stood");
    p.ended = ms(115);
    ck_assert_msg(pace_due(&p, &(struct pace_wish){ .now = true }).us == 130000,
        "at least as long as it stood still");
    ck_assert_msg(pace_due(&p, &(struct pace_wish){ 0 }).us == 175000,
        "and four times where nobody waits");
    p.ended = ms(101);
    ck_assert_msg(pace_due(&p, &(struct pace_wish){ .seeding = true }).us == 260000,
        "not often while standbys are seeded that nobody requires");
    ck_assert_msg(
        pace_due(&p, &(struct pace_wish){ .seeding = true, .now = true }).us == 102000,
        "but when it is asked for");
}
END_TEST

START_TEST(pace_gathers)
{
    struct pace p = { .interval_us = 20000, .spacing_us = 2000 };
    struct pace_wish w = {
        .output = true, .cycle_us = 3000, .first = ms(104), .last = ms(104)
    };

    pace_taken(&p, ms(100), ms(101));
    ck_assert_msg(pace_due(&p, &w).us == 106000, "others come within half of 4 ms");
    w.last = ms(105);
    ck_assert_msg(pace_due(&p, &w).us == 107000, "one came");
    w.last = ms(130);
    ck_assert_msg(pace_due(&p, &w).us == 112000, "who waits is not kept for ever");
    w.cycle_us = 90000;
    ck_assert_msg(pace_due(&p, &w).us == 120000, "nor for longer than the interval");
    w.now = true;
    ck_assert_msg(pace_due(&p, &w).us == 102000, "an order does not gather");
    w.now = false;
    w.complete = true;
    ck_assert_msg(pace_due(&p, &w).us == 102000, "nobody is waited for");
}
END_TEST

START_TEST(pace_follows_the_cycle)
{
    int64_t cycle = pace_cycle(0, 8000);

    ck_assert_int_eq(cycle, 8000);
    ck_assert_int_eq(pace_cycle(cycle, 0), 7000);
    for (int i = 0; i < 100; i++)
        cycle = pace_cycle(cycle, 1000);
    ck_assert(cycle >= 1000 && cycle < 1010);
}
END_TEST

START_TEST(pace_knows_a_crowd)
{
    uint32_t crowd = pace_crowd(0, 20);

    ck_assert_uint_eq(crowd, 20);
    crowd = pace_crowd(crowd, 3);
    ck_assert_msg(crowd > 3 && crowd < 20, "those who are slow are not forgotten");
    for (int i = 0; i < 100; i++)
        crowd = pace_crowd(crowd, 1);
    ck_assert_msg(crowd == 1, "those who left are");
}
END_TEST

START_TEST(pace_waits_for_the_last_one)
{
    struct pace p = { .interval_us = 20000, .spacing_us = 2000 };
    struct pace_wish w = {
        .output = true, .under_way = true, .first = ms(102), .last = ms(102)
    };

    pace_taken(&p, ms(100), ms(101));
    ck_assert_msg(pace_due(&p, &w).us == 120000, "nothing would leave any sooner");
    w.now = true;
    ck_assert_int_eq(pace_due(&p, &w).us, 102000);
}
END_TEST

/* clang-format off */
static const struct {
    const char *claim;
    enum role_state state;
    uint64_t own, seen;
    enum role_order order;
    uint64_t epoch;
    enum role_answer answer;
    enum role_state next; /* read only for ROLE_DO */
} rows[] = {
    { "an older epoch is refused in every state",
        ROLE_FOLLOWING, 5, 5, ORDER_TAKEOVER, 4, ROLE_STALE, 0 },
    { "a standby may take over",
        ROLE_FOLLOWING, 5, 5, ORDER_TAKEOVER, 6, ROLE_DO, ROLE_WAKING },
    { "an idle engine has no clone to wake",
        ROLE_IDLE, 5, 5, ORDER_TAKEOVER, 6, ROLE_REFUSED, 0 },
    { "a takeover repeated is done already",
        ROLE_RUNNING, 6, 6, ORDER_TAKEOVER, 6, ROLE_DONE, 0 },
    { "the active node does not follow within its own epoch",
        ROLE_RUNNING, 6, 6, ORDER_FOLLOW, 6, ROLE_REFUSED, 0 },
    { "a newer epoch makes it follow",
        ROLE_RUNNING, 6, 6, ORDER_FOLLOW, 7, ROLE_DO, ROLE_ENDING },
    { "a running service is not started again in a newer epoch",
        ROLE_RUNNING, 6, 6, ORDER_START, 7, ROLE_REFUSED, 0 },
    { "a fence is taken in every state",
        ROLE_WAKING, 6, 6, ORDER_FENCE, 7, ROLE_DO, ROLE_WAKING },
    { "a set is of the present epoch",
        ROLE_RUNNING, 6, 6, ORDER_SET, 7, ROLE_REFUSED, 0 },
    { "a handover needs a running service",
        ROLE_FOLLOWING, 6, 6, ORDER_HANDOVER, 6, ROLE_REFUSED, 0 },
    { "what was frozen can go on in a new epoch",
        ROLE_FROZEN, 6, 6, ORDER_RESUME, 8, ROLE_DO, ROLE_RESUMING },
    { "while something is under way nothing is stopped",
        ROLE_WAKING, 6, 6, ORDER_STOP, 7, ROLE_REFUSED, 0 },
    { "after a fence the old active follows the new one",
        ROLE_RUNNING, 6, 7, ORDER_FOLLOW, 7, ROLE_DO, ROLE_ENDING },
    { "an active node that was outvoted can go on in a newer epoch",
        ROLE_RUNNING, 6, 7, ORDER_RESUME, 8, ROLE_DO, ROLE_RESUMING },
    { "after a fence what was frozen makes room",
        ROLE_FROZEN, 6, 7, ORDER_FOLLOW, 7, ROLE_DO, ROLE_ENDING },
    { "after a fence the old active is not the new one",
        ROLE_RUNNING, 6, 7, ORDER_TAKEOVER, 7, ROLE_REFUSED, 0 },
    { "after a fence nothing is added to the old active's set",
        ROLE_RUNNING, 6, 7, ORDER_SET, 6, ROLE_STALE, 0 },
    { "a failed engine can follow again",
        ROLE_FAILED, 6, 6, ORDER_FOLLOW, 6, ROLE_DO, ROLE_ENDING },
};
/* clang-format on */

START_TEST(role_rows)
{
    enum role_state next = ROLE_NSTATES;
    struct role role = { rows[_i].state, rows[_i].own, rows[_i].seen };
    enum role_answer a = role_order(&role, rows[_i].order, rows[_i].epoch, &next);

    ck_assert_msg(a == rows[_i].answer, "%s", rows[_i].claim);
    if (a == ROLE_DO)
        ck_assert_msg(next == rows[_i].next, "%s", rows[_i].claim);
}
END_TEST

START_TEST(role_names)
{
    enum role_order o;

    for (int i = 0; i < ORDER_NORDERS; i++)
        ck_assert(role_order_by_name(role_order_name((enum role_order)i), &o) &&
                  o == (enum role_order)i);
    ck_assert(!role_order_by_name("star", &o));
    ck_assert(!role_order_by_name("", &o));
}
END_TEST

START_TEST(wire_refuses_what_is_cut)
{
    struct wire_beat b = { WIRE_BEAT_ACK, 3, 4, 5 }, back;
    struct wire_head h, hback;
    uint8_t data[128];
    struct writer w = writer_init(data, sizeof data);
    struct reader r;

    memset(&h, 0, sizeof h); /* compared whole, with what is between the fields */
    h.kind = WIRE_CHECKPOINT;
    h.number = 1;
    h.image_bytes = 64;
    h.runs = 2;
    h.page_bytes = 8192;
    h.parcel_bytes = 16;
    h.mark_in = 7;
    h.mark_out = 8;
    h.age_us = 9;
    h.policy = 1;
    h.hurry = true;
    h.anew = true;
    memset(&hback, 0, sizeof hback);
    wire_put_beat(&w, &b);
    ck_assert_uint_eq(w.pos, WIRE_BEAT_BODY);
    for (size_t n = 0; n <= w.pos + 1; n++) {
        r = reader_init(data, n);
        ck_assert(wire_get_beat(&r, &back) == (n == w.pos));
    }
    w = writer_init(data, sizeof data);
    wire_put_head(&w, &h);
    r = reader_init(data + 1, w.pos - 1);
    ck_assert(wire_get_head(&r, WIRE_CHECKPOINT, &hback));
    ck_assert(memcmp(&h, &hback, sizeof h) == 0);
    r = reader_init(data + 1, w.pos - 2);
    ck_assert(!wire_get_head(&r, WIRE_CHECKPOINT, &hback));
    h.policy = WIRE_POLICIES;
    w = writer_init(data, sizeof data);
    wire_put_head(&w, &h);
    r = reader_init(data + 1, w.pos - 1);
    ck_assert(!wire_get_head(&r, WIRE_CHECKPOINT, &hback));
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, lease_needs_a_majority);
    tcase_add_test(tc, lease_counts_from_sending);
    tcase_add_test(tc, lease_ignores_strange_answers);
    tcase_add_test(tc, lease_ended_stays_ended);
    tcase_add_test(tc, lease_of_two_needs_no_proof);
    tcase_add_test(tc, commit_waits_for_the_whole_set);
    tcase_add_test(tc, commit_believes_only_what_was_taken);
    tcase_add_test(tc, commit_set_decides);
    tcase_add_test(tc, commit_window_fills);
    tcase_add_test(tc, commit_covers_up_to_its_newest_mark);
    tcase_add_test(tc, trim_goes_to_the_newest_packet_covered);
    tcase_add_test(tc, trim_goes_to_the_last_one_where_none_comes_in);
    tcase_add_test(tc, trim_ignores_a_packet_of_an_earlier_reign);
    tcase_add_test(tc, trim_wants_one_when_half_is_not_covered);
    tcase_add_test(tc, trim_knows_all_that_may_be_on_their_way);
    tcase_add_test(tc, pace_rules);
    tcase_add_test(tc, pace_gathers);
    tcase_add_test(tc, pace_follows_the_cycle);
    tcase_add_test(tc, pace_knows_a_crowd);
    tcase_add_test(tc, pace_waits_for_the_last_one);
    ADD_ROWS(tc, role_rows, rows);
    tcase_add_test(tc, role_names);
    tcase_add_test(tc, wire_refuses_what_is_cut);
    return suite_run("engine cores", tc, NULL);
}
