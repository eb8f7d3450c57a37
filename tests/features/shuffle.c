/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shuffle.c - descriptors that are opened, duplicated, exchanged and closed, and what
 * is behind them used, at random: what is where is known in usual memory besides. */
#include "tests/features/chance.h"
#include "tests/features/features.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 300 /* descriptor, of NUMBERS */
#define NUMBERS 24u
#define THINGS 8u
#define QUEUE 2000u /* bytes that wait, at most */

enum kind { NOTHING, A_FILE, A_COUNTER, A_PIPE, A_PAIR, KINDS };

/* What was written at end 0 waits at end 1, and the other way: bytes that count on. */
struct queue {
    uint8_t first;
    unsigned n;
};

struct thing {
    enum kind kind;
    uint64_t value; /* of the counter; offset in the file */
    struct queue to[2];
};

struct number {
    int thing; /* -1: closed */
    int end;   /* of a pipe: 1 reads, 0 writes; of a pair */
};

static struct thing things[THINGS];
static struct number numbers[NUMBERS];
static uint32_t state = 11;

static int
find(int thing, int end)
{
    for (unsigned i = 0; i < NUMBERS; i++)
        if (numbers[i].thing == thing && numbers[i].end == end)
            return (int)i;
    return -1;
}

static void
shut(unsigned i)
{
    close(FIRST + (int)i);
    numbers[i].thing = -1;
}

/* It goes when one of its ends has gone. */
static void
tidy(int thing)
{
    bool two = things[thing].kind == A_PIPE || things[thing].kind == A_PAIR;

    if (find(thing, 0) >= 0 && (!two || find(thing, 1) >= 0))
        return;
    for (unsigned i = 0; i < NUMBERS; i++)
        if (numbers[i].thing == thing)
            shut(i);
    things[thing].kind = NOTHING;
}

/* Descriptor @fd, taken, to number @i, in place of what was there. */
static void
settle(unsigned i, int fd, int thing, int end)
{
    int was = numbers[i].thing;

    chance_need(fd >= 0 &&
                dup3(fd, FIRST + (int)i, chance_dice(&state, 2) ? O_CLOEXEC : 0) >= 0);
    close(fd);
    numbers[i] = (struct number){ thing, end };
    if (was >= 0)
        tidy(was);
}

static void
make(int thing, enum kind kind)
{
    unsigned i = chance_dice(&state, NUMBERS),
             k = (i + 1 + chance_dice(&state, NUMBERS - 1)) % NUMBERS;
    int fds[2] = { -1, -1 };
    char path[32];

    snprintf(path, sizeof path, "shuffle-%d", thing);
    if (kind == A_FILE)
        fds[0] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    else if (kind == A_COUNTER)
        fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    else if (kind == A_PIPE)
        chance_need(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    else
        chance_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                        fds) == 0);
    things[thing] = (struct thing){ .kind = kind };
    if (kind == A_PIPE) { /* fds[0] reads */
        int reads = fds[0];

        fds[0] = fds[1];
        fds[1] = reads;
    }
    settle(i, fds[0], thing, 0);
    if (fds[1] >= 0)
        settle(k, fds[1], thing, 1);
    tidy(thing);
}

static void
put(int fd, struct queue *q, unsigned n)
{
    uint8_t bytes[QUEUE];

    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)(q->first + q->n + i);
    chance_need(write(fd, bytes, n) == (ssize_t)n);
    q->n += n;
}

/* False: it is not what was put. */
static bool
get(int fd, struct queue *q, unsigned n)
{
    uint8_t bytes[QUEUE];
    bool same = read(fd, bytes, n) == (ssize_t)n;

    for (unsigned i = 0; i < n && same; i++)
        same = bytes[i] == (uint8_t)(q->first + i);
    q->first = (uint8_t)(q->first + n);
    q->n -= n;
    return same;
}

static void
use(unsigned i)
{
    struct thing *t = &things[numbers[i].thing];
    struct queue *out = &t->to[!numbers[i].end], *in = &t->to[numbers[i].end];
    int fd = FIRST + (int)i;
    uint64_t one = 1 + chance_dice(&state, 5);
    bool writes = chance_dice(&state, 2) > 0;

    if (t->kind == A_FILE)
        chance_need(
            lseek(fd, (off_t)(t->value = chance_dice(&state, 1000)), SEEK_SET) >= 0);
    else if (t->kind == A_COUNTER) {
        chance_need(write(fd, &one, sizeof one) == sizeof one);
        t->value += one;
    } else if (t->kind == A_PIPE ? numbers[i].end == 0 : writes) {
        put(fd, out, chance_dice(&state, QUEUE - out->n + 1));
    } else if (in->n > 0) {
        chance_need(get(fd, in, 1 + chance_dice(&state, in->n)));
    }
}

static void
step(void)
{
    unsigned i = chance_dice(&state, NUMBERS), k = chance_dice(&state, NUMBERS),
             thing = chance_dice(&state, THINGS);

    if (numbers[i].thing < 0) {
        if (things[thing].kind == NOTHING)
            make((int)thing, (enum kind)(A_FILE + chance_dice(&state, KINDS - A_FILE)));
        return;
    }
    switch (chance_dice(&state, 6)) {
    case 0:
        thing = (unsigned)numbers[i].thing;
        shut(i);
        tidy((int)thing);
        break;
    case 1:
        if (i != k)
            settle(k, dup(FIRST + (int)i), numbers[i].thing, numbers[i].end);
        break;
    default:
        use(i);
    }
}

static const char *
set_up(void)
{
    for (unsigned i = 0; i < NUMBERS; i++)
        numbers[i].thing = -1;
    for (unsigned i = 0; i < 200; i++)
        step();
    return NULL;
}

/* What is read is put back. */
static const char *
check_queue(int thing, int end)
{
    struct queue *q = &things[thing].to[end];
    int reads = find(thing, end), writes = find(thing, !end), n = 0;

    WANT(reads >= 0 && writes >= 0);
    WANT(ioctl(FIRST + reads, FIONREAD, &n) == 0 && (unsigned)n == q->n);
    if (n > 0) {
        WANT(get(FIRST + reads, q, (unsigned)n));
        put(FIRST + writes, q, (unsigned)n);
    }
    return NULL;
}

static const char *
check_thing(int thing)
{
    struct thing *t = &things[thing];
    const char *wrong = NULL;
    uint64_t value;

    for (unsigned i = 0; i < NUMBERS; i++) {
        int fd = FIRST + (int)i;

        if (numbers[i].thing == thing && t->kind == A_FILE)
            WANT(lseek(fd, 0, SEEK_CUR) == (off_t)t->value);
        if (numbers[i].thing != thing || t->kind != A_COUNTER || t->value == 0)
            continue;
        WANT(read(fd, &value, sizeof value) == sizeof value && value == t->value);
        WANT(write(fd, &value, sizeof value) == sizeof value);
    }
    if (t->kind == A_PIPE || t->kind == A_PAIR)
        wrong = check_queue(thing, 1);
    return wrong || t->kind != A_PAIR ? wrong : check_queue(thing, 0);
}

static const char *
check(void)
{
    const char *wrong = NULL;

    for (unsigned i = 0; i < NUMBERS; i++)
        WANT((fcntl(FIRST + (int)i, F_GETFD) >= 0) == (numbers[i].thing >= 0));
    for (int i = 0; i < (int)THINGS && !wrong; i++)
        wrong = check_thing(i);
    return wrong;
}

static const struct feature rows[] = {
    { "files, counters, pipes and pairs exchanged at random", NULL, 0, set_up, check,
        step },
};

AREA(area_shuffle, "Descriptors treated at random", rows);
