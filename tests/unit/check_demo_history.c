/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_demo_history.c - the demo's client must see each lie it is told. */
#include "supervisor/cli/demo_history.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_INCR = 0, RANDOM_SET = 2, RANDOM_GET = 3 };

static struct history h;
static char out[HISTORY_MAX_VALUE + 4096];

static void
setup(void)
{
    history_init(&h, 7, 1);
}

static size_t
tell(const char *reply)
{
    return history_reply(&h, reply, strlen(reply));
}

/* An acknowledged SET of key 0 whose value has the size of @seed. */
static uint32_t
set_key(uint32_t seed)
{
    history_next(&h, ((uint64_t)seed << 16) | RANDOM_SET, out, sizeof out);
    tell("+OK\r\n");
    return h.value[0];
}

static char *
bulk(uint32_t seed, size_t *size)
{
    char *text = malloc(HISTORY_MAX_VALUE + 64), *value = malloc(HISTORY_MAX_VALUE);
    size_t n = history_value(seed, value);
    int head = sprintf(text, "$%zu\r\n", n);

    memcpy(text + head, value, n);
    memcpy(text + head + n, "\r\n", 2);
    *size = (size_t)head + n + 2;
    free(value);
    return text;
}

START_TEST(counts)
{
    history_next(&h, RANDOM_INCR, out, sizeof out);
    ck_assert_str_eq(out, "INCR c:1:7\r\n");
    ck_assert_uint_eq(tell(":1\r\n"), 4);
    history_next(&h, RANDOM_INCR, out, sizeof out);
    tell(":2\r\n");
    ck_assert_uint_eq(h.wrong_bytes, 0);
}
END_TEST

START_TEST(sees_a_lost_write)
{
    history_next(&h, RANDOM_INCR, out, sizeof out);
    tell(":1\r\n");
    history_next(&h, RANDOM_INCR, out, sizeof out);
    tell(":1\r\n");
    ck_assert_uint_gt(h.wrong_bytes, 0);
}
END_TEST

START_TEST(sees_a_write_done_twice)
{
    history_next(&h, RANDOM_INCR, out, sizeof out);
    tell(":2\r\n");
    ck_assert_uint_gt(h.wrong_bytes, 0);
}
END_TEST

START_TEST(sees_an_error)
{
    history_next(&h, RANDOM_INCR, out, sizeof out);
    tell("-ERR no\r\n");
    ck_assert_uint_gt(h.wrong_bytes, 0);
}
END_TEST

START_TEST(takes_the_right_value)
{
    size_t size;
    char *text = bulk(set_key((uint32_t)_i * 16 + 1), &size);

    history_next(&h, RANDOM_GET, out, sizeof out);
    ck_assert_uint_eq(history_reply(&h, text, size - 1), 0); /* not complete */
    ck_assert_uint_eq(history_reply(&h, text, size), size);
    ck_assert_uint_eq(h.wrong_bytes, 0);
    free(text);
}
END_TEST

START_TEST(sees_one_wrong_byte)
{
    size_t size;
    char *text = bulk(set_key((uint32_t)_i * 16 + 1), &size);

    history_next(&h, RANDOM_GET, out, sizeof out);
    text[size - 3] ^= 1;
    history_reply(&h, text, size);
    ck_assert_uint_eq(h.wrong_bytes, 1);
    free(text);
}
END_TEST

START_TEST(sees_an_older_value)
{
    uint32_t old = set_key(17);
    size_t size;
    char *text = bulk(old, &size);

    set_key(33);
    history_next(&h, RANDOM_GET, out, sizeof out);
    history_reply(&h, text, size);
    ck_assert_uint_gt(h.wrong_bytes, 0);
    free(text);
}
END_TEST

START_TEST(sees_a_missing_value_at_the_end)
{
    set_key(17);
    history_final_begin(&h);
    ck_assert(!history_final_done(&h));
    history_next(&h, 0, out, sizeof out);
    tell("$-1\r\n");
    ck_assert_uint_eq(h.lost, 1);
    history_next(&h, 0, out, sizeof out);
    ck_assert_str_eq(out, "GET c:1:7\r\n");
    ck_assert(history_final_done(&h));
}
END_TEST

START_TEST(sees_a_counter_that_is_behind_at_the_end)
{
    history_next(&h, RANDOM_INCR, out, sizeof out);
    tell(":1\r\n");
    history_final_begin(&h);
    history_next(&h, 0, out, sizeof out);
    tell("$-1\r\n");
    ck_assert_uint_eq(h.lost, 1);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("demo_history");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, counts);
    tcase_add_test(tc, sees_a_lost_write);
    tcase_add_test(tc, sees_a_write_done_twice);
    tcase_add_test(tc, sees_an_error);
    tcase_add_loop_test(tc, takes_the_right_value, 0, 8);
    tcase_add_loop_test(tc, sees_one_wrong_byte, 0, 8);
    tcase_add_test(tc, sees_an_older_value);
    tcase_add_test(tc, sees_a_missing_value_at_the_end);
    tcase_add_test(tc, sees_a_counter_that_is_behind_at_the_end);
    return suite_run("demo_history", tc, NULL);
}
