/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/follower.h"

#include "lib/conf.h"
#include "lib/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STALL_US (500 * 1000)
#define LOST_MAX 1000 /* more connections given up: the log does not fit the clone */

static const struct keep_conf keep_conf = {
    .flows = 65536, .half_open = 16384, .bytes = 8u << 20
};

struct follower {
    void *memory;          /* owned: of .keep */
    struct keep *keep;     /* the tracer's */
    struct plog_ring ring; /* the tracer's view of it */
    bool broken;           /* malformed from somewhere on */
    enum replay_mode mode; /* of the replay that was prepared */
    uint8_t *births;       /* owned, of nbirths bytes; NULL: none, or in .keep */
    size_t nbirths;
    uint32_t *places; /* owned: in .keep, by descriptor, as last seen */
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
    f->places = calloc(IMAGE_MAX_NUMBER, sizeof *f->places);
    if (!f->places)
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
    plog_ring_init(&f->ring, f->ring.data, f->ring.size, from);
    follower_births(f, NULL, 0);
    f->broken = false;
}

void
follower_births(struct follower *f, uint8_t *data, size_t size)
{
    free(f->births);
    f->births = data;
    f->nbirths = size;
}

/* Bytes in a row are the begin of a ring of any larger size. */
static bool
take_births(struct follower *f)
{
    struct plog_ring records;
    bool ok;

    if (!f->births)
        return true;
    plog_ring_init(&records, f->births, UINT64_C(1) << 63, 0);
    records.end = f->nbirths;
    ok = keep_births(f->keep, &records, f->scratch);
    free(f->births);
    f->births = NULL;
    return ok;
}

void
follower_succeed(struct follower *f, struct births *births, uint64_t as)
{
    struct births_succession s = {
        .as = as, .keep = f->keep, .made_again = f->mode == REPLAY_COMPARE
    };

    births_log(births, &s, keep_records(f->keep), f->scratch);
    births_log(births, &s, &f->ring, f->scratch);
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
    uint32_t *place = &f->places[tcp->fd];

    *place = keep_connection_image(f->keep, tcp, *place);
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
    for (uint32_t i = 0; i < slot->family.n; i++)
        if (!family_is_zombie(&slot->family.members[i]))
            keep_unaccepted_image(f->keep, slot->family.images[i]);
    if (!take_births(f) || !keep_trim(f->keep, &f->ring, &mark, f->scratch))
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
        .stall_us = STALL_US,
        .lost_max = LOST_MAX };
    const char *why = NULL;

    f->mode = conf.mode;
    trim(f, slot);
    if (f->broken)
        return "the packet log is malformed";
    conf.outage_us = conf.silent_us + (int64_t)keep_stat(f->keep).deaf_us;
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
