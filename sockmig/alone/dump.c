/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dump.c - sockmig dump: a process with its descendants into an image.
 *
 *     attach ─► look at all, short ─► copy memory while they run ─► stop ─► silence ─►
 * images, what was written meanwhile ─► on the disk, under its name ─► sockets silent
 * for good ─► kill
 *
 * Up to the last two steps they run on as if nothing had been if this program fails or
 * dies; from then on the image is whole. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/imgfile.h"
#include "sockmig/alone/take.h"

#include "lib/fault.h"
#include "lib/loop.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 3       /* of copying ahead */
#define FEW (8u << 20) /* bytes of a round that are no reason for another */

struct dump {
    struct take take;
    const char *dir; /* borrowed */
    struct imgfile_out out;
    bool keep;
};

static int
disk_error(struct dump *d, int ret)
{
    const char *cure = "";

    if (ret == -ENOSPC || ret == -EDQUOT)
        cure = ": make room there, or name another folder";
    if (ret == -EFBIG)
        cure = ": raise the limit (ulimit -f), or name a folder elsewhere";
    if (ret < 0 && !d->take.error[0])
        snprintf(d->take.error, sizeof d->take.error, "%.100s, after %llu MB: %s%s",
            d->dir, (unsigned long long)(d->out.bytes >> 20), strerror(-ret), cure);
    return ret;
}

static int
put(void *arg, enum imgfile_type type, uint32_t process, const struct iovec *parts,
    unsigned n)
{
    struct dump *d = arg;

    return disk_error(d, imgfile_put(&d->out, type, process, parts, n));
}

static int
begin(struct dump *d, const char *dir)
{
    int ret = imgfile_create(&d->out, dir);

    if (ret == 0)
        return take_head(&d->take);
    snprintf(d->take.error, sizeof d->take.error, "%s: %s", dir, strerror(-ret));
    return ret;
}

static void *
flush(void *arg)
{
    struct dump *d = arg;

    return (void *)(intptr_t)imgfile_flush(&d->out);
}

/* The disk may take long: meanwhile the stops of the targets are answered. */
static int
flush_while_serving(struct dump *d)
{
    pthread_t thread;
    void *result = NULL;
    int ret = pthread_create(&thread, NULL, flush, d);

    if (ret != 0)
        return -ret;
    while (pthread_tryjoin_np(thread, &result) == EBUSY)
        tree_serve(&d->take.tree, 1000);
    return (int)(intptr_t)result;
}

/* Again while much was written meanwhile: the last round is the pause. */
static int
ahead(struct dump *d)
{
    uint64_t before = 0;
    int ret = 0;

    for (int i = 0; i < ROUNDS && ret == 0 && (i == 0 || d->take.memory - before > FEW);
         i++) {
        before = d->take.memory;
        ret = take_ahead(&d->take);
    }
    return ret == 0 ? disk_error(d, flush_while_serving(d)) : ret;
}

/* Of the first look only what is queued is kept: the second one brings what has changed
 * of that. */
static int
put_queues(void *arg, enum imgfile_type type, uint32_t process,
    const struct iovec *parts, unsigned n)
{
    return type == IMGFILE_QUEUES ? put(arg, type, process, parts, n) : 0;
}

/* So that the pause finds most of it known: with 1,000 connections at rest it is some
 * 50 ms shorter. */
static int
look(struct dump *d)
{
    int ret;

    d->take.put = put_queues;
    ret = take_look(&d->take);
    d->take.put = put;
    return ret == -EAGAIN ? 0 : ret;
}

static int
freeze(struct dump *d)
{
    int ret = take_stop(&d->take);

    return ret == 0 ? take_state(&d->take, TAKE_REST) : ret;
}

static int
work(struct dump *d, pid_t root, const char *dir)
{
    struct take *t = &d->take;
    int ret = take_find(t, root);

    if (ret == 0)
        ret = begin(d, dir);
    if (ret == 0)
        ret = guard_start(&t->guard, t->netns, d->out.folder, d->out.temporary);
    if (ret == 0)
        ret = tree_attach(&t->tree, &t->why);
    if (ret == 0)
        ret = look(d);
    if (ret == 0)
        ret = ahead(d);
    FAULT_POINT("dump-ahead");
    if (ret == 0)
        ret = freeze(d);
    if (ret == 0 && d->keep)
        tree_resume(&t->tree);
    if (ret == 0)
        ret = disk_error(d, imgfile_commit(&d->out));
    FAULT_POINT("dump-committed");
    if (ret == 0 && !d->keep)
        take_kill(t, NULL, NULL);
    else
        take_speak(t);
    return ret;
}

static void
tell(const struct dump *d, const char *dir)
{
    const struct take *t = &d->take;
    int64_t us = mono_us_between(t->frozen, mono_clock());

    printf("%u process%s, %u connection%s, %llu MB of memory to %s/" IMGFILE_NAME
           "%s\n",
        t->tree.n, t->tree.n == 1 ? "" : "es", t->connections,
        t->connections == 1 ? "" : "s", (unsigned long long)(t->memory >> 20), dir,
        d->keep ? "; they run on" : "");
    printf("stood still for %.1f ms\n", (double)us / 1000);
    if (!d->keep && t->guard.page->silent)
        printf("packets of the connections are dropped until sockmig restore (table "
               "inet %s of nft)\n",
            t->head.silence);
    fflush(stdout); /* what is left to be done here takes its time */
}

int
alone_dump(int argc, char **argv)
{
    static const struct option options[] = { { "keep-running", no_argument, NULL, 'k' },
        { NULL, 0, NULL, 0 } };
    struct dump *d = calloc(1, sizeof *d);
    pid_t root = 0;
    int c, ret;

    if (!d)
        return ALONE_FAILED;
    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'k')
        d->keep = true;
    if (c != -1 || !alone_given(argc, argv, optind, "PID DIR") ||
        !alone_process(argv[optind], &root)) {
        free(d);
        return alone_usage("dump");
    }
    signal(SIGXFSZ, SIG_IGN); /* then it is an error like others */
    d->out.fd = d->out.folder = -1;
    d->dir = argv[optind + 1];
    d->take.put = put;
    d->take.arg = d;
    d->take.talking = d->keep;
    ret = work(d, root, argv[optind + 1]);
    if (ret == 0)
        tell(d, argv[optind + 1]);
    else
        ret = take_failed(&d->take, ret, root, "not dumped");
    take_free(&d->take);
    imgfile_discard(&d->out);
    free(d);
    return ret;
}
