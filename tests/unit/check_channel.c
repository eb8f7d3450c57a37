/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_channel.c - the sealed connection of sockmig move: what was said arrives, and
 * nothing that somebody on the way has changed.
 *
 * A thread between the two ends has all bytes of the mover, changes them, and hands
 * them on. */
#include "sockmig/alone/channel.h"

#include "lib/fd.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO 16u      /* bytes in the clear at the beginning */
#define FRAME_HEAD 12u /* size, number */
#define BIG 3000000u   /* an item of several frames */
#define STREAM (8u << 20)

enum change { NONE, FLIP, CUT, DROP_FIRST, DROP_SECOND, DOUBLE, SWAP, NCHANGES };

static const struct {
    const char *claim;
    enum change change;
    int items, ret; /* that arrive whole; what the next one says */
} rows[] = {
    { "all arrives", NONE, 3, -ECONNRESET },
    { "a flipped bit is noticed", FLIP, 0, -EBADMSG },
    { "a stream that ends in the middle is noticed", CUT, 1, -ECONNRESET },
    { "a first frame that is left out is noticed", DROP_FIRST, 0, -EBADMSG },
    { "a frame in the middle that is left out is noticed", DROP_SECOND, 1, -EBADMSG },
    { "a frame that comes twice is noticed", DOUBLE, 1, -EBADMSG },
    { "frames in another order are noticed", SWAP, 0, -EBADMSG },
};

struct between {
    int mover, receiver; /* owned */
    enum change change;
    uint8_t *bytes; /* owned */
    size_t size;
};

static struct seal_secret
secret(uint8_t of)
{
    struct seal_secret s;

    memset(s.key, of, sizeof s.key);
    return s;
}

static void
say_all(struct channel *c)
{
    uint8_t *big = malloc(BIG);
    struct iovec part = { big, BIG };

    for (unsigned i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    if (channel_say(c, CHANNEL_SYNC, "one", 3) < 0 ||
        channel_say(c, CHANNEL_HELD, "two", 3) < 0 || channel_start(c) < 0 ||
        channel_put(c, IMGFILE_PAGES, 7, &part, 1, NULL, NULL) < 0)
        _exit(1);
    while (c->head != c->tail && c->failed == 0)
        usleep(1000);
    free(big);
}

static pid_t
start_mover(int listener, uint8_t key)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    char host[64], error[256];
    pid_t pid;

    getsockname(listener, (struct sockaddr *)&at, &size);
    snprintf(host, sizeof host, "127.0.0.1:%u", ntohs(at.sin_port));
    pid = fork();
    if (pid == 0) {
        struct seal_secret s = secret(key);
        struct channel c;

        if (channel_connect(&c, host, &s, NULL, 0, error, sizeof error) == 0)
            say_all(&c);
        channel_close(&c);
        _exit(0);
    }
    return pid;
}

static size_t
frame_size(const uint8_t *at)
{
    uint32_t n;

    memcpy(&n, at, sizeof n);
    return FRAME_HEAD + (n & 0x7fffffff); /* the highest bit is the cipher */
}

static void
change(struct between *b)
{
    size_t first = frame_size(b->bytes), second = frame_size(b->bytes + first);
    uint8_t *copy = malloc(first);

    memcpy(copy, b->bytes, first);
    switch (b->change) {
    case FLIP:
        b->bytes[FRAME_HEAD + 3] ^= 4;
        break;
    case CUT:
        b->size = first + second / 2;
        break;
    case DROP_FIRST:
        memmove(b->bytes, b->bytes + first, b->size -= first);
        break;
    case DROP_SECOND:
        b->size -= second;
        memmove(b->bytes + first, b->bytes + first + second, b->size - first);
        break;
    case DOUBLE:
        memmove(b->bytes + first, b->bytes, b->size);
        b->size += first;
        break;
    case SWAP:
        memmove(b->bytes, b->bytes + first, second);
        memcpy(b->bytes + second, copy, first);
        break;
    default:
        break;
    }
    free(copy);
}

static void *
stand_between(void *arg)
{
    struct between *b = arg;
    uint8_t hello[HELLO];
    ssize_t n;

    if (fd_read_all(b->mover, hello, HELLO) == 0)
        fd_write_all(b->receiver, hello, HELLO);
    if (fd_read_all(b->receiver, hello, HELLO) == 0)
        fd_write_all(b->mover, hello, HELLO);
    b->bytes = malloc(STREAM);
    while ((n = read(b->mover, b->bytes + b->size, STREAM / 2 - b->size)) > 0)
        b->size += (size_t)n;
    change(b);
    fd_write_all(b->receiver, b->bytes, b->size);
    free(b->bytes);
    fd_close(b->mover);
    fd_close(b->receiver);
    return NULL;
}

static bool
is_big(const struct imgfile_item *item)
{
    bool same = item->size == BIG && item->process == 7 && item->type == IMGFILE_PAGES;

    for (unsigned i = 0; same && i < BIG; i++)
        same = item->data[i] == (uint8_t)(i * 7 + i / 251);
    return same;
}

/* What the receiver gets: items until one does not come; its result. */
static int
receive(int fd, uint8_t key, int *items)
{
    struct seal_secret s = secret(key);
    struct imgfile_item item;
    struct channel c;
    int ret = channel_accept(&c, fd, &s);

    for (*items = 0; ret == 0; *items += ret == 0) {
        ret = channel_get(&c, &item, 5000);
        if (ret == 0 && *items == 0)
            ck_assert(item.size == 3 && !memcmp(item.data, "one", 3));
        if (ret == 0 && *items == 2)
            ck_assert(is_big(&item));
    }
    channel_close(&c);
    return ret;
}

static int
run(enum change what, uint8_t mover_key, uint8_t receiver_key, int *items)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2], ret;
    struct between b = { .change = what };
    pthread_t thread;
    pid_t pid;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid = start_mover(listener, mover_key);
    b.mover = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    b.receiver = pair[0];
    ck_assert_int_eq(pthread_create(&thread, NULL, stand_between, &b), 0);
    ret = receive(pair[1], receiver_key, items);
    pthread_join(thread, NULL);
    waitpid(pid, NULL, 0);
    close(listener);
    return ret;
}

START_TEST(changes)
{
    int items, ret = run(rows[_i].change, 1, 1, &items);

    ck_assert_msg(ret == rows[_i].ret && items == rows[_i].items,
        "%s: %d items, then %d", rows[_i].claim, items, ret);
}
END_TEST

START_TEST(another_secret)
{
    int items;

    ck_assert_int_eq(run(NONE, 1, 2, &items), -EBADMSG);
    ck_assert_int_eq(items, 0);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("channel");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 60);
    ADD_ROWS(tc, changes, rows);
    tcase_add_test(tc, another_secret);
    return suite_run("channel", tc, NULL);
}
