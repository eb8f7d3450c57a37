/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shipper_test.c - a standby that is being seeded and does not read holds up nobody, as
 * long as who seeds it looks at shipper_backlog(). */
#include "sockmig/shipper.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "tests/scenario/claims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG (1u << 20) /* as in tracer_active.c */
#define PAGES 128u         /* of a base */
#define ROUNDS 150u        /* 75 MB of bases: more than two socket buffers take */
#define META 4096u
#define WAIT_MS 20000

enum { FOLLOWS, SEEDS }; /* the two standbys */

/* What the shipper writes to is *ours, what the standby reads from is *theirs. */
static void
connect_pair(int *ours, int *theirs)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) < 0 ||
        listen(listener, 1) < 0 ||
        connect(*ours, (struct sockaddr *)&at, sizeof at) < 0)
        log_fatal("loopback: %s", strerror(errno));
    *theirs = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    stream_tune(*ours);
    stream_tune(*theirs);
}

struct bench {
    struct shipper *shipper;
    struct slot_pool *bases, *checkpoints;
    int reads[2]; /* the standbys' ends */
    uint64_t number, nbases;
};

static void
tell(struct bench *b, enum shipper_note what, unsigned node, int64_t a, void *p)
{
    queue_put(shipper_queue(b->shipper),
        (struct note){ .what = (int)what, .node = node, .a = a, .p = p });
}

/* All that is there, or comes within @ms. */
static size_t
read_all(int fd, int ms)
{
    static uint8_t bytes[1 << 20];
    struct pollfd p = { fd, POLLIN, 0 };
    size_t got = 0;

    while (poll(&p, 1, got ? 0 : ms) == 1) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

/* As the tracer does between two checkpoints. */
static void
seed_more(struct bench *b)
{
    struct slot *slot = NULL;
    uint8_t *to;

    if (shipper_backlog(b->shipper, SEEDS) < BACKLOG)
        slot = slot_try(b->bases);
    if (!slot)
        return;
    pages_reset(&slot->pages);
    to = pages_add(&slot->pages, (b->nbases + 1) * PAGES * 4096, PAGES);
    memset(to, 'p', (size_t)PAGES * 4096);
    slot->kind = SLOT_BASE;
    slot->nodes = 1u << SEEDS;
    slot->number = b->number;
    b->nbases++;
    tell(b, SHIP_SLOT, 0, 0, slot);
}

/* False: it did not reach the standby that follows. */
static bool
checkpoint(struct bench *b)
{
    struct slot *slot = slot_take(b->checkpoints);

    pages_reset(&slot->pages);
    memset(slot->meta, (int)(++b->number & 0xff), META);
    slot->meta_size = META;
    slot->parcels.size = 0;
    slot->kind = SLOT_CHECKPOINT;
    slot->number = b->number;
    slot->taken = mono_clock();
    tell(b, SHIP_SLOT, 0, 0, slot);
    return read_all(b->reads[FOLLOWS], WAIT_MS) > 0;
}

static void
begin(struct bench *b)
{
    int ours;

    b->shipper = shipper_new();
    b->bases = slot_pool_new(2, (size_t)8 << 20, 0, false);
    b->checkpoints = slot_pool_new(3, (size_t)8 << 20, 0, false);
    tell(b, SHIP_RESET, 0, 0, calloc(1, sizeof(struct seal_key)));
    for (unsigned i = 0; i < 2; i++) {
        connect_pair(&ours, &b->reads[i]);
        tell(b, SHIP_JOIN, i, ours, NULL);
    }
    tell(b, SHIP_SEEDED, FOLLOWS, 0, NULL);
    read_all(b->reads[FOLLOWS], WAIT_MS);
}

/* Rounds of the tracer, the standby that is seeded does not read.  False: some
 * checkpoint did not reach the other. */
static bool
rounds(struct bench *b)
{
    bool all = true;

    for (unsigned i = 0; i < ROUNDS && all; i++) {
        seed_more(b);
        all = checkpoint(b);
    }
    return all;
}

/* It reads until more is read for it. */
static bool
goes_on(struct bench *b)
{
    const uint64_t before = b->nbases;

    for (unsigned i = 0; i < ROUNDS && b->nbases == before; i++) {
        read_all(b->reads[SEEDS], 0);
        checkpoint(b);
        seed_more(b);
    }
    return b->nbases > before;
}

int
main(void)
{
    static struct bench b;

    log_init("shipper_test", LOG_LEVEL_INFO);
    begin(&b);
    check(shipper_backlog(b.shipper, SEEDS) < BACKLOG, "nothing waits at first");
    check(rounds(&b), "every checkpoint reaches the standby that reads");
    if (failed)
        return EXIT_FAILURE; /* the shipper is stuck: nothing more to see */
    check(shipper_backlog(b.shipper, SEEDS) >= BACKLOG && b.nbases < ROUNDS,
        "what waits for the other is known, and no more is read for it");
    check(goes_on(&b), "it goes on when it reads again");
    check(
        rounds(&b) && shipper_backlog(b.shipper, SEEDS) >= BACKLOG, "and stops again");
    tell(&b, SHIP_SEEDED, SEEDS, 0, NULL);
    for (unsigned i = 0; i < ROUNDS && shipper_backlog(b.shipper, SEEDS) > 0; i++)
        checkpoint(&b);
    check(shipper_backlog(b.shipper, SEEDS) == 0, "once it is seeded nobody looks");
    return claims_end();
}
