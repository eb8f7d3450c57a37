/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_packet_ring.c - packets in a ring of bytes, over thousands of fillings: none in
 * the place of another, and room wherever there is some. */
#include "sockmig/core/packet_ring.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

#define BYTES 4096u
#define LONGEST 512u
#define HELD (BYTES / PACKET_RING_ALIGN)

struct held {
    uint32_t at, size;
};

static struct {
    struct packet_ring ring;
    uint8_t owner[BYTES]; /* 0: nobody's */
    struct held held[HELD];
    unsigned first, count;
} sim;

static void
put(uint32_t at, uint32_t size)
{
    struct held *h = &sim.held[(sim.first + sim.count++) % HELD];

    ck_assert_msg(at % PACKET_RING_ALIGN == 0 && at + LONGEST <= BYTES,
        "in one piece, and aligned");
    for (uint32_t i = 0; i < size; i++) {
        ck_assert_msg(sim.owner[at + i] == 0, "another packet's place");
        sim.owner[at + i] = 1;
    }
    *h = (struct held){ at, size };
    packet_ring_take(&sim.ring, size);
}

static void
get(void)
{
    struct held *h = &sim.held[sim.first++ % HELD];

    memset(sim.owner + h->at, 0, h->size);
    sim.count--;
}

static uint32_t
place(void)
{
    return packet_ring_place(&sim.ring, sim.count > 0, sim.held[sim.first % HELD].at);
}

static void
begin(void)
{
    memset(&sim, 0, sizeof sim);
    sim.ring = (struct packet_ring){ .bytes = BYTES, .longest = LONGEST };
}

START_TEST(no_packet_comes_into_the_place_of_another)
{
    unsigned wraps = 0, full = 0;

    srand((unsigned)_i);
    begin();
    for (int turn = 0; turn < 4000; turn++) {
        /* fuller in some stretches, emptier in others */
        unsigned lean = turn / 200 % 3;
        uint32_t at = place();

        if (at == PACKET_RING_FULL) {
            ck_assert_msg(sim.count > 0, "an empty ring has room");
            full++;
            get();
            continue;
        }
        wraps += at == 0;
        if ((unsigned)rand() % 4 > lean || sim.count == 0)
            put(at, 1 + (uint32_t)rand() % LONGEST);
        else
            get();
    }
    ck_assert_msg(wraps > 10 && full > 10, "it has been full, and begun again");
}
END_TEST

START_TEST(an_empty_ring_begins_again)
{
    begin();
    put(place(), 100);
    put(place(), 100);
    ck_assert_uint_eq(place(), 256);
    get();
    ck_assert_uint_eq(place(), 256);
    get();
    ck_assert_uint_eq(place(), 0);
}
END_TEST

START_TEST(a_full_ring_says_so)
{
    unsigned n = 0;

    begin();
    for (uint32_t at; (at = place()) != PACKET_RING_FULL; n++)
        put(at, LONGEST);
    ck_assert_uint_eq(n, BYTES / LONGEST);
    ck_assert_msg(place() == PACKET_RING_FULL, "it stays full");
    get();
    ck_assert_msg(place() == PACKET_RING_FULL, "never filled up: full is not empty");
    get();
    ck_assert_msg(place() == 0, "two that went have room for one");
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    tcase_add_loop_test(tc, no_packet_comes_into_the_place_of_another, 0, 100);
    tcase_add_test(tc, an_empty_ring_begins_again);
    tcase_add_test(tc, a_full_ring_says_so);
    return suite_run("packet_ring", tc, NULL);
}
