/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_overrun.c - which datagram it was that the service had no room for. */
#include "sockmig/core/overrun.h"
#include "tests/suite.h"

#include <string.h>

#define CAPACITY 16u

struct datagram {
    uint8_t bytes[40 + 8 + 64];
    uint32_t size, ip;
};

/* One of @size bytes of payload, @fill in its first and @last in its last. */
static struct datagram
datagram(int version, uint8_t id, uint8_t fill, uint8_t last, uint8_t size)
{
    struct datagram d = { .ip = version == 4 ? 20 : 40 };
    uint8_t *udp = d.bytes + d.ip;

    d.size = d.ip + 8 + size;
    if (version == 4) {
        d.bytes[0] = 0x45;
        d.bytes[3] = (uint8_t)d.size;
        d.bytes[5] = id;
        d.bytes[9] = PACKET_UDP;
        d.bytes[15] = 1;
        d.bytes[19] = 2;
    } else {
        d.bytes[0] = 0x60;
        d.bytes[5] = (uint8_t)(8 + size);
        d.bytes[6] = PACKET_UDP;
        d.bytes[23] = id;
        d.bytes[39] = 2;
    }
    udp[1] = 53;
    udp[3] = 99;
    udp[5] = (uint8_t)(8 + size);
    memset(udp + 8, 0, size);
    udp[8] = fill;
    udp[8 + size - 1] = last;
    return d;
}

static void
note(struct overrun *o, uint64_t ordinal, const struct datagram *d)
{
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_IN, d->bytes, d->size));
    overrun_note(o, ordinal, &pkt);
}

static uint64_t
find(struct overrun *o, uint64_t first, uint64_t last, const struct datagram *d,
    uint32_t have)
{
    struct overrun_drop drop = { d->bytes, d->bytes + d->ip, d->bytes + d->ip + 8,
        have };

    return overrun_find(o, first, last, &drop);
}

START_TEST(the_one_that_was_dropped_is_found_once)
{
    struct overrun_id ids[CAPACITY];
    struct overrun o;

    overrun_init(&o, ids, CAPACITY);
    for (uint8_t n = 0; n < 40; n++) {
        struct datagram d = datagram(_i, 1, n, 0, 10);

        note(&o, 100u + n, &d);
    }
    for (uint8_t n = 30; n < 40; n += 3) {
        struct datagram d = datagram(_i, 1, n, 0, 10);

        ck_assert_uint_eq(find(&o, 130, 139, &d, 10), 100u + n);
        ck_assert_msg(find(&o, 130, 139, &d, 10) == 0, "a second time");
    }
    for (uint8_t n = 31; n < 40; n += 3) {
        struct datagram d = datagram(_i, 1, n, 0, 10);

        ck_assert_msg(find(&o, 130, 139, &d, 10) == 100u + n, "behind the newest");
    }
}
END_TEST

START_TEST(what_was_not_delivered_now_is_not_found)
{
    struct datagram d = datagram(_i, 1, 'a', 0, 10);
    struct datagram other = datagram(_i, 2, 'a', 0, 10);
    struct overrun_id ids[CAPACITY];
    struct overrun o;

    overrun_init(&o, ids, CAPACITY);
    note(&o, 1, &d);
    note(&o, 2, &other);
    ck_assert_uint_eq(find(&o, 2, 2, &d, 10), 0);
    ck_assert_uint_eq(find(&o, 1, 2, &other, 10), 2);
    overrun_note(&o, 17, NULL);
    ck_assert_msg(find(&o, 17, 17, &d, 10) == 0, "its place is another's");
}
END_TEST

/* Who looks the same is told apart by the payload, as far as that lay together. */
START_TEST(the_payload_counts_as_far_as_it_is_known)
{
    struct datagram a = datagram(4, 0, 'a', 0, 64), b = datagram(4, 0, 'b', 0, 64);
    struct overrun_id ids[CAPACITY];
    struct overrun o;

    overrun_init(&o, ids, CAPACITY);
    note(&o, 1, &a);
    note(&o, 2, &b);
    note(&o, 3, &b);
    ck_assert_uint_eq(find(&o, 1, 3, &b, OVERRUN_START), 2);
    ck_assert_msg(find(&o, 1, 3, &b, 4) == 3, "the next in the order of the input");
    ck_assert_msg(find(&o, 1, 3, &b, 4) == 1, "none is known to be another");
}
END_TEST

/* Of fragments the host makes one datagram: its header is not that of the first. */
START_TEST(fragments_are_known_by_the_first)
{
    struct datagram first = datagram(4, 7, 'a', 'z', 40), later = first, whole = first;
    struct overrun_id ids[CAPACITY];
    struct overrun o;

    first.bytes[6] = 0x20; /* more follow */
    later.bytes[7] = 6;
    whole.bytes[3] = 255;
    overrun_init(&o, ids, CAPACITY);
    note(&o, 1, &later);
    note(&o, 2, &first);
    note(&o, 3, &later);
    ck_assert_uint_eq(find(&o, 1, 3, &whole, OVERRUN_START), 2);
    ck_assert_uint_eq(find(&o, 1, 3, &whole, 0), 0);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    for (int version = 4; version <= 6; version += 2) {
        tcase_add_loop_test(
            tc, the_one_that_was_dropped_is_found_once, version, version + 1);
        tcase_add_loop_test(
            tc, what_was_not_delivered_now_is_not_found, version, version + 1);
    }
    tcase_add_test(tc, the_payload_counts_as_far_as_it_is_known);
    tcase_add_test(tc, fragments_are_known_by_the_first);
    return suite_run("overrun", tc, NULL);
}
