/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_stream.c - frames between engines: each cipher opens its own, and what was
 * changed on the way opens nothing. */
#include "sockmig/stream.h"
#include "tests/suite.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE 5000u

static const struct seal_key key = { { 1, 2, 3 } }, other = { { 3, 2, 1 } };

static const struct row {
    const char *claim;
    enum seal_cipher cipher;
    const struct seal_key *key; /* of who reads */
    size_t flip;                /* bit of the frame, from 1; 0: none */
    bool without_aes;           /* who reads has it not */
    uint64_t next;              /* least number that is accepted */
    int ret;
} rows[] = {
    { "XChaCha20 is opened", SEAL_XCHACHA20, &key, 0, false, 7, 0 },
    { "also by who has no AES", SEAL_XCHACHA20, &key, 0, true, 7, 0 },
    { "AES is opened", SEAL_AES256, &key, 0, false, 7, 0 },
    { "AES not by who has it not", SEAL_AES256, &key, 0, true, 7, -EBADMSG },
    { "another key", SEAL_AES256, &other, 0, false, 7, -EBADMSG },
    { "AES said to be the other", SEAL_AES256, &key, 32, false, 7, -EBADMSG },
    { "the other said to be AES", SEAL_XCHACHA20, &key, 32, false, 7, -EBADMSG },
    { "another number", SEAL_AES256, &key, 33, false, 6, -EBADMSG },
    { "another byte", SEAL_AES256, &key, 8 * 100, false, 7, -EBADMSG },
    { "another tag", SEAL_AES256, &key, 8 * (WIRE_FRAME_HEAD + SIZE + 1), false, 7,
        -EBADMSG },
    { "a number that was accepted before", SEAL_AES256, &key, 0, false, 8, -EBADMSG },
};

START_TEST(frames)
{
    static struct stream_keys writes, reads;
    static uint8_t body[SIZE], frame[SIZE + 100], buffer[WIRE_MAX_FRAME];
    const struct row *r = &rows[_i];
    const uint8_t *got;
    uint64_t next = r->next;
    size_t n, size;
    int fds[2], ret;

    if (r->cipher == SEAL_AES256 && !seal_has_aes())
        return;
    memset(body, 'b', sizeof body);
    stream_keys_init(&writes, &key);
    stream_keys_init(&reads, r->key);
    reads.has[SEAL_AES256] = reads.has[SEAL_AES256] && !r->without_aes;
    n = stream_frame(&writes.of[r->cipher], 7, body, sizeof body, frame);
    ck_assert_uint_eq(n, WIRE_FRAME_HEAD + SIZE + SEAL_TAG);
    if (r->flip)
        frame[(r->flip - 1) / 8] ^= (uint8_t)(1u << (r->flip - 1) % 8);
    ck_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    ck_assert(write(fds[0], frame, n) == (ssize_t)n && shutdown(fds[0], SHUT_WR) == 0);
    ret = stream_read_frame(fds[1], &reads, &next, buffer, &got, &size);
    ck_assert_msg(ret == r->ret, "%s: %d", r->claim, ret);
    if (ret == 0)
        ck_assert(next == 8 && size == SIZE && memcmp(got, body, SIZE) == 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(challenges)
{
    uint8_t one[WIRE_CHALLENGE], two[WIRE_CHALLENGE];

    stream_challenge(one);
    stream_challenge(two);
    ck_assert(one[0] == (seal_has_aes() ? WIRE_CAN_AES : 0) && two[0] == one[0]);
    ck_assert(memcmp(one, two, sizeof one) != 0);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("frames");

    tcase_add_loop_test(tc, frames, 0, (int)(sizeof rows / sizeof *rows));
    tcase_add_test(tc, challenges);
    return suite_run("stream", tc, NULL);
}
