/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_known.c - pages of checkpoints as what changed in them (core/known.h). */
#include "sockmig/core/known.h"
#include "tests/dice.h"
#include "tests/suite.h"

#include <string.h>

#define PAGES 9000u /* more than have a place */
#define STEPS 60000u

/* One end of a stream. */
struct end {
    struct known known;
    uint8_t pages[KNOWN_PLACES * (size_t)KNOWN_PAGE];
};

static struct end sender, receiver;
static uint8_t memory[PAGES * (size_t)KNOWN_PAGE], coded[KNOWN_CODED];

static void
setup(void)
{
    known_init(&sender.known, sender.pages);
    known_init(&receiver.known, receiver.pages);
    memset(memory, 0, sizeof memory);
}

static struct known_page
page(uint32_t i, bool kept)
{
    return (struct known_page){ .address = 0x7f0000000000 + (uint64_t)i * KNOWN_PAGE,
        .process = i % 3,
        .kept = kept };
}

/* @at, sent; the bytes that it took. */
static size_t
sent(struct known_page which, const uint8_t *at)
{
    uint8_t got[KNOWN_PAGE];
    size_t n = known_code(&sender.known, which, at, coded);

    memset(got, 0xa5, sizeof got);
    ck_assert_uint_le(n, sizeof coded);
    ck_assert_uint_eq(known_decode(&receiver.known, which, coded, n, got), n);
    ck_assert(memcmp(got, at, KNOWN_PAGE) == 0);
    return n;
}

START_TEST(only_lines_that_changed_are_sent)
{
    uint8_t at[KNOWN_PAGE];

    for (unsigned i = 0; i < sizeof at; i++)
        at[i] = (uint8_t)(i / 64 + 1);
    ck_assert_uint_eq(sent(page(1, true), at), KNOWN_CODED);
    ck_assert_uint_eq(sent(page(1, true), at), 8);
    at[63] ^= 1;
    at[64] ^= 1;
    at[KNOWN_PAGE - 1] ^= 1;
    ck_assert_uint_eq(sent(page(1, true), at), 8 + 3 * 64);
    ck_assert_uint_eq(sent(page(1, true), at), 8);
}
END_TEST

START_TEST(a_page_of_zeroes_is_eight_bytes)
{
    uint8_t at[KNOWN_PAGE] = { 0 };

    ck_assert_uint_eq(sent(page(1, true), at), 8);
    at[100] = 1;
    ck_assert_uint_eq(sent(page(1, true), at), 8 + 64);
    at[100] = 0; /* and back: what it is kept as is not zeroes */
    ck_assert_uint_eq(sent(page(1, true), at), 8 + 64);
}
END_TEST

START_TEST(what_is_not_kept_does_not_take_a_place)
{
    uint8_t at[KNOWN_PAGE], other[KNOWN_PAGE];

    memset(at, 1, sizeof at);
    memset(other, 2, sizeof other);
    ck_assert_uint_eq(sent(page(1, false), at), KNOWN_CODED);
    ck_assert_uint_eq(sent(page(1, false), at), KNOWN_CODED);
    ck_assert_uint_eq(sent(page(1, true), at), KNOWN_CODED);
    ck_assert_uint_eq(sent(page(1, false), other), KNOWN_CODED);
    ck_assert_uint_eq(sent(page(1, true), at), 8);
}
END_TEST

START_TEST(both_ends_begin_anew)
{
    uint8_t at[KNOWN_PAGE];

    memset(at, 1, sizeof at);
    sent(page(1, true), at);
    known_forget(&sender.known);
    known_forget(&receiver.known);
    ck_assert_uint_eq(sent(page(1, true), at), KNOWN_CODED);
}
END_TEST

START_TEST(a_cut_page_is_refused_and_changes_nothing)
{
    uint8_t at[KNOWN_PAGE], got[KNOWN_PAGE];
    size_t n;

    memset(at, 1, sizeof at);
    sent(page(1, true), at);
    at[5] = at[500] = 2;
    n = known_code(&sender.known, page(1, true), at, coded);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_uint_eq(
            known_decode(&receiver.known, page(1, true), coded, cut, got), 0);
    ck_assert_uint_eq(known_decode(&receiver.known, page(1, true), coded, n, got), n);
    ck_assert(memcmp(got, at, KNOWN_PAGE) == 0);
}
END_TEST

/* Pages of three processes, more than are kept, written here and there, dropped, and
 * now and then a stream that begins anew. */
START_TEST(the_receiver_has_what_was_sent)
{
    uint64_t seed = 4711, bytes = 0;

    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t i = dice(&seed, dice(&seed, 2) ? PAGES : 50);
        uint8_t *at = memory + (size_t)i * KNOWN_PAGE;

        for (unsigned n = dice(&seed, 4); n > 0; n--)
            at[dice(&seed, KNOWN_PAGE)] = (uint8_t)dice(&seed, 256);
        if (dice(&seed, 50) == 0)
            memset(at, 0, KNOWN_PAGE);
        if (dice(&seed, 5000) == 0) {
            known_forget(&sender.known);
            known_forget(&receiver.known);
        }
        bytes += sent(page(i, dice(&seed, 8) != 0), at);
    }
    ck_assert_uint_lt(bytes, STEPS * (uint64_t)KNOWN_PAGE / 4);
}
END_TEST

int
main(void)
{
    TCase *t = tcase_create("pages");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, only_lines_that_changed_are_sent);
    tcase_add_test(t, a_page_of_zeroes_is_eight_bytes);
    tcase_add_test(t, what_is_not_kept_does_not_take_a_place);
    tcase_add_test(t, both_ends_begin_anew);
    tcase_add_test(t, a_cut_page_is_refused_and_changes_nothing);
    tcase_add_test(t, the_receiver_has_what_was_sent);
    tcase_set_timeout(t, 60);
    return suite_run("known pages", t, NULL);
}
