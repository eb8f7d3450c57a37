/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_family.c - the codec of several processes: nothing is lost, nothing broken is
 * taken, and an image keeps its place when one before it grows a little. */
#include "tests/unit/sample_image.h"

#include "sockmig/image_alloc.h"
#include "tests/suite.h"

#define CAP (1u << 20)

static struct family f, back;
static uint8_t text[CAP], text2[CAP], delta[CAP];
static size_t size;
static const char *why;

static void
become(struct image *im, int32_t pid)
{
    im->process.pid = pid;
    for (uint32_t i = 0; i < im->nthreads; i++)
        im->threads[i].tid = pid + 100 * (int32_t)i;
}

/* Root, child with a copy of one of its files, zombie, grandchild. */
static void
setup(void)
{
    static const struct family_member sample[] = {
        { 7, 7, 7, -1, 0, 0, 0, 17, "root" },
        { 8, 7, 7, 0, 1, 0, 0, 17, "child" },
        { 9, 7, 7, 0, 5, FAMILY_ZOMBIE, 256, 17, "gone" },
        { 11, 11, 11, 1, 4, FAMILY_JOB_STOPPED, 0, 17, "grandchild" },
    };

    ck_assert_int_eq(family_alloc(&f, 4), 0);
    ck_assert_int_eq(family_alloc(&back, 4), 0);
    f.n = 4;
    memcpy(f.members, sample, sizeof sample);
    for (uint32_t i = 0; i < f.n; i++) {
        sample_image(f.images[i]);
        become(f.images[i], f.members[i].pid);
    }
    f.nlinks = 2;
    f.links[0] = (struct family_link){ 1, 0, 6, 6 };
    f.links[1] = (struct family_link){ 3, 1, 0, 0 };
    size = family_encode(&f, text, sizeof text);
    ck_assert_uint_gt(size, 0);
}

static void
teardown(void)
{
    family_release(&f);
    family_release(&back);
}

START_TEST(round_trip)
{
    ck_assert_uint_eq(family_count(text, size), 4);
    ck_assert_msg(family_decode(&back, text, size, &why), "%s", why);
    ck_assert_uint_eq(family_encode(&back, text2, sizeof text2), size);
    ck_assert_mem_eq(text, text2, size);
    ck_assert_int_eq(back.images[3]->process.pid, 11);
    ck_assert_int_eq(family_place(&back, 4), 3);
    ck_assert_int_eq(family_place(&back, 2), -1);
}
END_TEST

START_TEST(truncation)
{
    for (size_t n = 0; n < size; n += n < 1024 ? 1 : 509)
        ck_assert_msg(!family_decode(&back, text, n, &why), "%zu bytes are taken", n);
    ck_assert_msg(!family_decode(&back, text, size + 1, &why), "a byte more is taken");
}
END_TEST

START_TEST(no_room)
{
    for (size_t n = 0; n < size; n += 61)
        ck_assert_uint_eq(family_encode(&f, text2, n), 0);
}
END_TEST

/* Each of these must be refused when it comes over the network. */
enum field { PARENT, NUMBER, PID, SID, PGID, FLAGS };

static const struct {
    const char *claim;
    unsigned member;
    enum field field;
    int32_t value;
} broken_members[] = {
    { "the root has a parent", 0, PARENT, 0 },
    { "nobody's child", 1, PARENT, -1 },
    { "a parent behind its child", 2, PARENT, 3 },
    { "its own parent", 1, PARENT, 1 },
    { "no place at all", 1, PARENT, -2 },
    { "a number twice", 3, NUMBER, 1 },
    { "an id twice", 3, PID, 8 },
    { "no id", 1, PID, 0 },
    { "a session below zero", 1, SID, -1 },
    { "a group below zero", 1, PGID, -7 },
    { "unknown flags", 1, FLAGS, 8 },
    { "the root has ended", 0, FLAGS, FAMILY_ZOMBIE },
};

static const struct {
    const char *claim;
    unsigned link;
    struct family_link value;
} broken_links[] = {
    { "a link to itself", 0, { 1, 1, 6, 6 } },
    { "a link of a zombie", 0, { 2, 0, 6, 6 } },
    { "a link of nobody", 0, { 4, 0, 6, 6 } },
    { "a link of no file", 0, { 1, 0, 2, 6 } },
    { "a link to no file", 1, { 3, 1, 0, 2 } },
};

static void
refused(const char *claim)
{
    size = family_encode(&f, text, sizeof text);
    ck_assert_uint_gt(size, 0);
    ck_assert_msg(!family_decode(&back, text, size, &why), "%s is taken", claim);
    ck_assert_ptr_nonnull(why);
}

START_TEST(broken)
{
    struct family_member *m = &f.members[broken_members[_i].member];
    int32_t value = broken_members[_i].value;

    switch (broken_members[_i].field) {
    case PARENT:
        m->parent = value;
        break;
    case NUMBER:
        m->number = (uint32_t)value;
        break;
    case PID:
        m->pid = value;
        break;
    case SID:
        m->sid = value;
        break;
    case PGID:
        m->pgid = value;
        break;
    case FLAGS:
        m->flags = (uint32_t)value;
        break;
    }
    refused(broken_members[_i].claim);
}
END_TEST

START_TEST(broken_link)
{
    f.links[broken_links[_i].link] = broken_links[_i].value;
    refused(broken_links[_i].claim);
}
END_TEST

START_TEST(endless_name)
{
    memset(f.members[1].name, 'x', sizeof f.members[1].name);
    refused("a name without an end");
}
END_TEST

START_TEST(other_image)
{
    become(f.images[1], 12);
    refused("the image of another process");
    become(f.images[1], 8);
    f.images[1]->nthreads = 0;
    refused("no image");
}
END_TEST

START_TEST(broken_image)
{
    f.images[3]->vmas[0].start = 1;
    refused("a broken image");
}
END_TEST

START_TEST(no_peer)
{
    f.images[3]->process.among = 1;
    f.images[3]->unixes[0].peer = 99;
    refused("a socket without its peer");
}
END_TEST

/* Where nobody else is in the cell, its first process may be a parent. */
START_TEST(orphans)
{
    f.members[0].flags = FAMILY_WHOLE;
    f.members[1].parent = f.members[2].parent = -1;
    size = family_encode(&f, text, sizeof text);
    ck_assert_msg(family_decode(&back, text, size, &why), "%s", why);
    ck_assert_int_eq(back.members[1].parent, -1);
    ck_assert(family_is_whole(&back));
    f.members[0].flags = 0;
    f.members[1].flags = FAMILY_WHOLE;
    refused("an orphan of an unknown cell");
}
END_TEST

START_TEST(other_peer)
{
    f.images[3]->process.among = 1;
    f.images[3]->unixes[0].peer = 99;
    f.images[0]->fds[10].inode = 99;
    size = family_encode(&f, text, sizeof text);
    ck_assert_msg(family_decode(&back, text, size, &why), "%s", why);
}
END_TEST

START_TEST(any_bit)
{
    for (size_t i = 0; i < 1024; i++) {
        text[i] ^= (uint8_t)(1 << i % 8);
        if (family_decode(&back, text, size, &why))
            ck_assert_ptr_null(family_check(&back));
        text[i] ^= (uint8_t)(1 << i % 8);
    }
}
END_TEST

START_TEST(places)
{
    size_t n, size2;

    f.images[0]->threads[2].xstate_len += 64;
    size2 = family_encode(&f, text2, sizeof text2);
    ck_assert_uint_eq(size2, size);
    n = image_lines_encode(text, size, text2, size2, delta, sizeof delta);
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_lt(n, image_encode(f.images[0], text2, sizeof text2) + 1024);
    ck_assert(image_lines_apply(text, &size, sizeof text, delta, n));
    ck_assert_msg(family_decode(&back, text, size, &why), "%s", why);
    ck_assert_uint_eq(
        back.images[0]->threads[2].xstate_len, f.images[0]->threads[2].xstate_len);
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("family");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, round_trip);
    tcase_add_test(c, truncation);
    tcase_add_test(c, no_room);
    ADD_ROWS(c, broken, broken_members);
    ADD_ROWS(c, broken_link, broken_links);
    tcase_add_test(c, endless_name);
    tcase_add_test(c, other_image);
    tcase_add_test(c, broken_image);
    tcase_add_test(c, no_peer);
    tcase_add_test(c, orphans);
    tcase_add_test(c, other_peer);
    tcase_add_test(c, any_bit);
    tcase_add_test(c, places);
    return suite_run("family", c, NULL);
}
