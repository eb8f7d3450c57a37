/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/follower.h"

#include "lib/conf.h"
#include "lib/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STALL_US (500 * 1000)
#define LOST_MAX 1000 /* more connections given up: the log does not fit the clone */

static const struct keep_conf keep_conf = {
    .flows = 65536, .half_open = 16384, .bytes = 8u << 20
};

/* What the log was told of a connection: it is the same while its dump is. */
struct said {
    uint64_t dumped_ns;
    uint32_t generation, number;
};

struct follower {
    void *memory;          /* owned: of .keep */
    struct keep *keep;     /* the tracer's */
    struct plog_ring ring; /* the tracer's view of it */
    bool broken;           /* malformed from somewhere on */
    struct said *said;     /* owned: by descriptor, IMAGE_MAX_NUMBER */
    uint8_t scratch[KEEP_SCRATCH];
    _Atomic uint64_t have;   /* received */
    _Atomic int64_t have_us; /* and when */
    pthread_mutex_t lock;
    struct keep_stat stat; /* under .lock */
};

struct follower *
follower_new(uint8_t *data, uint64_t size)
{
    struct follower *f = calloc(1, sizeof *f);

    if (!f)
        log_fatal("follower: out of memory");
    f->memory = calloc(1, keep_size(&keep_conf));
    if (!f->memory)
        log_fatal("follower: out of memory");
    f->said = calloc(IMAGE_MAX_NUMBER, sizeof *f->said);
    if (!f->said)
        log_fatal("follower: out of memory");
    f->keep = keep_init(f->memory, &keep_conf);
    plog_ring_init(&f->ring, data, size, 0);
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void
follower_received(struct follower *f, uint64_t have, struct mono at)
{
    atomic_store_explicit(&f->have_us, at.us, memory_order_relaxed);
    atomic_store_explicit(&f->have, have, memory_order_release);
}

void
follower_begin(struct follower *f, uint64_t from)
{
    f->keep = keep_init(f->memory, &keep_conf);
    memset(f->said, 0, IMAGE_MAX_NUMBER * sizeof *f->said);
    plog_ring_init(&f->ring, f->ring.data, f->ring.size, from);
    f->broken = false;
}

/* Each once, whoever has it open.  False if @use says so of one. */
static bool
each_connection(const struct family *f,
    bool (*use)(const struct image_tcp *tcp, void *arg), void *arg)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct image *im = f->images[i];

        for (uint32_t k = 0; !family_is_zombie(&f->members[i]) && k < im->ntcps; k++)
            if (family_owner(f, i, im->tcps[k].fd) && !use(&im->tcps[k], arg))
                return false;
    }
    return true;
}

static bool
keep_one(const struct image_tcp *tcp, void *arg)
{
    struct follower *f = arg;
    struct said *s = &f->said[tcp->fd];

    if (s->dumped_ns == tcp->dumped_ns && s->generation == tcp->generation &&
        keep_connection_again(f->keep, s->number))
        return true;
    *s = (struct said){ tcp->dumped_ns, tcp->generation,
        keep_connection_image(f->keep, tcp) };
    return true;
}

static bool
replay_one(const struct image_tcp *tcp, void *arg)
{
    struct replay_connection connection;

    return !replay_connection_image(tcp, &connection) ||
           replay_connection(arg, &connection);
}

static void
trim(struct follower *f, const struct slot *slot)
{
    struct plog_mark mark = { slot->number, slot->mark.in, slot->mark.out };
    uint64_t have = atomic_load_explicit(&f->have, memory_order_acquire);

    if (have > f->ring.end)
        f->ring.end = have;
    keep_begin(f->keep);
    each_connection(&slot->family, keep_one, f);
    if (!keep_trim(f->keep, &f->ring, &mark, f->scratch))
        f->broken = true;
    pthread_mutex_lock(&f->lock);
    f->stat = keep_stat(f->keep);
    pthread_mutex_unlock(&f->lock);
}

uint64_t
follower_applied(struct follower *f, const struct slot *slot)
{
    if (f->broken)
        f->ring.begin = f->ring.end;
    else
        trim(f, slot);
    return f->ring.begin;
}

const char *
follower_prepare(struct follower *f, const struct slot *slot, struct replay *replay,
    uint64_t seed, struct mono now)
{
    struct replay_conf conf = { .mode = slot->policy == CONF_REPLAY ? REPLAY_COMPARE
                                                                    : REPLAY_FEED,
        .mark = { slot->number, slot->mark.in, slot->mark.out },
        .seed = seed,
        .silent_us = now.us - atomic_load(&f->have_us),
        .outage_us = mono_us_between(slot->taken, now),
        .stall_us = STALL_US,
        .lost_max = LOST_MAX };
    const char *why = NULL;

    if (conf.outage_us > conf.silent_us) /* both had still come when it began */
        conf.outage_us = conf.silent_us;
    trim(f, slot);
    if (f->broken)
        return "the packet log is malformed";
    conf.kept = keep_records(f->keep);
    conf.log = &f->ring;
    if (!each_connection(&slot->family, replay_one, replay))
        return "more connections than a replay has room for";
    return replay_start(replay, &conf, now, &why) ? NULL : why;
}

struct keep_stat
follower_stat(struct follower *f)
{
    struct keep_stat stat;

    pthread_mutex_lock(&f->lock);
    stat = f->stat;
    pthread_mutex_unlock(&f->lock);
    return stat;
}
