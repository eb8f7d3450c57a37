/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/core/buf.h"
#include "tests/suite.h"

#include <string.h>

START_TEST(round_trip)
{
    uint8_t store[32];
    struct writer w = writer_init(store, sizeof store);
    struct reader r;
    char three[3];

    put_u8(&w, 0x01);
    put_u16(&w, 0x0203);
    put_u32(&w, 0x04050607);
    put_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
    put_bytes(&w, "abc", 3);
    ck_assert(!w.bad);
    ck_assert_uint_eq(w.pos, 18);
    r = reader_init(store, w.pos);
    ck_assert_uint_eq(get_u8(&r), 0x01);
    ck_assert_uint_eq(get_u16(&r), 0x0203);
    ck_assert_uint_eq(get_u32(&r), 0x04050607);
    ck_assert_uint_eq(get_u64(&r), UINT64_C(0x08090a0b0c0d0e0f));
    get_copy(&r, three, 3);
    ck_assert(!memcmp(three, "abc", 3));
    ck_assert(!r.bad);
    ck_assert_uint_eq(reader_left(&r), 0);
}
END_TEST

START_TEST(little_endian)
{
    uint8_t store[4];
    struct writer w = writer_init(store, sizeof store);

    put_u32(&w, 0x01020304);
    ck_assert_uint_eq(store[0], 4);
    ck_assert_uint_eq(store[3], 1);
}
END_TEST

/* Each getter, at each shortfall: bad, zero, and bad for ever. */
START_TEST(reads_beyond_the_end)
{
    static const uint8_t data[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    static const size_t need[] = { 1, 2, 4, 8 };
    size_t kind = (size_t)_i / 8, have = (size_t)_i % 8;
    struct reader r = reader_init(data, have);
    uint64_t got = 0;

    if (have >= need[kind])
        return;
    switch (kind) {
    case 0:
        got = get_u8(&r);
        break;
    case 1:
        got = get_u16(&r);
        break;
    case 2:
        got = get_u32(&r);
        break;
    default:
        got = get_u64(&r);
        break;
    }
    ck_assert_uint_eq(got, 0);
    ck_assert(r.bad);
    ck_assert_uint_eq(reader_left(&r), 0);
    ck_assert_ptr_null(get_bytes(&r, 1));
    ck_assert_uint_eq(get_u8(&r), 0);
}
END_TEST

START_TEST(writes_beyond_the_end)
{
    uint8_t store[5] = { 0, 0, 0, 0, 0x77 };
    struct writer w = writer_init(store, 4);

    put_u16(&w, 1);
    put_u32(&w, 2); /* does not fit: nothing of it is written */
    ck_assert(w.bad);
    ck_assert_uint_eq(store[2], 0);
    ck_assert_uint_eq(store[4], 0x77);
    put_u8(&w, 9); /* would fit, but the first overrun decides */
    ck_assert_uint_eq(store[2], 0);
}
END_TEST

START_TEST(huge_sizes_do_not_wrap)
{
    static const uint8_t data[8];
    uint8_t store[8], to[1] = { 5 };
    struct reader r = reader_init(data, sizeof data);
    struct writer w = writer_init(store, sizeof store);

    get_u8(&r);
    ck_assert_ptr_null(get_bytes(&r, SIZE_MAX));
    ck_assert(r.bad);
    get_copy(&r, to, 1);
    ck_assert_uint_eq(to[0], 0); /* zeroed, not left as it was */
    put_u8(&w, 1);
    put_bytes(&w, data, SIZE_MAX);
    ck_assert(w.bad);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("buf");

    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, little_endian);
    tcase_add_loop_test(tc, reads_beyond_the_end, 0, 32);
    tcase_add_test(tc, writes_beyond_the_end);
    tcase_add_test(tc, huge_sizes_do_not_wrap);
    return suite_run("buf", tc, NULL);
}
