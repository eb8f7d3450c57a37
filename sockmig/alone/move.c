/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * move.c - sockmig move: a process with its descendants and their connections to
 * another host, where sockmig receive waits for them.
 *
 *     attach ─► look at all, short ─► the other end makes room ─► memory, while they
 * run ─► stop, silence ─► what has changed since ─► it has all of it, and it is good ─►
 * addresses away ─► GO ─► they run there ─► kill
 *
 * Up to GO they run on here as if nothing had been, if anything fails or this program
 * dies.  From GO on the other end decides, once for all, whether it runs them
 * (decision.h), and until its word is here they stand still. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/mover.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/loop.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3 /* if its processes change meanwhile */
#define SHAPE_TRIES 10
#define ROUNDS 12      /* of copying ahead */
#define FEW (2u << 20) /* bytes of a round that are no reason for another */
#define BUILD_MS 30000 /* for the other end to make room */
#define LIMIT_MAX_MS 3600000
#define SYNC_MS 30000 /* for it to take in what was sent */

/* ---- while they run */

static int
order(struct mover *m)
{
    struct channel_order *o = &m->order;

    seal_random(o->id, sizeof o->id);
    memcpy(o->silence, m->take.head.silence, sizeof o->silence);
    return mover_put(
        m, (enum imgfile_type)CHANNEL_ORDER, 0, &(struct iovec){ o, sizeof *o }, 1);
}

static int
shape(struct mover *m)
{
    int ret;

    m->still = true;
    ret = take_look(&m->take);
    m->still = false;
    return ret == 0 ? mover_remember(m) : ret;
}

static int
make_room(struct mover *m)
{
    int ret = -EAGAIN;

    for (int i = 0; i < SHAPE_TRIES && ret == -EAGAIN; i++)
        ret = shape(m); /* connections may be in the middle of something */
    if (ret == 0)
        ret = mover_word(m, CHANNEL_SHAPE);
    if (ret == 0)
        ret = mover_await(m, CHANNEL_BUILT, BUILD_MS);
    return ret;
}

/* Again while much was written meanwhile, and less each time: what is left then is the
 * pause. */
static int
ahead(struct mover *m)
{
    uint64_t last = UINT64_MAX, bytes = UINT64_MAX;
    int ret = 0;

    for (int i = 0; i < ROUNDS && ret == 0 && bytes > FEW; i++) {
        uint64_t before = m->take.memory;

        if (i > 2 && bytes > last - last / 4)
            break;
        last = bytes;
        ret = take_ahead(&m->take);
        if (ret == 0)
            ret = mover_word(m, CHANNEL_SYNC);
        if (ret == 0)
            ret = mover_await(m, CHANNEL_SYNCED, SYNC_MS);
        bytes = m->take.memory - before;
    }
    return ret;
}

/* ---- while they stand still */

static int
freeze(struct mover *m)
{
    struct take *t = &m->take;
    uint64_t before = t->memory;
    int ret = mover_catch(m);

    if (ret == 0)
        ret = take_stop(t);
    if (ret < 0)
        return ret;
    m->still = true;
    if (!mover_is_same(m))
        return -EAGAIN;
    FAULT_POINT("move-stopped");
    ret = take_state(t, TAKE_REST);
    if (ret == 0)
        ret = mover_put_new(m);
    if (ret == 0)
        ret = mover_word(m, (enum channel_word)IMGFILE_END);
    FAULT_POINT("move-sent");
    if (ret == 0)
        ret = mover_await(m, CHANNEL_READY, m->limit_ms);
    m->last_bytes = t->memory - before;
    FAULT_POINT("move-ready");
    return ret;
}

static void
forward(void *mover)
{
    mover_forward(mover);
}

static int
hand_over(struct mover *m)
{
    int ret = mover_addresses_away(m);

    FAULT_POINT("move-addresses");
    if (ret == 0)
        ret = mover_go(m);
    if (ret < 0) {
        mover_addresses_back(m);
        return ret;
    }
    FAULT_POINT("move-go");
    ret = mover_result(m);
    m->still_us = mono_us_between(m->take.frozen, mono_clock());
    if (ret < 0) {
        mover_addresses_back(m);
        return ret;
    }
    FAULT_POINT("move-runs");
    take_kill(&m->take, forward, m);
    mover_forward(m); /* what came to the old place until now */
    take_speak(&m->take);
    mover_addresses_gone(m);
    return 0;
}

/* ---- all together */

static int
begin(struct mover *m)
{
    struct take *t = &m->take;
    int ret = channel_connect(
        &m->channel, m->host, &m->secret, m->vips, m->nvips, t->error, sizeof t->error);

    if (ret == 0)
        ret = channel_start(&m->channel);
    if (ret == 0)
        ret = guard_start(&t->guard, t->netns, -1, "");
    if (ret == 0)
        ret = take_head(t);
    return ret == 0 ? order(m) : ret;
}

static void
undo(struct mover *m)
{
    struct take *t = &m->take;

    take_speak(t);
    if (m->still)
        tree_resume(&t->tree);
    m->still = false;
    channel_close(&m->channel);
    guard_end(&t->guard);
    catcher_close(&m->catcher);
    mover_forget(m);
}

static int
once(struct mover *m)
{
    int ret = begin(m);

    if (ret == 0 && !m->attached)
        ret = tree_attach(&m->take.tree, &m->take.why);
    m->attached |= ret == 0;
    FAULT_POINT("move-attached");
    if (ret == 0)
        ret = make_room(m);
    FAULT_POINT("move-built");
    if (ret == 0)
        ret = ahead(m);
    FAULT_POINT("move-ahead");
    if (ret == 0)
        ret = freeze(m);
    if (ret == 0)
        ret = hand_over(m);
    if (ret < 0)
        undo(m);
    return ret;
}

static int
work(struct mover *m, pid_t root)
{
    int ret = take_find(&m->take, root);

    if (ret == 0)
        ret = mover_find_addresses(m);
    if (ret == 0)
        mover_find_cell(m);
    for (int i = 0; ret == 0; i++) {
        ret = once(m);
        if (ret != -EAGAIN || i == TRIES - 1)
            break;
        ret = 0;
    }
    if (ret == -EAGAIN && !m->take.error[0])
        snprintf(m->take.error, sizeof m->take.error,
            "its processes change too fast: try again, or dump and restore");
    return ret;
}

static void
tell(const struct mover *m)
{
    const struct take *t = &m->take;

    printf("%u process%s, %u of %u connection%s, %llu MB of memory to %s\n", t->tree.n,
        t->tree.n == 1 ? "" : "es", m->result.connections - m->result.lost,
        m->result.connections, m->result.connections == 1 ? "" : "s",
        (unsigned long long)(t->memory >> 20), m->host);
    printf("stood still for %.1f ms, with %llu kB of memory left to send\n",
        (double)m->still_us / 1000, (unsigned long long)(m->last_bytes >> 10));
    fflush(stdout);
}

static bool
options(struct mover *m, int argc, char **argv, pid_t *root)
{
    static const struct option known[] = { { "address", required_argument, NULL, 'a' },
        { "secret", required_argument, NULL, 's' },
        { "limit-ms", required_argument, NULL, 'l' }, { NULL, 0, NULL, 0 } };
    const char *secret = ALONE_SECRET;
    char error[SEAL_ERROR_LEN], wrong[VIP_ERROR];
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
        if (c == 'a' &&
            !vip_add_to(m->vips, &m->nvips, CHANNEL_ADDRESSES, optarg, false, wrong)) {
            alone_error("%s", wrong);
            return false;
        }
        if (c == 's')
            secret = optarg;
        if (c == 'l' && !alone_number(optarg, 1, LIMIT_MAX_MS, &m->limit_ms))
            return false;
        if (c == '?')
            return false;
    }
    if (!alone_given(argc, argv, optind, "PID HOST") ||
        !alone_process(argv[optind], root))
        return false;
    m->host = argv[optind + 1];
    if (seal_secret_read(secret, &m->secret, error))
        return true;
    alone_error("%s", error);
    m->host = NULL;
    return true;
}

int
alone_move(int argc, char **argv)
{
    struct mover *m = mover_new();
    pid_t root = 0;
    int ret;

    if (!m)
        return ALONE_FAILED;
    if (!options(m, argc, argv, &root)) {
        mover_free(m);
        return alone_usage("move");
    }
    ret = ALONE_FAILED;
    signal(SIGPIPE, SIG_IGN); /* a lost connection must not end this program */
    if (m->host) {
        ret = work(m, root);
        if (ret == 0) {
            tell(m);
            mover_linger(m);
        } else {
            ret = take_failed(&m->take, ret, root, "not moved, it runs on here");
        }
    }
    mover_free(m);
    return ret;
}
