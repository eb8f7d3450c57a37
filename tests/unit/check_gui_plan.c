/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_gui_plan.c - what the console asks an agent, and when. */
#include "gui/core/plan.h"
#include "tests/suite.h"
#include "tests/unit/sample_model.h"

/* Of the test that runs: begin() starts anew. */
static struct plan p;
static struct plan_request request;
static struct plan_answer out[512];
static int64_t wait_ms;

static void
begin(bool primary)
{
    no_model();
    plan_init(&p, 0);
    p.primary = primary;
}

static bool
asks(int64_t now)
{
    return plan_next(&p, &model, now, &request, &wait_ms, NULL);
}

static void
take(int64_t now, unsigned n)
{
    plan_take(&p, &model, now, out, n, NULL);
}

/* An agent of one table: nodes 1..n with the columns 2..4. */
static unsigned
answer_nodes(unsigned n)
{
    unsigned count = 0;

    for (unsigned k = 0; k < (request.bulk ? request.repetitions : 1); k++)
        for (unsigned c = 0; c < request.count; c++) {
            struct plan_answer *a = &out[count++];
            const struct plan_oid *o = &request.oid[c];
            uint32_t row = o->n > 5 ? o->part[5] + k : k;

            a->oid = *o;
            a->value = (struct table_value){ 'n', 1, NULL, 0 };
            if (request.bulk && o->part[2] == 2 && o->part[4] <= 4 && row + 1 <= n) {
                a->oid.part[5] = row + 1;
                a->oid.n = 6;
            } else if (request.bulk) {
                a->oid.n = 0; /* behind everything */
            }
        }
    return count;
}

START_TEST(plan_reads_all_rows)
{
    int asked = 0;

    begin(true);
    for (int64_t now = 1; now < 400; now++)
        while (asks(now)) {
            ck_assert_int_lt(asked++, 2000);
            take(now, answer_nodes(100));
        }
    ck_assert_uint_eq(model.cluster[OF_NODES].side[0].rows, 100);
    ck_assert_uint_eq(model.cluster[OF_SERVICES].side[0].rows, 0);
    ck_assert(model.cluster[OF_SERVICES].known);
}
END_TEST

/* The table a request is about, as in objects.c: the path of its first object. */
static bool
is_about(const struct table_def *def)
{
    for (unsigned i = 0; i < def->npath; i++)
        if (request.oid[0].part[i] != def->path[i])
            return false;
    return true;
}

/* Each costs a turn, in which nothing is on the screen. */
START_TEST(plan_reads_the_picture_first)
{
    static const uint8_t picture[] = { OF_CLUSTER, OF_NODES, OF_SERVICES, OF_STANDBYS };

    begin(true);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(!plan_pictured(&model));
        ck_assert(asks(1));
        ck_assert_msg(is_about(&objects_cluster[picture[i]]), "request %u", i);
        take(1, answer_nodes(3));
    }
    ck_assert(plan_pictured(&model));
    ck_assert_uint_eq(model.cluster[OF_NODES].side[0].rows, 3);
}
END_TEST

START_TEST(plan_leaves_the_others_alone_until_then)
{
    begin(false);
    ck_assert(asks(1));
    ck_assert_msg(is_about(&objects_node[ON_NODE]), "who it is");
    take(1, answer_nodes(3));
    ck_assert(!asks(2));
    ck_assert_int_le(wait_ms, 50);
    for (int i = 0; i < (int)N_CLUSTER_TABLES; i++)
        model.cluster[i].known = true;
    ck_assert_msg(asks(3), "the picture is there");
}
END_TEST

START_TEST(plan_does_not_wait_for_the_picture_for_ever)
{
    begin(false);
    ck_assert(asks(1));
    take(1, answer_nodes(3));
    ck_assert(!asks(900));
    ck_assert(asks(1100));
}
END_TEST

/* All that may change is due again before the agent has answered one request. */
START_TEST(plan_lets_everything_have_its_turn)
{
    begin(true);
    for (int64_t now = 1; now < 180000; now += 200) {
        plan_hurry(&p, now);
        for (int i = 0; now > 60000 && i < (int)PLAN_ITEMS; i++)
            ck_assert_msg(!p.item[i].wanted || now - p.item[i].due_ms < 30000,
                "%d is due since %d ms", i, (int)(now - p.item[i].due_ms));
        if (now > 60000)
            ck_assert_int_lt(now - p.item[OF_ORDER].due_ms, 10000);
        if (asks(now))
            take(now, answer_nodes(10));
    }
}
END_TEST

/* It would be asked the same for ever. */
START_TEST(plan_survives_an_agent_that_stands_still)
{
    int asked = 0;

    begin(true);
    for (int64_t now = 1; now < 400; now++)
        while (asks(now)) {
            for (unsigned i = 0; i < request.count; i++) {
                out[i].oid = request.oid[i];
                out[i].oid.part[request.oid[i].n] = 1;
                out[i].oid.n += request.oid[i].n < 6;
                out[i].value = (struct table_value){ 'n', 1, NULL, 0 };
            }
            ck_assert_int_lt(asked++, 2000);
            take(now, request.count);
        }
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("all");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, plan_reads_all_rows);
    tcase_add_test(c, plan_reads_the_picture_first);
    tcase_add_test(c, plan_leaves_the_others_alone_until_then);
    tcase_add_test(c, plan_does_not_wait_for_the_picture_for_ever);
    tcase_add_test(c, plan_lets_everything_have_its_turn);
    tcase_add_test(c, plan_survives_an_agent_that_stands_still);
    return suite_run("gui plan", c, NULL);
}
