/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_rmcast.c - the multicast channel's core and its seals: one claim a test. */
#include "lib/seal.h"
#include "sockmig/core/rmcast.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

#define RING 1024u

static const struct rmcast_tx_options options = {
    .payload = 100, .flight = 400, .beat_us = 10000, .late_us = 50000, .resend_us = 1000
};
static uint8_t sent_ring[RING], got_ring[RING], text[2 * RING];
static struct rmcast_tx tx;
static struct rmcast_rx rx;

static struct mono
us(int64_t t)
{
    return (struct mono){ 1000000 + t };
}

static bool
append(size_t n)
{
    struct rmcast_bytes piece = { text, n };

    return rmcast_tx_append(&tx, &piece, 1);
}

/* Two members in the set, nothing under way. */
static void
fresh(void)
{
    struct rmcast_out out;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7);
    rmcast_tx_init(&tx, &options, sent_ring, RING, us(0));
    rmcast_tx_join(&tx, 1, 0, us(0));
    rmcast_tx_join(&tx, 2, 0, us(0));
    rmcast_tx_set(&tx, 6, us(0));
    while (rmcast_tx_next(&tx, us(0), &out))
        ;
    rmcast_rx_init(&rx, got_ring, RING, 0);
}

static unsigned
send_all(int64_t at, struct rmcast_out *outs)
{
    unsigned n = 0;

    while (n < 20 && rmcast_tx_next(&tx, us(at), &outs[n]))
        n++;
    return n;
}

static void
ack(unsigned node, uint64_t have, int64_t at)
{
    struct rmcast_ack a = { .have = have,
        .limit = have + RING,
        .echo = tx.counter,
        .stamp = (uint32_t)us(at - 100).us };

    rmcast_tx_acked(&tx, node, &a, us(at));
}

static void
data(uint64_t counter, uint64_t position, size_t size, uint64_t sent, unsigned flags)
{
    struct rmcast_data d = { position, sent, 5, flags, text, size };

    rmcast_rx_data(&rx, counter, &d);
}

START_TEST(datagrams_are_filled)
{
    struct rmcast_out o[20];

    fresh();
    append(150);
    ck_assert_uint_eq(send_all(1, o), 1);
    ck_assert_msg(o[0].size == 100 && o[0].to == 6, "a full one leaves by itself");
    rmcast_tx_flush(&tx);
    ck_assert_uint_eq(send_all(2, o), 1);
    ck_assert_msg(o[0].size == 50, "the end of the flush goes with it");
    append(50);
    rmcast_tx_flush(&tx);
    ck_assert_msg(send_all(3, o) == 0, "a short one waits while another is under way");
    ack(1, 150, 3);
    append(10);
    ck_assert_msg(send_all(4, o) == 0, "to anyone of the set");
    ack(2, 150, 5);
    rmcast_tx_flush(&tx);
    ck_assert_uint_eq(send_all(6, o), 1);
    ck_assert_msg(o[0].size == 60, "and takes along what came meanwhile");
    append(20);
    rmcast_tx_flush(&tx);
    ck_assert_msg(send_all(7, o) == 0, "it is under way, too");
    ack(1, 210, 7);
    ack(2, 210, 7);
    ck_assert_uint_eq(send_all(7, o), 1);
    ack(1, 230, 7);
    ack(2, 230, 7);
    append(250);
    rmcast_tx_flush(&tx);
    ck_assert_uint_eq(send_all(8, o), 3);
    ck_assert_msg(o[2].size == 50, "a flush of several leaves whole");
    ack(1, 480, 8);
    ack(2, 480, 8);
    append(20);
    ck_assert_msg(send_all(8, o) == 0, "nobody is in a hurry");
    rmcast_tx_flush(&tx);
    ck_assert_msg(send_all(9, o) == 1 && o[0].size == 20, "alone, at a flush");
}
END_TEST

START_TEST(what_nobody_waits_for_delays_nothing)
{
    struct rmcast_out o[20];

    fresh();
    append(100);
    send_all(1, o);
    rmcast_tx_set(&tx, 0, us(2));
    append(50);
    rmcast_tx_flush(&tx);
    ck_assert_msg(send_all(3, o) == 1 && o[0].size == 50, "no set");
    rmcast_tx_set(&tx, 6, us(4));
    rmcast_tx_leave(&tx, 1);
    ack(2, 150, 5);
    append(50);
    rmcast_tx_flush(&tx);
    ck_assert_msg(send_all(6, o) == 1, "one of the set that is not here");
}
END_TEST

/* A receiver that trimmed what a checkpoint covers has no need of it. */
START_TEST(what_is_trimmed_there_counts)
{
    struct rmcast_out o[20];

    fresh();
    append(100);
    send_all(1, o);
    append(50);
    rmcast_tx_flush(&tx);
    ack(1, 150, 2);
    ack(2, 150, 2);
    ck_assert_msg(tx.members[1].acked == 100 && tx.stats.nonsense == 0, "so far sent");
    ck_assert_msg(send_all(3, o) == 1 && o[0].size == 50, "and it goes on");
    ack(1, 150, 4);
    ck_assert_msg(tx.members[1].acked == 150, "now it counts whole");
}
END_TEST

START_TEST(stable_waits_for_the_set)
{
    struct rmcast_out o[20];

    fresh();
    append(100);
    send_all(1, o);
    ack(1, 100, 200);
    ck_assert_uint_eq(tx.stable, 0);
    ack(2, 60, 200);
    ck_assert_uint_eq(tx.stable, 60);
    rmcast_tx_leave(&tx, 2);
    ck_assert_msg(tx.stable == 60, "who left is waited for until the view says so");
    rmcast_tx_set(&tx, 2, us(300));
    ck_assert_uint_eq(tx.stable, 100);
    rmcast_tx_join(&tx, 2, 60, us(301));
    rmcast_tx_set(&tx, 6, us(302));
    ck_assert_msg(tx.stable == 100, "it never goes back");
    ck_assert(!rmcast_tx_covered(&tx, 6, 100));
    ack(2, 100, 400);
    ck_assert(rmcast_tx_covered(&tx, 6, 100));
    ck_assert(!rmcast_tx_covered(&tx, 8, 0));
}
END_TEST

START_TEST(no_room_is_refused)
{
    struct rmcast_out o[20];

    fresh();
    ck_assert(append(1000));
    ck_assert_uint_eq(rmcast_tx_room(&tx), 24);
    ck_assert_msg(!append(25) && tx.head == 1000, "nothing changed");
    ck_assert_msg(send_all(1, o) == 4, "no more under way than may be");
    ack(1, 400, 200);
    ack(2, 400, 200);
    ck_assert_msg(!append(25), "acknowledged, not trimmed");
    rmcast_tx_trim(&tx, 300);
    ck_assert_msg(append(300) && !append(25), "trimmed");
}
END_TEST

START_TEST(believes_only_what_was_sent)
{
    struct rmcast_out o[20];

    fresh();
    append(100);
    send_all(1, o);
    ack(1, 101, 200);
    ack(3, 100, 200);
    ck_assert_msg(
        tx.stats.nonsense == 2 && tx.members[1].acked == 0, "never sent; no member");
    ack(1, 100, 201);
    ack(1, 50, 202);
    ck_assert_msg(tx.members[1].acked == 100 && tx.stats.outdated == 1, "overtaken");
}
END_TEST

START_TEST(repairs_go_to_who_asks)
{
    struct rmcast_out o[20];
    struct rmcast_ack a = { .limit = RING, .nmissing = 1, .missing = { { 0, 100 } } };

    fresh();
    append(300);
    send_all(1, o);
    a.echo = tx.counter;
    rmcast_tx_acked(&tx, 1, &a, us(200));
    ck_assert_uint_eq(send_all(200, o), 1);
    ck_assert_msg(o[0].to == 2 && o[0].position == 0 && o[0].size == 100, "to one");
    rmcast_tx_acked(&tx, 1, &a, us(201));
    ck_assert_msg(send_all(201, o) == 0, "it is on its way already");
    a.echo = tx.counter + 0;
    append(100);
    send_all(202, o);
    a.echo = tx.counter;
    rmcast_tx_acked(&tx, 1, &a, us(300));
    rmcast_tx_acked(&tx, 2, &a, us(300));
    ck_assert_uint_eq(send_all(300, o), 1);
    ck_assert_msg(o[0].to == 6, "what left later has arrived: again, to both at once");
}
END_TEST

START_TEST(a_lost_end_is_probed)
{
    struct rmcast_out o[20];

    fresh();
    append(300);
    send_all(0, o);
    ack(1, 300, 100);
    ack(2, 100, 100);
    ck_assert(send_all(900, o) == 0);
    ck_assert_msg(rmcast_tx_due(&tx).us <= us(2000).us, "soon");
    ck_assert_uint_eq(send_all(2000, o), 1);
    ck_assert_msg(o[0].to == 4 && o[0].flags == RMCAST_PROBE && o[0].position == 100 &&
                      o[0].size == 100 && o[0].sent == 300,
        "the first thing it lacks, and how far it should be");
}
END_TEST

START_TEST(late_is_said_once)
{
    struct rmcast_out o[20];
    struct rmcast_note note;

    fresh();
    ack(1, 0, 100);
    ack(2, 0, 100);
    while (rmcast_tx_note(&tx, us(100), &note))
        ck_assert_int_eq(note.kind, RMCAST_CAUGHT_UP);
    append(100);
    for (int64_t t = 1000; t < 50000; t += 1000) {
        send_all(t, o);
        ack(1, 100, t);
        ck_assert_msg(!rmcast_tx_note(&tx, us(t), &note), "not before the limit");
    }
    send_all(51000, o);
    ck_assert(rmcast_tx_note(&tx, us(51000), &note));
    ck_assert(note.kind == RMCAST_LATE && note.node == 2);
    ck_assert(!rmcast_tx_note(&tx, us(51001), &note));
    send_all(52000, o);
    ack(2, 100, 52000);
    ck_assert(rmcast_tx_note(&tx, us(52000), &note));
    ck_assert(note.kind == RMCAST_CAUGHT_UP && note.node == 2);
}
END_TEST

START_TEST(an_own_pause_is_nobodys_fault)
{
    struct rmcast_out o[20];
    struct rmcast_note note;

    fresh();
    append(100);
    send_all(1000, o);
    send_all(200000, o);
    ck_assert(!rmcast_tx_note(&tx, us(200000), &note));
}
END_TEST

START_TEST(followers_hold_nobody_up)
{
    struct rmcast_out o[20];
    struct rmcast_note note;

    fresh();
    rmcast_tx_set(&tx, 0, us(1));
    ack(1, 0, 2);
    ack(2, 0, 2);
    while (rmcast_tx_note(&tx, us(2), &note))
        ;
    for (int i = 0; i < 30; i++) {
        ck_assert(append(100));
        ck_assert_uint_eq(tx.stable, tx.head);
        send_all(3, o);
        rmcast_tx_trim(&tx, tx.head);
    }
    ck_assert(rmcast_tx_note(&tx, us(3), &note));
    ck_assert_msg(note.kind == RMCAST_LOST, "what it needs is overwritten");
    ck_assert(!rmcast_tx_join(&tx, 1, 0, us(4)));
    ck_assert(rmcast_tx_join(&tx, 1, tx.head, us(4)));
}
END_TEST

START_TEST(receiver_takes_any_order)
{
    struct rmcast_ack a;

    fresh();
    data(3, 200, 100, 300, 0);
    ck_assert(rx.have == 0 && rmcast_rx_ack(&rx, &a));
    ck_assert(a.nmissing == 1 && a.missing[0].from == 0 && a.missing[0].to == 200);
    ck_assert_msg(!rmcast_rx_ack(&rx, &a), "one for a batch");
    data(1, 0, 100, 100, 0);
    data(1, 0, 100, 100, 0);
    ck_assert(rx.have == 100 && rx.stats.duplicates == 1);
    data(4, 50, 200, 300, 0);
    ck_assert_msg(rx.have == 300 && rx.nislands == 0, "the gap closes");
    data(5, 300, 0, 500, RMCAST_PROBE);
    ck_assert(rmcast_rx_ack(&rx, &a));
    ck_assert_msg(a.nmissing == 1 && a.missing[0].from == 300 && a.missing[0].to == 500,
        "a lost end is asked for");
    ck_assert(a.echo == 5 && a.limit == RING);
    data(6, RING - 50, 100, 2000, 0);
    ck_assert_uint_eq(rx.stats.out_of_window, 1);
    rmcast_rx_trim(&rx, 400);
    ck_assert_msg(
        rx.have == 400 && rx.low == 400, "what a checkpoint holds need not come");
}
END_TEST

START_TEST(too_many_gaps_are_bounded)
{
    fresh();
    for (unsigned i = 0; i <= RMCAST_ISLANDS; i++)
        data(i + 1, 10 + 10 * i, 5, 1000, 0);
    ck_assert(rx.nislands == RMCAST_ISLANDS && rx.stats.overflows == 1);
    data(100, 0, 10, 1000, 0);
    ck_assert_uint_eq(rx.have, 15);
}
END_TEST

START_TEST(counters_are_taken_once)
{
    static struct rmcast_seen s;

    rmcast_seen_init(&s);
    rmcast_seen_add(&s, 5);
    ck_assert(
        rmcast_seen_is(&s, 5) && !rmcast_seen_is(&s, 4) && !rmcast_seen_is(&s, 6));
    rmcast_seen_add(&s, 4);
    ck_assert(rmcast_seen_is(&s, 4));
    rmcast_seen_add(&s, 5 + RMCAST_SEEN_WINDOW);
    ck_assert_msg(rmcast_seen_is(&s, 3), "too old to tell");
    ck_assert(!rmcast_seen_is(&s, 7));
    rmcast_seen_add(&s, UINT64_MAX);
    ck_assert(rmcast_seen_is(&s, 7) && !rmcast_seen_is(&s, UINT64_MAX - 1));
}
END_TEST

START_TEST(a_channel_opens_its_own_only)
{
    struct seal_secret secret = { { 1, 2, 3 } };
    static struct seal_channel a, b, other;
    uint8_t bytes[100] = "a record", sealed[100 + SEAL_TAG], opened[100];
    enum seal_cipher cipher = (enum seal_cipher)_i;

    if (cipher == SEAL_AES256 && !seal_has_aes())
        return;
    ck_assert(seal_channel_init(&a, &secret, cipher, "mcast", 1, 0, "s", 7, 8));
    ck_assert(seal_channel_init(&b, &secret, cipher, "mcast", 1, 0, "s", 7, 8));
    ck_assert(seal_channel_init(&other, &secret, cipher, "mcast", 1, 0, "s", 8, 8));
    seal_channel_put(&a, 9, "ad", 2, bytes, sizeof bytes, sealed);
    ck_assert_msg(memcmp(sealed, bytes, 8) != 0, "it is not readable");
    ck_assert(seal_channel_get(&b, 9, "ad", 2, sealed, sizeof sealed, opened));
    ck_assert(memcmp(opened, bytes, sizeof bytes) == 0);
    ck_assert_msg(
        !seal_channel_get(&b, 10, "ad", 2, sealed, sizeof sealed, opened) &&
            !seal_channel_get(&b, 9, "aD", 2, sealed, sizeof sealed, opened) &&
            !seal_channel_get(&b, 9, "ad", 2, sealed, 15, opened) &&
            !seal_channel_get(&other, 9, "ad", 2, sealed, sizeof sealed, opened),
        "another nonce, another head, too short, another epoch");
    a.cipher = cipher == SEAL_AES256 ? SEAL_XCHACHA20 : SEAL_AES256;
    ck_assert(seal_channel_init(&other, &secret,
        a.cipher == SEAL_AES256 && !seal_has_aes() ? cipher : a.cipher, "mcast", 1, 0,
        "s", 7, 9));
    ck_assert_msg(!seal_channel_get(&other, 9, "ad", 2, sealed, sizeof sealed, opened),
        "another cipher");
    memcpy(sealed, bytes, sizeof bytes);
    seal_channel_put(&b, 11, NULL, 0, sealed, sizeof bytes, sealed);
    ck_assert_msg(seal_channel_get(&b, 11, NULL, 0, sealed, sizeof sealed, sealed) &&
                      !memcmp(sealed, bytes, sizeof bytes),
        "in place");
}
END_TEST

static size_t
from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (uint8_t)byte;
    return n;
}

/* Test case 16 of McGrew and Viega, The Galois/Counter Mode of Operation (2005): what a
 * node with another library of AES-256-GCM would send. */
START_TEST(aes_is_what_others_call_it)
{
    static struct aesgcm key;
    uint8_t k[32], nonce[12], ad[20], plain[60], wanted[60 + 16], out[60], tag[16];
    size_t n;

    if (!aesgcm_available())
        return;
    from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", k);
    from_hex("cafebabefacedbaddecaf888", nonce);
    from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", ad);
    n = from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        plain);
    ck_assert_uint_eq(n, sizeof plain);
    from_hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
             "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
             "76fc6ece0f4e1768cddf8853bb2d551b",
        wanted);
    aesgcm_init(&key, k);
    aesgcm_seal(&key, nonce, ad, sizeof ad, plain, sizeof plain, out, tag);
    ck_assert(memcmp(out, wanted, sizeof out) == 0);
    ck_assert(memcmp(tag, wanted + sizeof out, sizeof tag) == 0);
    aesgcm_open(&key, nonce, ad, sizeof ad, wanted, sizeof plain, out, tag);
    ck_assert(memcmp(out, plain, sizeof plain) == 0);
    ck_assert(memcmp(tag, wanted + sizeof out, sizeof tag) == 0);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("rows");

    tcase_add_test(tc, datagrams_are_filled);
    tcase_add_test(tc, what_nobody_waits_for_delays_nothing);
    tcase_add_test(tc, what_is_trimmed_there_counts);
    tcase_add_test(tc, stable_waits_for_the_set);
    tcase_add_test(tc, no_room_is_refused);
    tcase_add_test(tc, believes_only_what_was_sent);
    tcase_add_test(tc, repairs_go_to_who_asks);
    tcase_add_test(tc, a_lost_end_is_probed);
    tcase_add_test(tc, late_is_said_once);
    tcase_add_test(tc, an_own_pause_is_nobodys_fault);
    tcase_add_test(tc, followers_hold_nobody_up);
    tcase_add_test(tc, receiver_takes_any_order);
    tcase_add_test(tc, too_many_gaps_are_bounded);
    tcase_add_test(tc, counters_are_taken_once);
    tcase_add_loop_test(tc, a_channel_opens_its_own_only, 0, SEAL_NCIPHERS);
    tcase_add_test(tc, aes_is_what_others_call_it);
    return suite_run("rmcast", tc, NULL);
}
