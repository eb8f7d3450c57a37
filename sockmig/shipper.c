/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/shipper.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/core/commit.h"
#include "sockmig/core/known.h"
#include "sockmig/queues_kept.h"
#include "sockmig/realtime.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CHUNK (256u << 10) /* bytes of a checkpoint in one frame */
#define OUT_MAX (2u << 20) /* sealed bytes written in one go */

#define MEASURE_MS 1

struct shipper {
    struct queue *queue;
    struct stream_keys keys;
    uint64_t next; /* frame; goes on in the next reign: a hello may quote it */
    int fds[COMMIT_MAX_NODES]; /* owned; -1: not joined */
    uint32_t aes;              /* bit i: node i opens AES */
    uint8_t *last, *lines;     /* owned mappings: encoding of the last image, diff */
    size_t last_size;
    struct mono last_taken;
    struct queues_kept kept;
    struct known known; /* pages as everybody has them, who listened since then: */
    bool anew;          /* false once the next checkpoint said that it begins anew */
    uint8_t body[1 + CHUNK];
    uint8_t out[OUT_MAX];
    size_t out_size;
    uint32_t to;      /* bit i: node i gets what is in .out */
    uint32_t seeding; /* bit i: node i does not have all base pages yet */
    _Atomic unsigned backlog[COMMIT_MAX_NODES]; /* of those in .seeding */
    _Atomic uint64_t sent_bytes, last_bytes, next_frame;
};

static void
drop(struct shipper *s, unsigned node)
{
    fd_close(s->fds[node]);
    s->fds[node] = -1;
    s->seeding &= ~(1u << node);
    atomic_store(&s->backlog[node], 0);
}

static void
measure(struct shipper *s)
{
    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++) {
        int bytes = 0;

        if ((s->seeding & 1u << i) && ioctl(s->fds[i], SIOCOUTQ, &bytes) == 0)
            atomic_store(&s->backlog[i], (unsigned)bytes);
    }
}

static void
write_out(struct shipper *s)
{
    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++) {
        size_t at = 0;

        if (!(s->to & 1u << i) || s->fds[i] < 0)
            continue;
        while (at < s->out_size) {
            ssize_t n = send(s->fds[i], s->out + at, s->out_size - at, MSG_NOSIGNAL);

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0) { /* the main thread sees the same end and says so */
                drop(s, i);
                break;
            }
            at += (size_t)n;
        }
        atomic_fetch_add(&s->sent_bytes, at);
    }
    s->out_size = 0;
}

static void
put_frame(struct shipper *s, size_t body_size)
{
    const bool aes = s->keys.has[SEAL_AES256] && !(s->to & ~s->aes);
    const struct seal_channel *key = &s->keys.of[aes ? SEAL_AES256 : SEAL_XCHACHA20];

    if (OUT_MAX - s->out_size < body_size + WIRE_FRAME_HEAD + SEAL_TAG)
        write_out(s);
    s->out_size += stream_frame(
        key, s->next++, s->body, body_size, s->out + s->out_size);
    atomic_store(&s->next_frame, s->next);
}

static void
put_head(struct shipper *s, const struct wire_head *head)
{
    struct writer w = writer_init(s->body, sizeof s->body);

    wire_put_head(&w, head);
    put_frame(s, w.pos);
}

static void
put_parts(struct shipper *s, enum wire_kind kind, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        size_t n = size < CHUNK ? size : CHUNK;

        s->body[0] = (uint8_t)kind;
        memcpy(s->body + 1, at, n);
        put_frame(s, 1 + n);
        at += n;
        size -= n;
    }
}

static void
put_data(struct shipper *s, const void *data, size_t size)
{
    put_parts(s, WIRE_BYTES, data, size);
}

/* Whole pages in each frame.  Bytes that they took. */
static size_t
put_pages(struct shipper *s, const struct pages *pages)
{
    size_t at = 1, sum = 0;

    s->body[0] = WIRE_PAGES;
    for (size_t i = 0; i < pages->nruns; i++) {
        const struct page_run *run = &pages->runs[i];
        const uint8_t *page = pages->data + run->offset;

        for (uint32_t k = 0; k < run->count && !run->dropped; k++) {
            at += known_code(&s->known,
                known_page_of(run->address, run->count, run->process, k),
                page + (size_t)k * KNOWN_PAGE, s->body + at);
            if (sizeof s->body - at >= KNOWN_CODED)
                continue;
            put_frame(s, at);
            sum += at;
            at = 1;
        }
    }
    if (at > 1)
        put_frame(s, at);
    return sum + at;
}

static uint32_t
everybody(const struct shipper *s)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++)
        if (s->fds[i] >= 0)
            mask |= 1u << i;
    return mask;
}

/* The encoding is the last one now; the slot gets the room of the one before. */
static void
take_meta(struct shipper *s, struct slot *slot)
{
    uint8_t *spare = s->last;

    s->last = slot->meta;
    s->last_size = slot->meta_size;
    slot->meta = spare;
}

/* Not longer than the wire takes: a service that stood still for an hour. */
static uint64_t
age_of(struct mono taken)
{
    int64_t age_us = mono_us_between(taken, mono_clock());

    return age_us > WIRE_MAX_AGE_US ? WIRE_MAX_AGE_US : (uint64_t)age_us;
}

static void
ship_checkpoint(struct shipper *s, struct slot *slot)
{
    size_t lines = image_lines_encode(
        s->last, s->last_size, slot->meta, slot->meta_size, s->lines, SLOT_META);
    struct wire_head head = { .kind = WIRE_CHECKPOINT,
        .number = slot->number,
        .image_bytes = lines,
        .runs = slot->pages.nruns,
        .page_bytes = slot->pages.size,
        .parcel_bytes = slot->parcels.size,
        .file_bytes = slot->files_size,
        .age_us = age_of(slot->taken),
        .policy = slot->policy,
        .hurry = slot->hurry,
        .mark_in = slot->mark.in,
        .mark_out = slot->mark.out,
        .anew = s->anew };
    uint64_t runs_size = slot->pages.nruns * sizeof *slot->pages.runs, page_bytes;

    queues_keep(&s->kept, slot);
    take_meta(s, slot);
    s->last_taken = slot->taken;
    s->to = everybody(s);
    if (!s->to) {
        atomic_store(&s->last_bytes, 0);
        return;
    }
    if (s->anew)
        known_forget(&s->known);
    s->anew = false;
    put_head(s, &head);
#ifdef BSC_FAULT_POINTS
    write_out(s);
    FAULT_POINT("checkpoint-half-sent");
#endif
    put_data(s, s->lines, lines);
    put_data(s, slot->pages.runs, runs_size);
    page_bytes = put_pages(s, &slot->pages);
    put_data(s, slot->parcels.data, slot->parcels.size);
    put_data(s, slot->files, slot->files_size);
    atomic_store(&s->last_bytes,
        lines + runs_size + page_bytes + slot->parcels.size + slot->files_size);
    write_out(s);
    measure(s);
    FAULT_POINT("checkpoint-sent");
}

static void
ship_base(struct shipper *s, const struct slot *slot)
{
    struct wire_head head = { .kind = WIRE_BASE,
        .number = slot->number,
        .runs = slot->pages.nruns,
        .page_bytes = slot->pages.size,
        .file_bytes = slot->files_size };

    s->to = slot->nodes & everybody(s);
    if (!s->to)
        return;
    put_head(s, &head);
    put_data(s, slot->pages.runs, slot->pages.nruns * sizeof *slot->pages.runs);
    put_data(s, slot->pages.data, slot->pages.size);
    put_data(s, slot->files, slot->files_size);
    write_out(s);
    measure(s);
}

static void
put_queue(void *arg, const void *data, size_t size)
{
    put_data(arg, data, size);
}

/* Frees @births. */
static void
put_births(struct shipper *s, uint8_t *births, size_t size)
{
    put_parts(s, WIRE_BIRTHS, births, size);
    free(births);
}

static void
ship_join(struct shipper *s, const struct note *n)
{
    unsigned node = n->node;
    struct wire_head head = {
        .kind = WIRE_IMAGE, .age_us = age_of(s->last_taken), .image_bytes = s->last_size
    };

    drop(s, node);
    s->anew = true;
    s->fds[node] = (int)n->a;
    s->to = 1u << node;
    s->aes = n->b ? s->aes | s->to : s->aes & ~s->to;
    s->seeding |= s->to;
    head.parcel_bytes = queues_bytes(&s->kept);
    put_births(s, n->p, (size_t)n->c);
    put_head(s, &head);
    put_data(s, s->last, s->last_size);
    queues_each(&s->kept, put_queue, s);
    write_out(s);
}

static void
ship_seeded(struct shipper *s, unsigned node)
{
    struct wire_head head = { .kind = WIRE_SEEDED };

    s->to = 1u << node;
    put_head(s, &head);
    write_out(s);
    s->seeding &= ~s->to;
    atomic_store(&s->backlog[node], 0);
}

/* In real time only if somebody waits for it: with 20 MB to encode it would keep a
 * processor from the service for 50 ms. */
static void
ship_slot(struct shipper *s, struct slot *slot)
{
    bool hurry = slot->kind == SLOT_CHECKPOINT && slot->hurry;

    if (!hurry)
        realtime_set(false);
    if (slot->kind == SLOT_CHECKPOINT)
        ship_checkpoint(s, slot);
    else
        ship_base(s, slot);
    if (!hurry)
        realtime_set(true);
}

static void
reset(struct shipper *s, struct seal_key *key)
{
    stream_keys_init(&s->keys, key);
    free(key);
    s->anew = true;
    s->last_size = 0;
    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++)
        drop(s, i);
    queues_forget(&s->kept);
}

static void
work(struct shipper *s, const struct note *n)
{
    struct slot *slot = n->p;

    switch ((enum shipper_note)n->what) {
    case SHIP_SLOT:
        ship_slot(s, slot);
        slot_put(slot);
        break;
    case SHIP_JOIN:
        ship_join(s, n);
        break;
    case SHIP_SEEDED:
        ship_seeded(s, n->node);
        break;
    case SHIP_LEAVE:
        drop(s, n->node);
        break;
    case SHIP_RESET:
        reset(s, n->p);
        break;
    case SHIP_NNOTES:
        break;
    }
}

static void *
shipper_main(void *arg)
{
    struct shipper *s = arg;
    struct note n;

    pthread_setname_np(pthread_self(), "shipper");
    for (;;) {
        if (queue_get(s->queue, &n)) {
            work(s, &n);
            continue;
        }
        /* what a standby has not read yet is waited for: see shipper_backlog() */
        queue_wait_ms(s->queue, s->seeding ? MEASURE_MS : -1);
        measure(s);
    }
    return NULL;
}

static void *
map(size_t size)
{
    void *p = reserve(size);

    if (!p)
        log_fatal("shipper: out of memory");
    return p;
}

struct shipper *
shipper_new(void)
{
    struct shipper *s = aligned_alloc(_Alignof(struct shipper), sizeof *s);
    pthread_t thread;

    if (!s)
        log_fatal("shipper: out of memory");
    memset(s, 0, sizeof *s);
    s->queue = queue_new();
    s->next = 1;
    atomic_store(&s->next_frame, 1);
    s->last = map(SLOT_META);
    s->lines = map(SLOT_META);
    known_init(&s->known, map((size_t)KNOWN_PLACES * KNOWN_PAGE));
    s->anew = true;
    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++)
        s->fds[i] = -1;
    if (pthread_create(&thread, NULL, shipper_main, s) != 0)
        log_fatal("shipper: no thread");
    pthread_detach(thread);
    return s;
}

struct queue *
shipper_queue(struct shipper *s)
{
    return s->queue;
}

uint64_t
shipper_sent_bytes(const struct shipper *s)
{
    return atomic_load(&s->sent_bytes);
}

uint64_t
shipper_last_bytes(const struct shipper *s)
{
    return atomic_load(&s->last_bytes);
}

unsigned
shipper_backlog(const struct shipper *s, unsigned node)
{
    return atomic_load(&s->backlog[node]);
}

uint64_t
shipper_next_frame(const struct shipper *s)
{
    return atomic_load(&s->next_frame);
}
