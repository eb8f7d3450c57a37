/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_gui_plan.c - what the console asks an agent, and when. */
#include "gui/core/plan.h"
#include "tests/unit/sample_model.h"

#include <check.h>

/* An agent of one table: nodes 1..n with the columns 2..4. */
static unsigned
answer_nodes(const struct plan_request *r, unsigned n, struct plan_answer *out)
{
    unsigned count = 0;

    for (unsigned k = 0; k < (r->bulk ? r->repetitions : 1); k++)
        for (unsigned c = 0; c < r->count; c++) {
            struct plan_answer *a = &out[count++];
            const struct plan_oid *o = &r->oid[c];
            uint32_t row = o->n > 5 ? o->part[5] + k : k;

            a->oid = *o;
            a->value = (struct table_value){ 'n', 1, NULL, 0 };
            if (r->bulk && o->part[2] == 2 && o->part[4] <= 4 && row + 1 <= n) {
                a->oid.part[5] = row + 1;
                a->oid.n = 6;
            } else if (r->bulk) {
                a->oid.n = 0; /* behind everything */
            }
        }
    return count;
}

START_TEST(plan_reads_all_rows)
{
    static struct plan_answer out[512];
    struct plan_request r;
    static struct plan p;
    int64_t wait;
    int asked = 0;

    no_model();
    plan_init(&p, 0);
    p.primary = true;
    for (int64_t now = 1; now < 400; now++)
        while (plan_next(&p, &model, now, &r, &wait, NULL)) {
            unsigned n = answer_nodes(&r, 100, out);

            ck_assert_int_lt(asked++, 2000);
            plan_take(&p, &model, now, out, n, NULL);
        }
    ck_assert_uint_eq(model.cluster[OF_NODES].side[0].rows, 100);
    ck_assert_uint_eq(model.cluster[OF_SERVICES].side[0].rows, 0);
    ck_assert(model.cluster[OF_SERVICES].known);
}
END_TEST

/* The table a request is about, as in objects.c: the path of its first object. */
static bool
is_about(const struct plan_request *r, const struct table_def *def)
{
    for (unsigned i = 0; i < def->npath; i++)
        if (r->oid[0].part[i] != def->path[i])
            return false;
    return true;
}

/* Each costs a turn, in which nothing is on the screen. */
START_TEST(plan_reads_the_picture_first)
{
    static const uint8_t picture[] = { OF_CLUSTER, OF_NODES, OF_SERVICES, OF_STANDBYS };
    static struct plan_answer out[512];
    struct plan_request r;
    static struct plan p;
    int64_t wait;

    no_model();
    plan_init(&p, 0);
    p.primary = true;
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(!plan_pictured(&model));
        ck_assert(plan_next(&p, &model, 1, &r, &wait, NULL));
        ck_assert_msg(is_about(&r, &objects_cluster[picture[i]]), "request %u", i);
        plan_take(&p, &model, 1, out, answer_nodes(&r, 3, out), NULL);
    }
    ck_assert(plan_pictured(&model));
    ck_assert_uint_eq(model.cluster[OF_NODES].side[0].rows, 3);
}
END_TEST

START_TEST(plan_leaves_the_others_alone_until_then)
{
    static struct plan_answer out[512];
    struct plan_request r;
    static struct plan p;
    int64_t wait;

    no_model();
    plan_init(&p, 0);
    ck_assert(plan_next(&p, &model, 1, &r, &wait, NULL));
    ck_assert_msg(is_about(&r, &objects_node[ON_NODE]), "who it is");
    plan_take(&p, &model, 1, out, answer_nodes(&r, 3, out), NULL);
    ck_assert(!plan_next(&p, &model, 2, &r, &wait, NULL));
    ck_assert_int_le(wait, 50);
    for (int i = 0; i < (int)N_CLUSTER_TABLES; i++)
        model.cluster[i].known = true;
    ck_assert_msg(plan_next(&p, &model, 3, &r, &wait, NULL), "the picture is there");
}
END_TEST

START_TEST(plan_does_not_wait_for_the_picture_for_ever)
{
    static struct plan_answer out[512];
    struct plan_request r;
    static struct plan p;
    int64_t wait;

    no_model();
    plan_init(&p, 0);
    ck_assert(plan_next(&p, &model, 1, &r, &wait, NULL));
    plan_take(&p, &model, 1, out, answer_nodes(&r, 3, out), NULL);
    ck_assert(!plan_next(&p, &model, 900, &r, &wait, NULL));
    ck_assert(plan_next(&p, &model, 1100, &r, &wait, NULL));
}
END_TEST

/* All that may change is due again before the agent has answered one request. */
START_TEST(plan_lets_everything_have_its_turn)
{
    static struct plan_answer out[512];
    struct plan_request r;
    static struct plan p;
    int64_t wait;

    no_model();
    plan_init(&p, 0);
    p.primary = true;
    for (int64_t now = 1; now < 180000; now += 200) {
        plan_hurry(&p, now);
        for (int i = 0; now > 60000 && i < (int)PLAN_ITEMS; i++)
            ck_assert_msg(!p.item[i].wanted || now - p.item[i].due_ms < 30000,
                "%d is due since %d ms", i, (int)(now - p.item[i].due_ms));
        if (now > 60000)
            ck_assert_int_lt(now - p.item[OF_ORDER].due_ms, 10000);
        if (plan_next(&p, &model, now, &r, &wait, NULL))
            plan_take(&p, &model, now, out, answer_nodes(&r, 10, out), NULL);
    }
}
END_TEST

/* It would be asked the same for ever. */
START_TEST(plan_survives_an_agent_that_stands_still)
{
    static struct plan_answer out[512];
    struct plan_request r;
    static struct plan p;
    int64_t wait;
    int asked = 0;

    no_model();
    plan_init(&p, 0);
    p.primary = true;
    for (int64_t now = 1; now < 400; now++)
        while (plan_next(&p, &model, now, &r, &wait, NULL)) {
            for (unsigned i = 0; i < r.count; i++) {
                out[i].oid = r.oid[i];
                out[i].oid.part[r.oid[i].n] = 1;
                out[i].oid.n += r.oid[i].n < 6;
                out[i].value = (struct table_value){ 'n', 1, NULL, 0 };
            }
            ck_assert_int_lt(asked++, 2000);
            plan_take(&p, &model, now, out, r.count, NULL);
        }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("gui plan");
    TCase *c = tcase_create("all");
    SRunner *r;
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_test(c, plan_reads_all_rows);
    tcase_add_test(c, plan_reads_the_picture_first);
    tcase_add_test(c, plan_leaves_the_others_alone_until_then);
    tcase_add_test(c, plan_does_not_wait_for_the_picture_for_ever);
    tcase_add_test(c, plan_lets_everything_have_its_turn);
    tcase_add_test(c, plan_survives_an_agent_that_stands_still);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
