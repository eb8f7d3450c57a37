/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_imgfile.c - image files: what was put is read; what was changed is refused. */
#include "sockmig/alone/imgfile.h"
#include "tests/suite.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE_MAX (64u << 20)
#define LARGE                                                                          \
    (4u << 20) /* of a record, of which there are then enough for two threads */
#define LARGE_ONES 8u

static char folder[] = "/tmp/check-imgfile-XXXXXX";
static uint8_t *bytes; /* of the sample */
static size_t size;

static void
put(struct imgfile_out *out, enum imgfile_type type, uint32_t process, const void *data,
    size_t n)
{
    const struct iovec v[] = { { (void *)(uintptr_t)data, n / 2 },
        { (uint8_t *)(uintptr_t)data + n / 2, n - n / 2 } };

    ck_assert_int_eq(imgfile_put(out, type, process, v, 2), 0);
}

static void
begin(struct imgfile_out *out, uint32_t version, uint32_t machine)
{
    struct imgfile_head head = { .machine = machine, .page_size = 4096 };

    ck_assert_int_eq(imgfile_create(out, folder), 0);
    put(out, IMGFILE_HEAD, version, &head, sizeof head);
}

static void
read_back(void)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof path, "%s/" IMGFILE_NAME, folder);
    f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    bytes = malloc(SAMPLE_MAX);
    size = fread(bytes, 1, SAMPLE_MAX, f);
    fclose(f);
}

static void
make_sample(void)
{
    struct imgfile_out out;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    begin(&out, IMGFILE_VERSION, EM_X86_64);
    put(&out, IMGFILE_QUEUES, 7, "some queues", 11);
    put(&out, IMGFILE_PAGES, 7, "", 0);
    ck_assert_int_eq(imgfile_commit(&out), 0);
    imgfile_discard(&out);
    read_back();
}

static void
clean(void)
{
    char path[64];

    snprintf(path, sizeof path, "%s/" IMGFILE_NAME, folder);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing temporary is left */
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    free(bytes);
}

START_TEST(comes_back)
{
    char error[IMGFILE_ERROR];
    struct imgfile_item item;
    struct imgfile_in in;
    size_t at = 0;

    ck_assert_int_eq(imgfile_open(&in, folder, error), 0);
    ck_assert(imgfile_next(&in, &at, &item) && item.type == IMGFILE_HEAD);
    ck_assert(imgfile_next(&in, &at, &item) && item.type == IMGFILE_QUEUES);
    ck_assert_uint_eq(item.process, 7);
    ck_assert_uint_eq(item.size, 11);
    ck_assert_mem_eq(item.data, "some queues", 11);
    ck_assert(imgfile_next(&in, &at, &item) && item.type == IMGFILE_PAGES);
    ck_assert_uint_eq(item.size, 0);
    ck_assert(imgfile_next(&in, &at, &item) && item.type == IMGFILE_END);
    ck_assert(!imgfile_next(&in, &at, &item));
    imgfile_close(&in);
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    char error[IMGFILE_ERROR];

    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(!imgfile_check(bytes, size, error), "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert(imgfile_check(bytes, size, error));
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    char error[IMGFILE_ERROR];

    for (size_t n = 0; n < size; n++) {
        uint8_t *copy = malloc(n + 1); /* at its end, for the sanitizers */

        memcpy(copy, bytes, n);
        ck_assert_msg(!imgfile_check(copy, n, error), "%zu bytes", n);
        free(copy);
    }
}
END_TEST

START_TEST(a_lost_record_is_refused)
{
    char error[IMGFILE_ERROR];
    struct imgfile_record head;
    size_t first = sizeof head + sizeof(struct imgfile_head), second;

    first = (first + 63) & ~(size_t)63;
    memcpy(&head, bytes + first, sizeof head);
    second = first + sizeof head + ((head.size + 63) & ~(size_t)63);
    memmove(bytes + first, bytes + second, size - second);
    ck_assert(!imgfile_check(bytes, size - (second - first), error));
}
END_TEST

START_TEST(what_is_changed_is_named)
{
    struct imgfile_out out;
    char error[IMGFILE_ERROR], name[24];
    uint8_t *data = calloc(1, LARGE);
    size_t at;

    free(bytes);
    begin(&out, IMGFILE_VERSION, EM_X86_64);
    for (unsigned i = 0; i < LARGE_ONES; i++)
        put(&out, IMGFILE_PAGES, 7, data, LARGE);
    ck_assert_int_eq(imgfile_commit(&out), 0);
    imgfile_discard(&out);
    read_back();
    ck_assert(imgfile_check(bytes, size, error));
    at = sizeof(struct imgfile_record) + sizeof(struct imgfile_head);
    at = (at + 63) & ~(size_t)63;
    for (unsigned i = 1; i <= LARGE_ONES; i++) {
        at += sizeof(struct imgfile_record) + LARGE;
        bytes[at - i] ^= 1;
        ck_assert(!imgfile_check(bytes, size, error));
        snprintf(name, sizeof name, "(record %u,", i);
        ck_assert_msg(strstr(error, name) != NULL, "%u: %s", i, error);
        bytes[at - i] ^= 1;
    }
    free(data);
}
END_TEST

START_TEST(others_are_named)
{
    char error[IMGFILE_ERROR], newer[24];
    struct imgfile_out out;
    struct imgfile_in in;

    snprintf(newer, sizeof newer, "version %d", IMGFILE_VERSION + 1);
    begin(&out, IMGFILE_VERSION + 1, EM_X86_64);
    ck_assert_int_eq(imgfile_commit(&out), 0);
    imgfile_discard(&out);
    ck_assert_int_eq(imgfile_open(&in, folder, error), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(error, newer));
    begin(&out, IMGFILE_VERSION, EM_AARCH64);
    ck_assert_int_eq(imgfile_commit(&out), 0);
    imgfile_discard(&out);
    ck_assert_int_eq(imgfile_open(&in, folder, error), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(error, "processor"));
}
END_TEST

START_TEST(what_is_not_whole_is_not_there)
{
    char error[IMGFILE_ERROR];
    struct imgfile_out out;
    struct imgfile_in in;

    begin(&out, IMGFILE_VERSION + 1, EM_X86_64);
    imgfile_discard(&out);
    ck_assert_int_eq(imgfile_open(&in, folder, error), 0); /* the old one */
    imgfile_close(&in);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("file");

    tcase_add_checked_fixture(tc, make_sample, clean);
    tcase_add_test(tc, comes_back);
    tcase_add_test(tc, every_flipped_bit_is_refused);
    tcase_add_test(tc, every_truncation_is_refused);
    tcase_add_test(tc, a_lost_record_is_refused);
    tcase_add_test(tc, what_is_changed_is_named);
    tcase_add_test(tc, others_are_named);
    tcase_add_test(tc, what_is_not_whole_is_not_there);
    return suite_run("imgfile", tc, NULL);
}
