/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_gui_giver.c - an order on its way, from the lock to the result: a story a
 * claim. The agent is this file: it has asker_ask() and asker_set(). */
#include "gui/giver.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static struct model model;
static struct giver *giver;
static void *storage[2];

/* ---- the agent ---- */

static asker_reply asked, set;
static void *asked_arg, *set_arg;
static int64_t lock_sent, kind_sent;
static unsigned hurried;

void
asker_ask(struct asker *s, const struct plan_request *r, asker_reply reply, void *arg)
{
    (void)s;
    ck_assert_uint_eq(r->count, 1);
    asked = reply;
    asked_arg = arg;
}

void
asker_set(struct asker *s, const struct plan_answer *objects, unsigned n,
    asker_reply reply, void *arg)
{
    (void)s;
    ck_assert_uint_ge(n, 2);
    lock_sent = objects[0].value.number;
    kind_sent = objects[1].value.number;
    set = reply;
    set_arg = arg;
}

static void
answer_lock(enum asker_result result)
{
    const struct plan_answer lock = { .value = { 'n', 77, NULL, 0 } };

    asked(NULL, result, "no access", &lock, result == ASKER_ANSWER, asked_arg);
}

static void
answer_set(enum asker_result result)
{
    set(NULL, result, "no", NULL, 0, set_arg);
}

static void
hurry(void *arg)
{
    (void)arg;
    hurried++;
}

/* ---- what is read ---- */

static void
put(struct table *t, uint32_t column, uint32_t row, char kind, int64_t number,
    const char *text)
{
    const uint32_t oid[] = { column, row };
    struct table_value v = { kind, number, text, text ? strlen(text) : 0 };

    ck_assert(table_put(t, oid, 2, &v));
}

static void
told(int64_t outcome, int64_t number, const char *reason)
{
    struct table *t = &model.cluster[OF_ORDER];

    table_begin(t, false);
    put(t, ORDER_RESULT, 0, 'n', outcome, NULL);
    put(t, ORDER_LAST, 0, 'n', number, NULL);
    put(t, ORDER_REASON, 0, 's', 0, reason);
    table_commit(t);
}

static void
row(uint32_t number, int64_t kind, const char *service, int64_t state)
{
    struct table *t = &model.cluster[OF_ORDERS];

    table_begin(t, true);
    put(t, ORDERS_KIND, number, 'n', kind, NULL);
    put(t, ORDERS_SERVICE, number, 's', 0, service);
    put(t, ORDERS_NODE, number, 's', 0, "n2");
    put(t, ORDERS_STATE, number, 'n', state, NULL);
    put(t, ORDERS_TEXT, number, 's', 0, "as it went");
    table_commit(t);
}

/* ---- who gives it ---- */

static int stage;
static int64_t number;
static char text[128];

static void
progress(enum order_stage now, const char *words, int64_t n, void *arg)
{
    (void)arg;
    stage = (int)now;
    number = n;
    g_strlcpy(text, words, sizeof text);
}

static gboolean
late_cb(gpointer data)
{
    *(bool *)data = true;
    return G_SOURCE_REMOVE;
}

/* Until it is @wanted, or for so long. */
static void
run(int wanted, guint ms)
{
    bool late = false;
    guint timer = g_timeout_add(ms, late_cb, &late);

    while (!late && stage != wanted)
        g_main_context_iteration(NULL, TRUE);
    if (!late)
        g_source_remove(timer);
}

static bool
give(void)
{
    const struct order order = { .kind = ORDER_SWITCHOVER, .service = "redis" };

    return giver_give(giver, NULL, &order, progress, NULL);
}

static void
given(enum asker_result result)
{
    ck_assert(give());
    ck_assert_int_eq(stage, ORDER_SENDING);
    answer_lock(ASKER_ANSWER);
    ck_assert_int_eq(lock_sent, 77);
    ck_assert_int_eq(kind_sent, ORDER_SWITCHOVER);
    answer_set(result);
}

static void
begin(void)
{
    static const int tables[] = { OF_ORDER, OF_ORDERS };

    memset(&model, 0, sizeof model);
    model.primary = 1;
    for (int i = 0; i < 2; i++) {
        const struct table_def *def = &objects_cluster[tables[i]];

        storage[i] = calloc(1, table_storage(def));
        table_init(&model.cluster[tables[i]], def, storage[i]);
    }
    row(6, ORDER_SWITCHOVER, "redis", PROGRESS_DONE); /* an old one, like ours */
    giver = giver_new(&model, hurry, NULL);
    stage = -1;
}

static void
end(void)
{
    giver_free(giver);
    free(storage[0]);
    free(storage[1]);
}

/* ---- stories ---- */

START_TEST(accepted_and_done)
{
    given(ASKER_ANSWER);
    ck_assert_int_eq(stage, ORDER_DECIDING);
    ck_assert(!give()); /* one at a time */
    told(OUTCOME_ACCEPTED, 7, "");
    run(ORDER_RUNNING, 5000);
    ck_assert_int_eq(stage, ORDER_RUNNING);
    ck_assert_int_eq(number, 7);
    row(7, ORDER_SWITCHOVER, "redis", PROGRESS_DONE);
    run(ORDER_DONE, 5000);
    ck_assert_int_eq(stage, ORDER_DONE);
    ck_assert_str_eq(text, "as it went");
    ck_assert_uint_gt(hurried, 0);
    ck_assert(give()); /* and the next */
}
END_TEST

START_TEST(came_to_nothing)
{
    given(ASKER_ANSWER);
    told(OUTCOME_ACCEPTED, 7, "");
    row(7, ORDER_SWITCHOVER, "redis", PROGRESS_FAILED);
    run(ORDER_FAILED, 5000);
    ck_assert_int_eq(stage, ORDER_FAILED);
}
END_TEST

START_TEST(refused_with_the_reason)
{
    given(ASKER_ANSWER);
    told(OUTCOME_REFUSED, 0, "no standby is ready");
    run(ORDER_REFUSED, 5000);
    ck_assert_int_eq(stage, ORDER_REFUSED);
    ck_assert_str_eq(text, "no standby is ready");
}
END_TEST

START_TEST(without_the_right)
{
    given(ASKER_REFUSED);
    ck_assert_int_eq(stage, ORDER_NO_RIGHT);
}
END_TEST

START_TEST(no_lock_no_order)
{
    set = NULL;
    ck_assert(give());
    answer_lock(ASKER_TIMEOUT);
    ck_assert_int_eq(stage, ORDER_REFUSED);
    ck_assert_ptr_null(set);
}
END_TEST

/* The agent dies after it took the order: another node has the row. */
START_TEST(the_agent_dies)
{
    given(ASKER_ANSWER);
    model.primary = 2;
    run(ORDER_RUNNING, 400); /* the old row is not ours */
    ck_assert_int_eq(stage, ORDER_DECIDING);
    row(7, ORDER_SWITCHOVER, "mail", PROGRESS_DONE); /* nor is another service's */
    run(ORDER_RUNNING, 400);
    ck_assert_int_eq(stage, ORDER_DECIDING);
    row(8, ORDER_SWITCHOVER, "redis", PROGRESS_RUNNING);
    run(ORDER_RUNNING, 5000);
    ck_assert_int_eq(stage, ORDER_RUNNING);
    ck_assert_int_eq(number, 8);
}
END_TEST

START_TEST(no_answer_but_carried_out)
{
    given(ASKER_TIMEOUT);
    ck_assert_int_eq(stage, ORDER_DECIDING);
    row(7, ORDER_SWITCHOVER, "redis", PROGRESS_DONE);
    run(ORDER_DONE, 5000);
    ck_assert_int_eq(stage, ORDER_DONE);
}
END_TEST

/* Where the orders were not known before, an old one must not pass for ours. */
START_TEST(nothing_to_compare_with)
{
    table_forget(&model.cluster[OF_ORDERS]);
    given(ASKER_TIMEOUT);
    row(7, ORDER_SWITCHOVER, "redis", PROGRESS_DONE);
    run(ORDER_DONE, 400);
    ck_assert_int_eq(stage, ORDER_DECIDING);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("stories");

    tcase_add_checked_fixture(tc, begin, end);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, accepted_and_done);
    tcase_add_test(tc, came_to_nothing);
    tcase_add_test(tc, refused_with_the_reason);
    tcase_add_test(tc, without_the_right);
    tcase_add_test(tc, no_lock_no_order);
    tcase_add_test(tc, the_agent_dies);
    tcase_add_test(tc, no_answer_but_carried_out);
    tcase_add_test(tc, nothing_to_compare_with);
    return suite_run("gui giver", tc, NULL);
}
