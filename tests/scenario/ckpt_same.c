/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_same.c - what a checkpoint takes over unseen is what a look at it would find.
 *
 * A program (same_program.c) with hundreds of descriptors does something with one of
 * them: bytes, options, numbers that are closed and used again, duplicates, epoll sets.
 * Of those that it left alone nothing is read again; every few checkpoints all of them
 * are, into another image, and the two are compared.  What lacks then would be missing
 * on a standby.
 *
 *     ckpt_same [COMPARISONS [SEED]]
 *
 * Needs root and a kernel with the survey (77 otherwise). */
#include "lib/loop.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/image_alloc.h"
#include "tests/scenario/ckpt_targets.h"
#include "tests/scenario/same_program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIN_WAIT1 = 4,
    FIN_WAIT2,
    LIFE = 5 /* comparisons */
};

struct bench {
    pid_t pid;
    struct target *target;
    struct image kept, read; /* taken over as far as it goes; all of it read anew */
    struct pages pages;
    struct parcels parcels;
    unsigned compared, failed;
    unsigned late; /* connections that moved between the two reads */
};

/* A segment sent before the stop may be handled after it, where processors are busy:
 * now and then a connection moves.  One that is taken over wrongly stays wrong. */
#define LATE_MAX(compared) ((compared) / 20)

static void
say(struct bench *b, const char *what, int fd)
{
    printf("comparison %u, descriptor %d: %s\n", b->compared, fd, what);
    b->failed++;
}

static void
give_up(const char *what, int ret, const struct refusals *why)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++)
        printf("refused: descriptor %d: %s\n", why->v[i].fd, why->v[i].what);
    printf("%s: %s\n", what, strerror(-ret));
    exit(1);
}

/* Without what one dump tells more exactly than another, and what an acknowledgement
 * moves that comes between the two. */
static struct image_tcp
steady(const struct image_tcp *t)
{
    struct image_tcp s = *t;

    if (s.state == FIN_WAIT2) /* acknowledged by a timer of the other end */
        s.state = FIN_WAIT1;
    s.sndbuf = s.rcvbuf = s.buf_lock = 0; /* options, read when something moves */
    s.outq = s.unsent = s.mss = s.timestamp = s.has_window = 0;
    s.snd_wl1 = s.snd_wnd = s.max_window = s.rcv_wnd = s.rcv_wup = 0;
    s.quickack = 0;
    s.rtt_ms = 0;
    s.dumped_ns = s.generation = 0;
    return s;
}

static void
compare(struct bench *b)
{
    const struct image *k = &b->kept, *r = &b->read;

    b->compared++;
    if (k->nfds != r->nfds || k->ntcps != r->ntcps || k->nitems != r->nitems) {
        say(b, "not as many", -1);
        return;
    }
    for (uint32_t i = 0; i < k->nfds; i++)
        if (memcmp(&k->fds[i], &r->fds[i], sizeof k->fds[i]) != 0)
            say(b, "not what it is", k->fds[i].fd);
    if (k->nlocks != r->nlocks ||
        memcmp(k->locks, r->locks, k->nlocks * sizeof k->locks[0]) != 0)
        say(b, "other locks", -1);
    for (uint32_t i = 0; i < k->nitems; i++)
        if (memcmp(&k->items[i], &r->items[i], sizeof k->items[i]) != 0)
            say(b, "its set watches it in another way", k->items[i].fd);
    for (uint32_t i = 0; i < k->ntcps; i++) {
        struct image_tcp one = steady(&k->tcps[i]), other = steady(&r->tcps[i]);

        if (memcmp(&one, &other, sizeof one) != 0)
            b->late++;
        if (k->tcps[i].timestamp & 1) /* here all are in milliseconds */
            say(b, "its timestamps are taken for microseconds", k->tcps[i].fd);
    }
}

static void
checkpoint(struct bench *b, bool stay_stopped)
{
    struct target_request req = {
        .stop_limit_ms = 1000, .stay_stopped = stay_stopped, .no_pages = true
    };
    struct target_timing timing;
    struct refusals why;
    int ret;

    do {
        parcels_reset(&b->parcels);
        ret = target_checkpoint(
            b->target, &req, &b->kept, &b->pages, &b->parcels, &timing, &why);
        if (ret == -EAGAIN)
            target_serve(b->target, mono_add_ms(mono_clock(), 2), -1);
    } while (ret == -EAGAIN);
    if (ret < 0)
        give_up("checkpoint", ret, &why);
}

static void
read_anew(struct bench *b)
{
    struct target_timing timing;
    struct refusals why;
    int ret;

    target_forget_state(b->target);
    parcels_reset(&b->parcels);
    ret = target_state(b->target, true, &b->read, &b->parcels, &timing, &why);
    if (ret < 0)
        give_up("read anew", ret, &why);
}

static void
serve(struct bench *b, unsigned ms)
{
    target_serve(b->target, mono_add_ms(mono_clock(), ms), -1);
}

/* The first checkpoint takes over what was looked at while the program ran, the others
 * what the one before has. */
static void
one_life(struct bench *b)
{
    struct refusals why;
    int ret = target_attach(b->pid, &b->target, &why);

    if (ret < 0)
        give_up("attach", ret, &why);
    for (unsigned i = 0; i < 2; i++) {
        target_ahead(b->target);
        serve(b, 20);
    }
    for (unsigned i = 0; i < LIFE; i++) {
        for (unsigned k = 0; i > 0 && k < 7 + i; k++) {
            checkpoint(b, false);
            serve(b, 2);
        }
        checkpoint(b, true);
        read_anew(b);
        compare(b);
        target_resume(b->target);
    }
    target_detach(b->target);
}

static void
run(struct bench *b, unsigned comparisons)
{
    while (b->compared < comparisons)
        one_life(b);
    printf("%u descriptors, %u connections, %u items: compared %u times, %u differ, "
           "%u connections moved meanwhile\n",
        b->kept.nfds, b->kept.ntcps, b->kept.nitems, b->compared, b->failed, b->late);
}

int
main(int argc, char **argv)
{
    unsigned comparisons = argc > 1 ? (unsigned)atoi(argv[1]) : 60;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)getpid();
    struct survey survey = { .files = -1, .mappings = -1 };
    static struct bench b;

    if (!apps_prepare())
        return 77;
    b.pid = fork(); /* before anything else has descriptors */
    if (b.pid == 0)
        same_program(seed);
    if (survey_open(&survey, getpid()) < 0)
        return 77;
    survey_close(&survey);
    if (image_alloc(&b.kept) < 0 || image_alloc(&b.read) < 0 ||
        pages_init(&b.pages, 1 << 20, 0) < 0 || parcels_init(&b.parcels, 64 << 20) < 0)
        abort();
    printf("seed %llu\n", (unsigned long long)seed);
    usleep(300000);
    run(&b, comparisons);
    kill(b.pid, SIGKILL);
    waitpid(b.pid, NULL, 0);
    same_remove_files(b.pid);
    return b.failed > 0 || b.late > LATE_MAX(b.compared);
}
