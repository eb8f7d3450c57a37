/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/shipper.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/core/commit.h"
#include "sockmig/realtime.h"

#include <errno.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define CHUNK (256u << 10) /* bytes of a checkpoint in one frame */
#define OUT_MAX (2u << 20) /* sealed bytes written in one go */

struct kept {      /* the queue of a descriptor, for standbys that join later */
    uint8_t *data; /* owned */
    uint32_t size, cap;
};

#define MEASURE_MS 1

struct kept_process {
    uint32_t number;     /* family_member.number */
    struct kept *queues; /* owned; IMAGE_MAX_NUMBER of them, by descriptor */
};

struct shipper {
    struct queue *queue;
    struct stream_group group;
    int fds[COMMIT_MAX_NODES]; /* owned; -1: not joined */
    uint8_t *last, *lines;     /* owned mappings: encoding of the last image, diff */
    size_t last_size;
    struct mono last_taken;
    struct kept_process kept[FAMILY_MAX];
    uint32_t nkept;
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
    if (OUT_MAX - s->out_size < body_size + WIRE_FRAME_HEAD + SEAL_TAG)
        write_out(s);
    s->out_size += stream_frame(&s->group, s->body, body_size, s->out + s->out_size);
    atomic_store(&s->next_frame, s->group.next);
}

static void
put_head(struct shipper *s, const struct wire_head *head)
{
    struct writer w = writer_init(s->body, sizeof s->body);

    wire_put_head(&w, head);
    put_frame(s, w.pos);
}

static void
put_data(struct shipper *s, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        size_t n = size < CHUNK ? size : CHUNK;

        s->body[0] = WIRE_BYTES;
        memcpy(s->body + 1, at, n);
        put_frame(s, 1 + n);
        at += n;
        size -= n;
    }
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

static void
keep(struct kept *k, const uint8_t *data, uint32_t size)
{
    if (size > k->cap) {
        k->data = realloc(k->data, size);
        if (!k->data)
            log_fatal("shipper: out of memory");
        k->cap = size;
    }
    if (size > 0) /* empty from the start: there is no memory yet */
        memcpy(k->data, data, size);
    k->size = size;
}

static struct kept *
queues_of(struct shipper *s, uint32_t process)
{
    struct kept_process *k = s->kept;

    for (uint32_t i = 0; i < s->nkept; i++)
        if (k[i].number == process)
            return k[i].queues;
    k = &k[s->nkept++];
    k->number = process;
    k->queues = calloc(IMAGE_MAX_NUMBER, sizeof *k->queues);
    if (!k->queues)
        log_fatal("shipper: out of memory");
    return k->queues;
}

static void
forget_process(struct shipper *s, uint32_t i)
{
    for (size_t fd = 0; fd < IMAGE_MAX_NUMBER; fd++)
        free(s->kept[i].queues[fd].data);
    free(s->kept[i].queues);
    s->kept[i] = s->kept[--s->nkept];
}

/* Those of processes that have ended go; so there are never more than in a family. */
static void
keep_parcels(struct shipper *s, const struct slot *slot)
{
    const struct parcels *parcels = &slot->parcels;

    for (uint32_t i = s->nkept; i-- > 0;)
        if (family_place(&slot->family, s->kept[i].number) < 0)
            forget_process(s, i);
    for (size_t at = 0; at < parcels->size;) {
        const struct parcel *p = (const struct parcel *)(parcels->data + at);

        keep(&queues_of(s, p->process)[p->fd], (const uint8_t *)(p + 1), p->size);
        at += sizeof *p + (((size_t)p->size + 15) & ~(size_t)15);
    }
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
        .mark_in = slot->mark.in,
        .mark_out = slot->mark.out };
    uint64_t runs_size = slot->pages.nruns * sizeof *slot->pages.runs;

    keep_parcels(s, slot);
    take_meta(s, slot);
    s->last_taken = slot->taken;
    s->to = everybody(s);
    atomic_store(&s->last_bytes,
        lines + runs_size + slot->pages.size + slot->parcels.size + slot->files_size);
    if (!s->to)
        return;
    put_head(s, &head);
#ifdef BSC_FAULT_POINTS
    write_out(s);
    FAULT_POINT("checkpoint-half-sent");
#endif
    put_data(s, s->lines, lines);
    put_data(s, slot->pages.runs, runs_size);
    put_data(s, slot->pages.data, slot->pages.size);
    put_data(s, slot->parcels.data, slot->parcels.size);
    put_data(s, slot->files, slot->files_size);
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
    realtime_set(false);
    put_head(s, &head);
    put_data(s, slot->pages.runs, slot->pages.nruns * sizeof *slot->pages.runs);
    put_data(s, slot->pages.data, slot->pages.size);
    put_data(s, slot->files, slot->files_size);
    write_out(s);
    measure(s);
    realtime_set(true);
}

static uint64_t
kept_bytes(const struct shipper *s)
{
    uint64_t bytes = 0;

    for (uint32_t k = 0; k < s->nkept; k++)
        for (uint32_t i = 0; i < IMAGE_MAX_NUMBER; i++)
            if (s->kept[k].queues[i].size)
                bytes += sizeof(struct parcel) +
                         ((s->kept[k].queues[i].size + 15ull) & ~15ull);
    return bytes;
}

static void
put_kept(struct shipper *s, const struct kept_process *k)
{
    static const uint8_t zeroes[16];

    for (int i = 0; i < (int)IMAGE_MAX_NUMBER; i++) {
        const struct kept *q = &k->queues[i];
        struct parcel p = { .fd = i, .size = q->size, .process = k->number };

        if (!q->size)
            continue;
        put_data(s, &p, sizeof p);
        put_data(s, q->data, q->size);
        put_data(s, zeroes, -(size_t)q->size & 15);
    }
}

static void
ship_join(struct shipper *s, unsigned node, int fd)
{
    struct wire_head head = {
        .kind = WIRE_IMAGE, .age_us = age_of(s->last_taken), .image_bytes = s->last_size
    };

    drop(s, node);
    s->fds[node] = fd;
    s->to = 1u << node;
    s->seeding |= s->to;
    head.parcel_bytes = kept_bytes(s);
    put_head(s, &head);
    put_data(s, s->last, s->last_size);
    for (uint32_t i = 0; i < s->nkept; i++)
        put_kept(s, &s->kept[i]);
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

static void
reset(struct shipper *s, struct stream_group *group)
{
    uint64_t next = s->group.next; /* goes on: a hello may quote it at any time */

    s->group = *group;
    s->group.next = next;
    free(group);
    s->last_size = 0;
    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++)
        drop(s, i);
    while (s->nkept > 0)
        forget_process(s, s->nkept - 1);
}

static void
work(struct shipper *s, const struct note *n)
{
    struct slot *slot = n->p;

    switch ((enum shipper_note)n->what) {
    case SHIP_SLOT:
        if (slot->kind == SLOT_CHECKPOINT)
            ship_checkpoint(s, slot);
        else
            ship_base(s, slot);
        slot_put(slot);
        break;
    case SHIP_JOIN:
        ship_join(s, n->node, (int)n->a);
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

static uint8_t *
map_meta(void)
{
    void *p = mmap(NULL, SLOT_META, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        log_fatal("shipper: out of memory");
    return p;
}

struct shipper *
shipper_new(void)
{
    struct shipper *s = calloc(1, sizeof *s);
    pthread_t thread;

    if (!s)
        log_fatal("shipper: out of memory");
    s->queue = queue_new();
    s->group.next = 1;
    atomic_store(&s->next_frame, 1);
    s->last = map_meta();
    s->lines = map_meta();
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
