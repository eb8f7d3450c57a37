/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_supervisor_cores.c - messages, quorum, election and orders, one claim a row. */
#include "supervisor/core/elect.h"
#include "supervisor/core/heed.h"
#include "supervisor/core/member.h"
#include "supervisor/core/verdict.h"
#include "tests/suite.h"
#include "tests/unit/sample_cluster.h"

#include <string.h>

static struct effects out;

START_TEST(messages_come_back_as_sent)
{
    struct peermsg sent = { .kind = _i,
        .service = 7,
        .view = 1ull << 60,
        .r = { 1ull << 40, 9, SERVICE_TAKING, MODE_RESUME, 3, 2, 1, ALL, true, true, 4,
            1ull << 41 },
        .node = 63,
        .age_us = -1,
        .flags = 3,
        .health = HEALTH_FAILED,
        .order = 12,
        .reason = 5,
        .text = "why" };
    struct peermsg got;
    uint8_t bytes[PEER_MAX_BYTES];
    size_t size;

    memset(sent.text + 4, 0, sizeof sent.text - 4);
    size = peer_encode(&sent, bytes);
    ck_assert(peer_decode(bytes, size, 2, &got));
    ck_assert_uint_eq(got.from, 2);
    sent.from = 2;
    ck_assert_uint_eq(got.kind, sent.kind);
    ck_assert_uint_eq(got.r.floor, sent.r.floor);
    ck_assert_uint_eq(got.r.set, sent.r.set);
    ck_assert(got.r.shut && got.r.doubt && got.age_us == -1);
    ck_assert_str_eq(got.text, "why");
    for (size_t n = 0; n < size; n++)
        ck_assert_msg(!peer_decode(bytes, n, 2, &got), "%zu bytes are accepted", n);
    bytes[size] = 0;
    ck_assert_msg(!peer_decode(bytes, size + 1, 2, &got), "more bytes are accepted");
}
END_TEST

/* Any single byte changed: decoded or refused, never out of range. */
START_TEST(damaged_messages_stay_in_range)
{
    struct peermsg sent = { .kind = PEER_CLAIM, .r.epoch = 1, .node = 1 }, got;
    uint8_t bytes[PEER_MAX_BYTES];
    size_t size = peer_encode(&sent, bytes);

    for (size_t i = 0; i < size; i++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t was = bytes[i];

            bytes[i] = (uint8_t)v;
            if (peer_decode(bytes, size, 1, &got)) {
                ck_assert(got.kind < PEER_NKINDS && got.r.phase < SERVICE_NSTATES);
                ck_assert(got.node <= PEER_MAX_NODE && got.r.mode < MODE_NMODES);
                ck_assert(got.r.active <= PEER_MAX_NODE && got.health < HEALTH_N);
            }
            bytes[i] = was;
        }
    ck_assert_msg(!peer_decode(bytes, size, 0, &got), "a node 0 is accepted");
    ck_assert_msg(!peer_decode(bytes, size, 64, &got), "a node 64 is accepted");
}
END_TEST

/* clang-format off */
static const struct {
    const char *claim;
    uint64_t all, members, synced, suspect, quorums;
    bool ready, quorate;
} quorums[] = {
    { "three of three", ALL, ALL, ALL, 0, ALL, true, true },
    { "two of three", ALL, N(1)|N(2), N(1)|N(2), 0, N(1)|N(2), true, true },
    { "one of three is no majority, whatever Corosync says", ALL, N(1), N(1), 0, N(1), true, false },
    { "half is no majority", ALL|N(4), N(1)|N(2), N(1)|N(2), 0, N(1)|N(2), true, false },
    { "two of which one is silent", ALL, N(1)|N(2), N(1)|N(2), N(2), N(1)|N(2), true, false },
    { "two of which one has sent no record", ALL, N(1)|N(2), N(1), 0, N(1)|N(2), true, false },
    { "before the records are merged", ALL, ALL, ALL, 0, ALL, false, false },
    { "Corosync says no to one of them", ALL, ALL, ALL, 0, N(1)|N(2), true, false },
    { "a single node", N(1), N(1), N(1), 0, N(1), true, true },
};

/* Node 1 is asked, of nodes 1..3. */
static const struct {
    const char *claim;
    enum service_state state;
    unsigned active, kept, to;
    uint64_t set, members;
    bool doubt, outvoted;
    unsigned node;
    bool claimable, candidate;
    enum peer_mode mode;
} elections[] = {
    { "the first start", SERVICE_IDLE, 0, 0, 0, 0, ALL, 0, 0, 1, true, true, MODE_START },
    { "an active that is here is left alone", SERVICE_ACTIVE, 2, 0, 0, N(1), ALL, 0, 0, 1, false, true, MODE_TAKEOVER },
    { "an active that left is succeeded from the set", SERVICE_ACTIVE, 2, 0, 0, N(1), N(1)|N(3), 0, 0, 1, true, true, MODE_TAKEOVER },
    { "not by a node outside the set while one inside is here", SERVICE_ACTIVE, 2, 0, 0, N(1), N(1)|N(3), 0, 0, 3, true, false, 0 },
    { "by a fresh start if nobody of the set is here", SERVICE_ACTIVE, 2, 0, 0, N(2), N(1)|N(3), 0, 0, 3, true, true, MODE_START },
    { "a doubt spoils the set", SERVICE_TAKING, 2, 0, 0, N(1), N(1)|N(3), true, 0, 1, true, true, MODE_START },
    { "who kept the process resumes it", SERVICE_DOWN, 2, 1, 3, N(3), ALL, 0, 0, 1, true, true, MODE_RESUME },
    { "the target of a handover takes over", SERVICE_DOWN, 1, 1, 3, N(3), ALL, 0, 0, 3, true, true, MODE_TAKEOVER },
    { "an outvoted active resumes its own process", SERVICE_ACTIVE, 1, 0, 0, N(3), ALL, 0, true, 1, true, true, MODE_RESUME },
    { "without a majority nobody claims", SERVICE_DOWN, 2, 0, 0, N(1), N(1), 0, 0, 1, false, true, MODE_TAKEOVER },
};
/* clang-format on */

START_TEST(quorum)
{
    struct cluster c;

    cluster_init(&c, 1, quorums[_i].all);
    c.members = quorums[_i].members;
    c.synced = quorums[_i].synced;
    c.suspect = quorums[_i].suspect;
    c.quorums = quorums[_i].quorums;
    c.ready = quorums[_i].ready;
    ck_assert_msg(cluster_quorate(&c) == quorums[_i].quorate, "%s", quorums[_i].claim);
}
END_TEST

START_TEST(election)
{
    struct reign r = { .epoch = elections[_i].state != SERVICE_IDLE,
        .version = 1,
        .phase = elections[_i].state,
        .active = elections[_i].active,
        .kept = elections[_i].kept,
        .to = elections[_i].to,
        .set = elections[_i].set,
        .doubt = elections[_i].doubt };
    enum peer_mode mode = 0;
    struct cluster c;
    struct service s;
    bool candidate;

    good_cluster(&c, elections[_i].members);
    r.floor = r.epoch + elections[_i].outvoted;
    service_init(&s, 0, 7, &nothing, 200, &r, &no_wish);
    ck_assert_msg(elect_claimable(&s, &c) == elections[_i].claimable, "%s: claimable",
        elections[_i].claim);
    candidate = elect_mode(&s, &c, elections[_i].node, &mode);
    ck_assert_msg(candidate == elections[_i].candidate, "%s: may", elections[_i].claim);
    if (candidate)
        ck_assert_msg(mode == elections[_i].mode, "%s: by %s", elections[_i].claim,
            peer_mode_name(mode));
}
END_TEST

START_TEST(who_goes_first)
{
    struct reign r = { .epoch = 1,
        .version = 1,
        .phase = SERVICE_DOWN,
        .active = 9,
        .set = ALL,
        .floor = 1 };
    struct cluster c;
    struct service s;

    good_cluster(&c, ALL);
    service_init(&s, 0, 7, &nothing, 200, &r, &no_wish);
    ck_assert_msg(elect_delay_ms(&s, &c) == 0, "the lowest number");
    s.p.preferred = 3;
    ck_assert_msg(elect_delay_ms(&s, &c) > 0, "the preferred node before it");
    c.health[1] = HEALTH_OK;
    ck_assert_msg(elect_delay_ms(&s, &c) == 0, "health before preference");
    s.r.to = 2;
    ck_assert_msg(elect_delay_ms(&s, &c) > 0, "the target before all");
    c.engines = ALL & ~N(1);
    ck_assert_msg(elect_delay_ms(&s, &c) < 0, "no engine, no candidate");
}
END_TEST

/* clang-format off */
static const struct {
    const char *claim;
    enum service_state phase;
    uint64_t set, suspect, engines, members, running;
    unsigned to;
    enum order_reason reason;
    unsigned chosen;
} orders[] = {
    { "to a node of the set", SERVICE_ACTIVE, N(2), 0, ALL, ALL, 0, 2, ORDER_OK, 2 },
    { "without a target the best is chosen", SERVICE_ACTIVE, N(2)|N(3), 0, ALL, ALL, 0, 0, ORDER_OK, 2 },
    { "to where it is", SERVICE_ACTIVE, N(2), 0, ALL, ALL, 0, 1, ORDER_SAME_NODE, 1 },
    { "to a node outside the set", SERVICE_ACTIVE, N(2), 0, ALL, ALL, 0, 3, ORDER_NOT_IN_SET, 3 },
    { "an empty set", SERVICE_ACTIVE, 0, 0, ALL, ALL, 0, 0, ORDER_NO_STANDBY, 0 },
    { "while another runs", SERVICE_ACTIVE, N(2), 0, ALL, ALL, 5, 2, ORDER_RUNNING, 2 },
    { "the active's supervisor is silent", SERVICE_ACTIVE, N(2), N(1), ALL, ALL, 0, 2, ORDER_SILENT, 2 },
    { "the target's engine is away", SERVICE_ACTIVE, N(2), 0, N(1)|N(3), ALL, 0, 2, ORDER_TARGET_SILENT, 2 },
    { "nobody is active", SERVICE_DOWN, N(2), 0, ALL, ALL, 0, 2, ORDER_NOT_ACTIVE, 2 },
    { "no quorum", SERVICE_ACTIVE, N(2), 0, ALL, N(1), 0, 2, ORDER_NO_QUORUM, 2 },
};
/* clang-format on */

START_TEST(order)
{
    struct reign r = { .epoch = 1,
        .version = 1,
        .phase = orders[_i].phase,
        .active = 1,
        .set = orders[_i].set,
        .floor = 1 };
    unsigned to = orders[_i].to;
    struct cluster c;
    struct service s;

    good_cluster(&c, orders[_i].members);
    c.suspect = orders[_i].suspect;
    c.engines = orders[_i].engines;
    service_init(&s, 0, 7, &nothing, 200, &r, &no_wish);
    s.order.order = orders[_i].running;
    ck_assert_msg(switchover_check(&s, &c, WHY_OPERATOR, &to) == orders[_i].reason,
        "%s", orders[_i].claim);
    ck_assert_msg(to == orders[_i].chosen, "%s: node %u", orders[_i].claim, to);
}
END_TEST

/* clang-format off */
static const struct {
    const char *claim;
    uint64_t set, drained;
    unsigned sick, preferred;
    enum order_reason reason;
    unsigned to;
    enum place_rule rule;
} forecasts[] = {
    { "one standby", N(2), 0, 0, 0, ORDER_OK, 2, PLACE_ONLY },
    { "two that are alike", N(2)|N(3), 0, 0, 0, ORDER_OK, 2, PLACE_NUMBER },
    { "the preferred one", N(2)|N(3), 0, 0, 3, ORDER_OK, 3, PLACE_PREFERRED },
    { "health counts more than preference", N(2)|N(3), 0, 3, 3, ORDER_OK, 2, PLACE_HEALTH },
    { "a drained node counts less than a sick one", N(2)|N(3), N(2), 3, 0, ORDER_OK, 3, PLACE_RESORT },
    { "no standby", 0, 0, 0, 0, ORDER_NO_STANDBY, 0, PLACE_ONLY },
};
/* clang-format on */

START_TEST(forecast)
{
    struct reign r = { .epoch = 1,
        .version = 1,
        .phase = SERVICE_ACTIVE,
        .active = 1,
        .set = forecasts[_i].set,
        .floor = 1 };
    struct placement p = { .preferred = forecasts[_i].preferred };
    enum order_reason reason;
    enum place_rule rule;
    struct cluster c;
    struct service s;
    unsigned to;

    good_cluster(&c, ALL);
    c.wish.w.drained = forecasts[_i].drained;
    if (forecasts[_i].sick)
        c.health[forecasts[_i].sick] = HEALTH_DEGRADED;
    service_init(&s, 0, 7, &p, 200, &r, &no_wish);
    place_look(&s, 1, &c);
    reason = switchover_forecast(&s, &c, &to, &rule);
    ck_assert_msg(
        reason == forecasts[_i].reason, "%s: %d", forecasts[_i].claim, reason);
    ck_assert_msg(to == forecasts[_i].to, "%s: node %u", forecasts[_i].claim, to);
    ck_assert_msg(rule == forecasts[_i].rule, "%s: rule %d", forecasts[_i].claim, rule);
}
END_TEST

static void
deliver(struct service *s, struct cluster *c, struct peermsg msg)
{
    out.n = 0;
    service_deliver(s, c, &msg, (struct mono){ 1000000 }, &out);
}

/* From a claim to a reign, and what does not get there. */
START_TEST(a_reign_needs_votes)
{
    struct peermsg claim = { .kind = PEER_CLAIM,
        .from = 2,
        .node = 2,
        .r = { .epoch = 2, .mode = MODE_TAKEOVER } };
    struct peermsg vote = {
        .kind = PEER_STOPPED, .from = 2, .r.epoch = 2, .age_us = -1
    };
    struct peermsg taking = { .kind = PEER_TAKING, .from = 2, .r.epoch = 2 };
    struct reign r = { .epoch = 1,
        .version = 3,
        .phase = SERVICE_DOWN,
        .active = 1,
        .set = N(2),
        .floor = 1 };
    struct cluster c;
    struct service s;

    good_cluster(&c, ALL);
    service_init(&s, 0, 7, &nothing, 200, &r, &no_wish);
    claim.r.epoch = 3;
    deliver(&s, &c, claim);
    ck_assert_msg(s.state == SERVICE_DOWN, "an epoch is skipped");
    claim.r.epoch = 2;
    deliver(&s, &c, claim);
    ck_assert_msg(s.state == SERVICE_CLAIMED && s.r.floor == 2, "the claim is adopted");
    ck_assert_msg(out.v[0].what == DO_PERSIST, "and durable before anything is said");
    claim.from = claim.node = 3;
    deliver(&s, &c, claim);
    ck_assert_msg(s.claim.node == 2, "the first one wins");
    deliver(&s, &c, vote);
    deliver(&s, &c, vote);
    deliver(&s, &c, taking);
    ck_assert_msg(s.state == SERVICE_CLAIMED, "a vote counts once; one is no majority");
    vote.from = 3;
    deliver(&s, &c, vote);
    taking.from = 3;
    deliver(&s, &c, taking);
    ck_assert_msg(s.state == SERVICE_CLAIMED, "only the claimant takes");
    taking.from = 2;
    deliver(&s, &c, taking);
    ck_assert_msg(s.state == SERVICE_TAKING && s.r.active == 2 && s.r.doubt,
        "the reign, in doubt until it serves");
    ck_assert_msg(s.r.set == N(2), "the set is kept until then");
}
END_TEST

/* A member is synced when all the records that it has sent are here, not when it says
 * that they were sent. */
START_TEST(a_record_that_was_missed_is_missed)
{
    struct peermsg record = { .kind = PEER_SYNC, .from = 2, .view = 5, .service = 7 };
    struct peermsg wish = { .kind = PEER_WISH, .from = 2, .view = 5, .value = 1 };
    struct peermsg end = {
        .kind = PEER_SYNC_END, .from = 2, .view = 5, .r.version = 2
    };
    struct cluster c;

    cluster_init(&c, 1, ALL);
    out.n = 0;
    cluster_view(&c, 5, ALL, 0, (struct mono){ 0 }, &out);
    cluster_record(&c, &record);
    cluster_record(&c, &wish);
    cluster_heard(&c, &end, (struct mono){ 0 }, &out);
    ck_assert_msg(!(c.synced & N(2)), "one of two was missed; the other is of a round");
    wish.value = 0;
    cluster_record(&c, &wish);
    cluster_heard(&c, &end, (struct mono){ 0 }, &out);
    ck_assert_msg(c.synced & N(2), "both are here");
}
END_TEST

/* Records of one date, as node 1 has it and as node 2 has it, in either order. */
START_TEST(records_of_one_date)
{
    struct reign serves = { .epoch = 4,
        .version = 2,
        .phase = SERVICE_ACTIVE,
        .active = 3,
        .set = N(1) | N(2),
        .strikes = 2,
        .floor = 4 };
    struct reign fell = serves;
    struct peermsg theirs = { .kind = PEER_SYNC, .from = 2, .view = 1, .service = 7 };
    struct cluster c;
    struct service s;

    fell.phase = SERVICE_DOWN;
    fell.set = N(2) | N(3);
    fell.strikes = 1;
    fell.shut = true;
    fell.floor = 6;
    good_cluster(&c, ALL);
    service_init(&s, 0, 7, &nothing, 200, _i ? &serves : &fell, &no_wish);
    out.n = 0;
    service_view(&s, &c, (struct mono){ 0 }, &out);
    deliver(&s, &c, out.v[0].msg);
    theirs.r = _i ? fell : serves;
    deliver(&s, &c, theirs);
    service_merge(&s, &c, (struct mono){ 0 }, &out);
    ck_assert_msg(s.r.phase == SERVICE_DOWN && s.r.shut, "it has fallen, gates shut");
    ck_assert_msg(s.r.set == N(2), "in the set is who is in it in both");
    ck_assert_msg(s.r.strikes == 2 && s.r.floor == 6, "what only grows is the larger");
}
END_TEST

/* A report that overtakes the answer to an order is not the end of the service. */
START_TEST(a_report_overtakes_an_answer)
{
    struct engine_report report = { .role = ROLE_STANDBY, .epoch = 2, .clone = false };
    struct reign r = {
        .epoch = 3, .version = 1, .phase = SERVICE_TAKING, .active = 1, .floor = 3
    };
    struct cluster c;
    struct service s;

    good_cluster(&c, ALL);
    service_init(&s, 0, 7, &nothing, 200, &r, &no_wish);
    s.own.busy = _i;
    s.own.op = ENGINE_TAKEOVER;
    s.own.op_epoch = 3;
    out.n = 0;
    heed_report(&s, &c, &report, (struct mono){ 0 }, &out);
    ck_assert_msg((s.own.broken == 3) == !_i, "broken %u", (unsigned)s.own.broken);
}
END_TEST

/* Rounds of scores, -1: unknown; and the verdict after the last of them. */
/* clang-format off */
static const struct {
    const char *claim;
    int scores[8]; /* ended by -2 */
    enum health health;
} verdicts[] = {
    { "nothing was read", { -2 }, HEALTH_UNKNOWN },
    { "one good reading is enough to begin with", { 0, -2 }, HEALTH_OK },
    { "one bad reading is not", { 0, 100, -2 }, HEALTH_OK },
    { "two in a row are", { 0, 100, 100, -2 }, HEALTH_FAILED },
    { "two that are not in a row are not", { 0, 40, 0, 40, -2 }, HEALTH_OK },
    { "degraded", { 0, 40, 99, -2 }, HEALTH_DEGRADED },
    { "better takes three", { 0, 40, 40, 0, 0, -2 }, HEALTH_DEGRADED },
    { "and then it is", { 0, 40, 40, 0, 0, 0, -2 }, HEALTH_OK },
    { "just below the threshold is not better", { 40, 40, 35, 35, 35, 35, -2 }, HEALTH_DEGRADED },
    { "clearly below is", { 40, 40, 30, 29, 29, 29, -2 }, HEALTH_OK },
    { "silence is not good health", { 0, 0, -1, -1, -2 }, HEALTH_UNKNOWN },
    { "one lost reading changes nothing", { 0, 0, -1, 0, -1, -2 }, HEALTH_OK },
};
/* clang-format on */

START_TEST(verdict)
{
    struct verdict_conf conf = { 40, 100, 10, 2, 3 };
    struct verdict v = { .health = HEALTH_UNKNOWN };

    for (const int *score = verdicts[_i].scores; *score != -2; score++)
        verdict_take(&v, &conf, *score >= 0, *score < 0 ? 0 : (unsigned)*score);
    ck_assert_msg(v.health == verdicts[_i].health, "%s: %s", verdicts[_i].claim,
        health_name(v.health));
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("rows");

    tcase_add_loop_test(tc, messages_come_back_as_sent, 0, PEER_NKINDS);
    tcase_add_test(tc, damaged_messages_stay_in_range);
    ADD_ROWS(tc, quorum, quorums);
    ADD_ROWS(tc, election, elections);
    tcase_add_test(tc, who_goes_first);
    ADD_ROWS(tc, order, orders);
    ADD_ROWS(tc, forecast, forecasts);
    tcase_add_test(tc, a_reign_needs_votes);
    tcase_add_test(tc, a_record_that_was_missed_is_missed);
    tcase_add_loop_test(tc, records_of_one_date, 0, 2);
    tcase_add_loop_test(tc, a_report_overtakes_an_answer, 0, 2);
    ADD_ROWS(tc, verdict, verdicts);
    return suite_run("supervisor cores", tc, NULL);
}
