/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_bench.c - what the multicast channel costs: one active node and 1, 2, 3
 * standbys, each a process in a network namespace of its own on this machine.
 *
 *   mcast_bench [group|list] [xchacha]
 *
 * A line a figure: round trip of a 64-byte record until it is stable (p50, p99, us);
 * processor time of the active node for such a record, alone and 16 at a time (us);
 * stream throughput (Gbit/s).  All share this machine's processors. */
#include "tests/scenario/mcast_lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING (64u << 20)
#define ROUNDS 20000u
#define BULK (1500ull << 20)
#define EPOCH 7
#define REIGN 0x1234567890abcdefu

struct bench {
    struct mcast_lab lab;
    struct loop *loop;
    struct mcast *m;
    uint64_t waits_for, end;
    unsigned round, burst;
    struct mono sent;
    uint32_t us[ROUNDS];
    uint8_t block[64000];
    bool bulk;
    unsigned caught_up;
};

/* ---- a standby, a process of its own ---- */

static void
on_received(void *arg, uint64_t have)
{
    struct mcast *m = *(struct mcast **)arg;

    if (have - mcast_log_received(m).low > RING / 4)
        mcast_forget(m, have);
}

static pid_t
standby(struct bench *b, unsigned id)
{
    static const struct mcast_calls calls = { .received = on_received };
    static struct mcast *m;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct loop *loop = loop_new();

    m = lab_open(&b->lab, id, loop, &calls, &m, RING);
    mcast_follow(m, 1, EPOCH, REIGN, 100 + id, 0);
    loop_run(loop);
    _exit(0);
}

/* ---- the active node ---- */

static void
small_records(struct bench *b)
{
    struct rmcast_bytes piece = { b->block, 64 };

    b->sent = mono_clock();
    for (unsigned i = 0; i < b->burst; i++)
        if (!mcast_append(b->m, &piece, 1, &b->waits_for))
            abort();
    mcast_flush(b->m);
}

static void
bulk_records(struct bench *b)
{
    struct rmcast_bytes piece = { b->block, sizeof b->block };
    uint64_t lsn;

    while (mcast_head(b->m) < b->end && mcast_append(b->m, &piece, 1, &lsn))
        ;
    if (mcast_head(b->m) >= b->end)
        b->waits_for = mcast_head(b->m);
    mcast_flush(b->m);
}

static void
on_stable(void *arg, uint64_t lsn)
{
    struct bench *b = arg;

    mcast_trim(b->m, lsn);
    if (lsn < b->waits_for) {
        if (b->bulk)
            bulk_records(b);
        return;
    }
    if (b->bulk || b->round == ROUNDS) {
        loop_stop(b->loop);
        return;
    }
    b->us[b->round++] = (uint32_t)mono_us_between(b->sent, mono_clock());
    small_records(b);
}

static void
on_note(void *arg, unsigned node)
{
    (void)arg;
    (void)node;
}

static void
on_caught_up(void *arg, unsigned node)
{
    struct bench *b = arg;

    (void)node;
    b->caught_up++;
    loop_stop(b->loop);
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double
cpu_us(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void
run_small(struct bench *b, unsigned standbys, unsigned burst)
{
    double cpu = cpu_us();

    b->bulk = false;
    b->round = 0;
    b->burst = burst;
    small_records(b);
    loop_run(b->loop);
    cpu = (cpu_us() - cpu) / ROUNDS / burst;
    qsort(b->us, ROUNDS, sizeof b->us[0], by_value);
    printf("%u standbys, %2u records at a time: p50 %u us, p99 %u us, %.2f us cpu a "
           "record\n",
        standbys, burst, b->us[ROUNDS / 2], b->us[ROUNDS * 99 / 100], cpu);
}

static void
run_bulk(struct bench *b, unsigned standbys)
{
    uint64_t from = mcast_head(b->m);
    struct mono begin = mono_clock();
    struct mcast_stats s;
    double us;

    b->bulk = true;
    b->end = from + BULK;
    b->waits_for = UINT64_MAX;
    bulk_records(b);
    loop_run(b->loop);
    us = (double)mono_us_between(begin, mono_clock());
    mcast_stats(b->m, &s);
    printf("%u standbys: %.2f Gbit/s (%lu repairs, %lu probes, %s)\n", standbys,
        (double)(mcast_head(b->m) - from) * 8 / us / 1000, s.tx.repairs, s.tx.probes,
        s.aes ? "AES-256-GCM" : "XChaCha20-Poly1305");
}

static void
run(struct bench *b, unsigned standbys)
{
    static const struct mcast_calls calls = { on_stable, on_note, on_caught_up, on_note,
        NULL };
    pid_t pids[LAB_NODES + 1];

    b->loop = loop_new();
    b->m = lab_open(&b->lab, 1, b->loop, &calls, b, RING);
    mcast_reign(b->m, EPOCH, REIGN);
    b->caught_up = 0;
    for (unsigned i = 2; i <= standbys + 1; i++) {
        pids[i] = standby(b, i);
        mcast_join(b->m, i, 100 + i, 0);
    }
    while (b->caught_up < standbys)
        loop_run(b->loop);
    mcast_set(b->m, ((1u << standbys) - 1) << 1);
    run_small(b, standbys, 1);
    run_small(b, standbys, 16);
    run_bulk(b, standbys);
    for (unsigned i = 2; i <= standbys + 1; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    mcast_close(b->m);
    loop_free(b->loop);
}

int
main(int argc, char **argv)
{
    static struct bench b;
    enum lab_way way = LAB_V4_GROUP;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "list"))
            way = LAB_V4_LIST;
        else if (!strcmp(argv[i], "xchacha"))
            b.lab.no_aes = true;
    }
    lab_new(&b.lab);
    lab_way(&b.lab, way);
    b.lab.conf.behind_ms = 1000; /* a shared machine is no cluster */
    printf("%s\n", lab_way_name(way));
    for (unsigned n = 1; n < LAB_NODES; n++)
        run(&b, n);
    return 0;
}
