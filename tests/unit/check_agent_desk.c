/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_desk.c - orders by SET: which are taken, and how the others are refused.
 */
#include "tests/suite.h"
#include "tests/unit/sample_snapshot.h"

#include <string.h>

#define LOCK 5

static struct snapshot snap; /* megabytes */

enum what {
    END,
    LOCK_IS,
    LOCK_TEXT,
    KIND,
    KIND_TEXT,
    SERVICE,
    SERVICE_NUMBER,
    NODE,
    ENABLE,
    VALUE,
    ROW_KIND,
    ROW_SERVICE,
    ROW_NODE,
    ROW_VALUE,
    ROW_STATUS,
    OTHER_STATUS,
    NAMELESS_STATUS,
    ROW_RESULT,
    OUTCOME,
    STATE,
    NOTHING
};

/* clang-format off */
static const struct {
    enum what what;
    uint32_t oid[10], n;
    bool text;
} objects[] = {
    [LOCK_IS]        = { LOCK_IS, { 1, 4, 1, 6, 1, 0 }, 6, false },
    [LOCK_TEXT]      = { LOCK_TEXT, { 1, 4, 1, 6, 1, 0 }, 6, true },
    [KIND]           = { KIND, { 1, 4, 1, 6, 2, 0 }, 6, false },
    [KIND_TEXT]      = { KIND_TEXT, { 1, 4, 1, 6, 2, 0 }, 6, true },
    [SERVICE]        = { SERVICE, { 1, 4, 1, 6, 3, 0 }, 6, true },
    [SERVICE_NUMBER] = { SERVICE_NUMBER, { 1, 4, 1, 6, 3, 0 }, 6, false },
    [NODE]           = { NODE, { 1, 4, 1, 6, 4, 0 }, 6, true },
    [ENABLE]         = { ENABLE, { 1, 2, 1, 4, 1, 0 }, 6, false },
    [VALUE]          = { VALUE, { 1, 4, 1, 6, 8, 0 }, 6, true },
    [ROW_KIND]       = { ROW_KIND, { 1, 4, 1, 9, 1, 3, 2, 'o', 'p', 7 }, 10, false },
    [ROW_SERVICE]    = { ROW_SERVICE, { 1, 4, 1, 9, 1, 4, 2, 'o', 'p', 7 }, 10, true },
    [ROW_NODE]       = { ROW_NODE, { 1, 4, 1, 9, 1, 5, 2, 'o', 'p', 7 }, 10, true },
    [ROW_VALUE]      = { ROW_VALUE, { 1, 4, 1, 9, 1, 6, 2, 'o', 'p', 7 }, 10, true },
    [ROW_STATUS]     = { ROW_STATUS, { 1, 4, 1, 9, 1, 12, 2, 'o', 'p', 7 }, 10, false },
    [OTHER_STATUS]   = { OTHER_STATUS, { 1, 4, 1, 9, 1, 12, 2, 'o', 'p', 8 }, 10, false },
    [NAMELESS_STATUS] = { NAMELESS_STATUS, { 1, 4, 1, 9, 1, 12, 0, 7 }, 8, false },
    [ROW_RESULT]     = { ROW_RESULT, { 1, 4, 1, 9, 1, 7, 2, 'o', 'p', 7 }, 10, false },
    [OUTCOME]        = { OUTCOME, { 1, 4, 1, 6, 5, 0 }, 6, false },
    [STATE]          = { STATE, { 1, 4, 1, 1, 2, 0 }, 6, false },
    [NOTHING]        = { NOTHING, { 1, 4, 1, 6, 1, 1 }, 6, false },
};

static const struct {
    const char *claim;
    struct { enum what what; int64_t number; const char *text; } set[6];
    bool away, pending, row; /* the supervisor; an earlier order; a row op.7 is there */
    enum set_error error;
    uint32_t at; /* the binding to blame */
    bool order;  /* one is forwarded */
} rows[] = {
    { "an order with a node is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "redis" }, { NODE, 0, "n1" } },
        .error = SET_OK, .order = true },
    { "in any order of its parts", { { NODE, 0, "n1" }, { SERVICE, 0, "redis" }, { KIND, 1, 0 }, { LOCK_IS, LOCK, 0 } },
        .error = SET_OK, .order = true },
    { "an order without a node is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "redis" } },
        .error = SET_OK, .order = true },
    { "an empty node is none", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "redis" }, { NODE, 0, "" } },
        .error = SET_OK, .order = true },
    { "the lock alone may be set, and orders nothing", { { LOCK_IS, LOCK, 0 } }, .error = SET_OK },
    { "notifications may be switched off", { { ENABLE, 2, 0 } }, .error = SET_OK },
    { "a stale lock is refused", { { KIND, 1, 0 }, { LOCK_IS, LOCK - 1, 0 }, { SERVICE, 0, "redis" } },
        .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "no lock is refused", { { KIND, 1, 0 }, { SERVICE, 0, "redis" } }, .error = SET_INCONSISTENT_VALUE },
    { "no kind is refused", { { LOCK_IS, LOCK, 0 }, { SERVICE, 0, "redis" } }, .error = SET_INCONSISTENT_VALUE },
    { "no service is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 } }, .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "a node alone is refused", { { NODE, 0, "n1" } }, .error = SET_INCONSISTENT_VALUE },
    { "an unknown service is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "mail" } },
        .error = SET_INCONSISTENT_VALUE, .at = 2 },
    { "an unknown node is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "redis" }, { NODE, 0, "n9" } },
        .error = SET_INCONSISTENT_VALUE, .at = 3 },
    { "a part twice is refused", { { LOCK_IS, LOCK, 0 }, { LOCK_IS, LOCK, 0 } }, .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "an unknown kind is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 11, 0 } }, .error = SET_WRONG_VALUE, .at = 1 },
    { "a drain is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 2, 0 }, { NODE, 0, "n1" } }, .order = true },
    { "a drain needs a node", { { LOCK_IS, LOCK, 0 }, { KIND, 2, 0 } }, .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "a drain has no service", { { LOCK_IS, LOCK, 0 }, { KIND, 2, 0 }, { NODE, 0, "n1" }, { SERVICE, 0, "redis" } },
        .error = SET_INCONSISTENT_VALUE, .at = 3 },
    { "a resume is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 3, 0 }, { NODE, 0, "n1" } }, .order = true },
    { "maintenance of the cluster is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 4, 0 }, { VALUE, 0, "on" } }, .order = true },
    { "and of a node", { { LOCK_IS, LOCK, 0 }, { KIND, 4, 0 }, { VALUE, 0, "off" }, { NODE, 0, "n1" } }, .order = true },
    { "but not of a node and a service", { { LOCK_IS, LOCK, 0 }, { KIND, 4, 0 }, { VALUE, 0, "on" }, { NODE, 0, "n1" }, { SERVICE, 0, "redis" } },
        .error = SET_INCONSISTENT_VALUE, .at = 3 },
    { "nor without a value", { { LOCK_IS, LOCK, 0 }, { KIND, 4, 0 } }, .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "nor with a third one", { { LOCK_IS, LOCK, 0 }, { KIND, 4, 0 }, { VALUE, 0, "maybe" } }, .error = SET_INCONSISTENT_VALUE, .at = 2 },
    { "a policy is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 5, 0 }, { SERVICE, 0, "redis" }, { VALUE, 0, "replay" } }, .order = true },
    { "an unknown policy is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 5, 0 }, { SERVICE, 0, "redis" }, { VALUE, 0, "hot" } },
        .error = SET_INCONSISTENT_VALUE, .at = 3 },
    { "a checkpoint is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 6, 0 }, { SERVICE, 0, "redis" } }, .order = true },
    { "an interval is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 7, 0 }, { SERVICE, 0, "redis" }, { VALUE, 0, "60000" } }, .order = true },
    { "0 is as configured", { { LOCK_IS, LOCK, 0 }, { KIND, 7, 0 }, { SERVICE, 0, "redis" }, { VALUE, 0, "0" } }, .order = true },
    { "a long interval is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 7, 0 }, { SERVICE, 0, "redis" }, { VALUE, 0, "60001" } },
        .error = SET_INCONSISTENT_VALUE, .at = 3 },
    { "a number with a sign is refused", { { LOCK_IS, LOCK, 0 }, { KIND, 7, 0 }, { SERVICE, 0, "redis" }, { VALUE, 0, "-5" } },
        .error = SET_INCONSISTENT_VALUE, .at = 3 },
    { "failures are forgotten", { { LOCK_IS, LOCK, 0 }, { KIND, 8, 0 }, { SERVICE, 0, "redis" } }, .order = true },
    { "of no service are not", { { LOCK_IS, LOCK, 0 }, { KIND, 8, 0 }, { NODE, 0, "n1" } }, .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "an event is acknowledged", { { LOCK_IS, LOCK, 0 }, { KIND, 9, 0 }, { VALUE, 0, "4294967295" } }, .order = true },
    { "event 0 is not", { { LOCK_IS, LOCK, 0 }, { KIND, 9, 0 }, { VALUE, 0, "0" } }, .error = SET_INCONSISTENT_VALUE, .at = 2 },
    { "a row is an order", { { ROW_STATUS, 4, 0 }, { ROW_KIND, 1, 0 }, { ROW_SERVICE, 0, "redis" } }, .order = true },
    { "and may be guarded by the lock", { { LOCK_IS, LOCK, 0 }, { ROW_KIND, 2, 0 }, { ROW_NODE, 0, "n1" }, { ROW_STATUS, 4, 0 } }, .order = true },
    { "a row with a stale lock is refused", { { LOCK_IS, LOCK + 1, 0 }, { ROW_KIND, 2, 0 }, { ROW_NODE, 0, "n1" }, { ROW_STATUS, 4, 0 } },
        .error = SET_INCONSISTENT_VALUE },
    { "a row is not made without its status", { { ROW_KIND, 1, 0 }, { ROW_SERVICE, 0, "redis" } }, .error = SET_INCONSISTENT_NAME },
    { "nor without a kind", { { ROW_STATUS, 4, 0 }, { ROW_SERVICE, 0, "redis" } }, .error = SET_INCONSISTENT_VALUE },
    { "nor to wait", { { ROW_STATUS, 5, 0 }, { ROW_KIND, 1, 0 } }, .error = SET_WRONG_VALUE },
    { "nor nameless", { { NAMELESS_STATUS, 4, 0 } }, .error = SET_NO_CREATION },
    { "nor two at once", { { ROW_STATUS, 4, 0 }, { OTHER_STATUS, 4, 0 } }, .error = SET_INCONSISTENT_VALUE, .at = 1 },
    { "nor with the scalars", { { LOCK_IS, LOCK, 0 }, { ROW_STATUS, 4, 0 }, { KIND, 1, 0 } }, .error = SET_INCONSISTENT_VALUE },
    { "nor twice", { { ROW_KIND, 1, 0 }, { ROW_SERVICE, 0, "redis" }, { ROW_STATUS, 4, 0 } }, .row = true,
        .error = SET_INCONSISTENT_VALUE, .at = 2 },
    { "a row's parts do not change", { { ROW_VALUE, 0, "on" } }, .row = true, .error = SET_INCONSISTENT_VALUE },
    { "a row's result cannot be set", { { ROW_RESULT, 1, 0 } }, .row = true, .error = SET_NOT_WRITABLE },
    { "a row may be destroyed", { { ROW_STATUS, 6, 0 } }, .row = true },
    { "and is active", { { ROW_STATUS, 1, 0 } }, .row = true },
    { "one that is not there is not active", { { ROW_STATUS, 1, 0 } }, .error = SET_INCONSISTENT_NAME },
    { "and is destroyed already", { { ROW_STATUS, 6, 0 } }, .error = SET_OK },
    { "a row that is waited for is kept", { { ROW_STATUS, 6, 0 } }, .row = true, .pending = true, .error = SET_INCONSISTENT_VALUE },
    { "without a supervisor no row is made", { { ROW_KIND, 1, 0 }, { ROW_SERVICE, 0, "redis" }, { ROW_STATUS, 4, 0 } },
        .away = true, .error = SET_UNAVAILABLE, .at = 0 },
    { "the kind none is refused", { { KIND, 0, 0 } }, .error = SET_WRONG_VALUE },
    { "a negative lock is refused", { { LOCK_IS, -1, 0 } }, .error = SET_WRONG_VALUE },
    { "an upper-case name is refused", { { SERVICE, 0, "Redis" } }, .error = SET_WRONG_VALUE },
    { "a name that is too long is refused", { { SERVICE, 0, "a234567890123456789012345678901x" } },
        .error = SET_WRONG_LENGTH },
    { "a text is no lock", { { LOCK_TEXT, 0, "5" } }, .error = SET_WRONG_TYPE },
    { "a text is no kind", { { KIND_TEXT, 0, "switchover" } }, .error = SET_WRONG_TYPE },
    { "a number is no service", { { SERVICE_NUMBER, 1, 0 } }, .error = SET_WRONG_TYPE },
    { "a third truth is refused", { { ENABLE, 3, 0 } }, .error = SET_WRONG_VALUE },
    { "the result cannot be set", { { OUTCOME, 1, 0 } }, .error = SET_NOT_WRITABLE },
    { "nor the state of the cluster", { { STATE, 1, 0 } }, .error = SET_NOT_WRITABLE },
    { "nor what is not there", { { NOTHING, 1, 0 } }, .error = SET_NO_CREATION },
    { "without a supervisor nothing is taken", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "redis" } },
        .away = true, .error = SET_UNAVAILABLE },
    { "nor while an order is not answered", { { LOCK_IS, LOCK, 0 }, { KIND, 1, 0 }, { SERVICE, 0, "redis" } },
        .pending = true, .error = SET_UNAVAILABLE },
};
/* clang-format on */

START_TEST(set)
{
    static struct desk d;
    struct desk_request r = { 0 };
    enum set_error error = SET_OK;
    uint32_t at = 0, n = 0;
    bool order = false;

    desk_init(&d, LOCK);
    if (rows[_i].pending)
        d.scalars = (struct desk_given){ .serial = 1, .outcome = OUTCOME_PENDING };
    if (rows[_i].row)
        d.rows[3] = (struct desk_given){ .serial = 1,
            .outcome = rows[_i].pending ? OUTCOME_PENDING : OUTCOME_ACCEPTED,
            .index = { 2, 'o', 'p', 7 },
            .nindex = 4 };
    sample_snapshot(&snap, !rows[_i].away, &d);
    for (; rows[_i].set[n].what != END && error == SET_OK; n++) {
        enum what w = rows[_i].set[n].what;
        const char *text = rows[_i].set[n].text;
        struct desk_binding b = { .oid = objects[w].oid,
            .noid = objects[w].n,
            .is_text = objects[w].text,
            .is_number = !objects[w].text,
            .number = rows[_i].set[n].number,
            .text = text,
            .size = text ? (uint32_t)strlen(text) : 0 };

        error = desk_syntax(&snap, &b, n, &r);
        at = n;
    }
    if (error == SET_OK)
        error = desk_check(&d, &snap, &r, &at);
    ck_assert_msg(error == rows[_i].error, "%s: error %d", rows[_i].claim, error);
    if (error != SET_OK) {
        ck_assert_msg(at == rows[_i].at, "%s: blames %u", rows[_i].claim, at);
        return;
    }
    order = desk_take(&d, &r, 1000, 5) != NULL;
    ck_assert_msg(order == rows[_i].order, "%s: forwarded or not", rows[_i].claim);
    ck_assert_int_eq(d.lock, LOCK + r.has[DESK_LOCK]);
    ck_assert_int_eq(d.enable, !r.has[DESK_ENABLE]);
    snapshot_clear(&snap);
    desk_show(&d, &snap);
    ck_assert_msg(
        snap.requests.n == (r.has[DESK_ROW_STATUS] && r.status != ROW_DESTROY),
        "%s: a row is there or not", rows[_i].claim);
}
END_TEST

START_TEST(lock_wraps_to_zero)
{
    struct desk_request r = { .has = { [DESK_LOCK] = true } };
    static struct desk d;

    desk_init(&d, INT32_MAX);
    desk_take(&d, &r, 0, 0);
    ck_assert_int_eq(d.lock, 0);
}
END_TEST

START_TEST(answers_are_kept)
{
    struct desk_request r = { .has = { [DESK_KIND] = true }, .order.kind = 1 };
    static struct desk d;

    desk_init(&d, 1);
    desk_answered(&d, 1, true, 9, NULL);
    ck_assert_msg(
        d.scalars.outcome == OUTCOME_NONE, "an answer that nobody waits for counts");
    ck_assert_uint_eq(desk_take(&d, &r, 0, 0)->serial, 1);
    desk_answered(&d, 2, true, 40, NULL);
    ck_assert_msg(d.scalars.outcome == OUTCOME_PENDING, "the answer to another counts");
    desk_answered(&d, 1, true, 41, NULL);
    ck_assert_int_eq(d.scalars.outcome, OUTCOME_ACCEPTED);
    ck_assert_int_eq(d.scalars.number, 41);
    desk_take(&d, &r, 0, 0);
    desk_answered(&d, 2, false, 0, "not quorate");
    ck_assert_int_eq(d.scalars.outcome, OUTCOME_REFUSED);
    ck_assert_str_eq(d.scalars.reason, "not quorate");
    ck_assert_msg(d.scalars.number == 41, "the last accepted number was lost");
    desk_take(&d, &r, 100, 0);
    ck_assert_str_eq(d.scalars.reason, "");
    ck_assert(!desk_give_up(&d, 100, "early"));
    ck_assert(desk_give_up(&d, 101, "gone"));
    ck_assert_int_eq(d.scalars.outcome, OUTCOME_UNANSWERED);
    ck_assert(!desk_give_up(&d, INT64_MAX, "again"));
    ck_assert_str_eq(d.scalars.reason, "gone");
}
END_TEST

START_TEST(the_owner_is_the_index)
{
    struct desk_given g = { .index = { 2, 'o', 'p', 7 }, .nindex = 4 };
    char name[SNAP_NAME];

    desk_owner(&g, name, sizeof name);
    ck_assert_str_eq(name, "op");
    g.nindex = 0;
    desk_owner(&g, name, sizeof name);
    ck_assert_str_eq(name, "");
}
END_TEST

/* Rows of old orders make place for new ones; those that are waited for stay. */
START_TEST(old_rows_make_place)
{
    static struct desk d;
    struct desk_request r = { .is_row = true,
        .status = ROW_CREATE_AND_GO,
        .nindex = 4,
        .index = { 2, 'o', 'p', 0 },
        .order.kind = ORDER_CHECKPOINT };
    uint32_t at;

    desk_init(&d, 1);
    sample_snapshot(&snap, true, &d);
    r.has[DESK_ROW_STATUS] = r.has[DESK_ROW_KIND] = r.has[DESK_ROW_SERVICE] = true;
    strcpy(r.order.service, "redis");
    for (uint32_t i = 1; i <= SNAP_REQUESTS + 5; i++) {
        r.index[3] = i;
        ck_assert_int_eq(desk_check(&d, &snap, &r, &at), SET_OK);
        ck_assert_uint_eq(desk_take(&d, &r, i, 0)->serial, i);
        if (i != 3)
            desk_answered(&d, i, true, i, NULL);
    }
    snapshot_clear(&snap);
    desk_show(&d, &snap);
    ck_assert_uint_eq(snap.requests.n, SNAP_REQUESTS);
    ck_assert_msg(
        snap.requests.v[0].row.index[3] == 3, "one that is waited for is gone");
    ck_assert_uint_eq(snap.requests.v[1].row.index[3], 7);
}
END_TEST

START_TEST(few_may_wait)
{
    static struct desk d;
    struct desk_request r = { .is_row = true,
        .status = ROW_CREATE_AND_GO,
        .nindex = 4,
        .index = { 2, 'o', 'p', 0 },
        .order.kind = ORDER_CHECKPOINT };
    uint32_t at;

    desk_init(&d, 1);
    sample_snapshot(&snap, true, &d);
    r.has[DESK_ROW_STATUS] = r.has[DESK_ROW_KIND] = r.has[DESK_ROW_SERVICE] = true;
    strcpy(r.order.service, "redis");
    for (uint32_t i = 1; i <= DESK_PENDING; i++) {
        r.index[3] = i;
        ck_assert_int_eq(desk_check(&d, &snap, &r, &at), SET_OK);
        desk_take(&d, &r, i, 0);
    }
    r.index[3] = DESK_PENDING + 1;
    ck_assert_int_eq(desk_check(&d, &snap, &r, &at), SET_UNAVAILABLE);
    desk_answered(&d, 2, false, 0, "no");
    ck_assert_int_eq(desk_check(&d, &snap, &r, &at), SET_OK);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("desk");

    ADD_ROWS(tc, set, rows);
    tcase_add_test(tc, lock_wraps_to_zero);
    tcase_add_test(tc, answers_are_kept);
    tcase_add_test(tc, the_owner_is_the_index);
    tcase_add_test(tc, old_rows_make_place);
    tcase_add_test(tc, few_may_wait);
    return suite_run("agent-desk", tc, NULL);
}
