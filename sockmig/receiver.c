/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/receiver.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/core/known.h"
#include "sockmig/engine_notes.h"
#include "sockmig/image_alloc.h"
#include "sockmig/realtime.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define META_MAX (64u << 20)

struct receiver {
    struct receiver_conf conf;
    struct stream_keys keys;
    pthread_t thread;
    struct uplink up;
    bool seeded, ready;
    uint8_t *births; /* owned, of births_size bytes, until the first image comes */
    size_t births_size;
    uint8_t *base; /* owned mapping: encoding of the last image */
    size_t base_size;
    uint8_t *lines;       /* owned mapping: image bytes as they come in */
    struct known known;   /* pages as they came last */
    uint8_t *known_pages; /* owned mapping: of those */
    uint8_t frame[WIRE_MAX_FRAME];

    struct slot *slot; /* being filled; owned; NULL: between two */
    struct wire_head head;
    struct mono began; /* when the head came */
    uint64_t lines_got, runs_got, pages_got, parcels_got, files_got; /* bytes */
    size_t run;    /* of the next page that is coded, */
    uint32_t page; /* and which of it */
};

/* Next stretch of the announced bytes: where to put it and how much is missing. */
static uint8_t *
stretch(struct receiver *r, uint64_t **got, uint64_t *total)
{
    const struct wire_head *h = &r->head;
    struct {
        uint8_t *to;
        uint64_t *got, total;
    } part[] = {
        { r->lines, &r->lines_got, h->image_bytes },
        { (uint8_t *)r->slot->pages.runs, &r->runs_got,
            h->runs * sizeof(struct page_run) },
        { r->slot->pages.data, &r->pages_got, h->page_bytes },
        { r->slot->parcels.data, &r->parcels_got, h->parcel_bytes },
        { r->slot->files, &r->files_got, h->file_bytes },
    };

    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        if (*part[i].got < part[i].total) {
            *got = part[i].got;
            *total = part[i].total;
            return part[i].to + *part[i].got;
        }
    return NULL;
}

/* They come in frames of their own. */
static bool
coded_pages_are_due(const struct receiver *r)
{
    const struct wire_head *h = &r->head;

    return h->kind == WIRE_CHECKPOINT && r->lines_got == h->image_bytes &&
           r->runs_got == h->runs * sizeof(struct page_run) &&
           r->pages_got < h->page_bytes;
}

static bool
take_bytes(struct receiver *r, const uint8_t *data, size_t size)
{
    uint64_t *got, total;
    uint8_t *to;

    while (size > 0) {
        size_t n;

        to = stretch(r, &got, &total);
        if (!to || coded_pages_are_due(r))
            return false; /* more than was announced, or other bytes */
        n = size < total - *got ? size : (size_t)(total - *got);
        memcpy(to, data, n);
        *got += n;
        data += n;
        size -= n;
    }
    return true;
}

/* The runs must account for exactly the page bytes, in order. */
static bool
runs_are_right(const struct pages *p)
{
    uint64_t offset = 0;

    for (size_t i = 0; i < p->nruns; i++) {
        const struct page_run *run = &p->runs[i];

        if (run->count == 0 || run->address % IMAGE_PAGE ||
            run->dropped > PAGES_GUARD || run->address >> 47 ||
            run->address + (uint64_t)run->count * IMAGE_PAGE > 1ull << 47)
            return false;
        if (run->dropped)
            continue;
        if (run->offset != offset)
            return false;
        offset += (uint64_t)run->count * IMAGE_PAGE;
    }
    return offset == p->size;
}

/* The runs have been found to announce as many pages as have room. */
static struct known_page
next_page(struct receiver *r)
{
    const struct pages *p = &r->slot->pages;
    const struct page_run *run = &p->runs[r->run];

    while (run->dropped || r->page == run->count) {
        run = &p->runs[++r->run];
        r->page = 0;
    }
    return known_page_of(run->address, run->count, run->process, r->page++);
}

static const char *
take_pages(struct receiver *r, const uint8_t *data, size_t size)
{
    struct pages *p = &r->slot->pages;

    if (r->pages_got == 0 && !runs_are_right(p))
        return "runs of pages do not match their bytes";
    while (size > 0) {
        size_t used;

        if (r->pages_got == p->size)
            return "more pages than were announced";
        used = known_decode(
            &r->known, next_page(r), data, size, p->data + r->pages_got);
        if (used == 0)
            return "a page is cut";
        r->pages_got += KNOWN_PAGE;
        data += used;
        size -= used;
    }
    return NULL;
}

static bool
parcels_are_right(const struct parcels *p)
{
    size_t at = 0;

    while (at < p->size) {
        const struct parcel *one = (const struct parcel *)(p->data + at);
        size_t left = p->size - at;

        if (left < sizeof *one || one->fd < 0 || one->fd >= IMAGE_MAX_NUMBER ||
            (((size_t)one->size + 15) & ~(size_t)15) > left - sizeof *one)
            return false;
        at += sizeof *one + (((size_t)one->size + 15) & ~(size_t)15);
    }
    return true;
}

static const char *
take_image(struct receiver *r)
{
    const char *why = NULL;

    if (r->head.kind == WIRE_BASE)
        return NULL;
    if (r->head.kind == WIRE_IMAGE) {
        memcpy(r->base, r->lines, r->head.image_bytes);
        r->base_size = r->head.image_bytes;
    } else if (!image_lines_apply(
                   r->base, &r->base_size, META_MAX, r->lines, r->head.image_bytes)) {
        return "differences of the image do not fit";
    }
    if (family_alloc(&r->slot->family, family_count(r->base, r->base_size)) < 0)
        return "more processes than this node has memory for";
    if (!family_decode(&r->slot->family, r->base, r->base_size, &why))
        return why;
    return NULL;
}

static void
send_ack(struct receiver *r)
{
    struct wire_ack ack = { .whole = r->head.number,
        .applied = atomic_load(r->conf.applied),
        .ready = r->ready };
    uint8_t body[32];
    struct writer w = writer_init(body, sizeof body);

    wire_put_ack(&w, &ack);
    if (!uplink_send(&r->up, body, w.pos))
        log_debug("stream: acknowledgement not sent"); /* the next read says why */
}

/* Before it is acknowledged: what cannot be kept here is not safe here. */
static const char *
stage_files(struct receiver *r)
{
    const char *why = NULL;
    uint8_t body[256];
    struct writer w = writer_init(body, sizeof body);

    if (r->conf.files && r->head.kind != WIRE_IMAGE &&
        (r->head.kind == WIRE_CHECKPOINT || r->head.file_bytes > 0))
        why = filestore_stage(r->conf.files,
            r->head.kind == WIRE_CHECKPOINT ? r->head.number : 0, r->slot->files,
            r->head.file_bytes);
    if (why) {
        put_u8(&w, WIRE_SORRY);
        put_bytes(&w, why, strnlen(why, sizeof body - 1));
        uplink_send(&r->up, body, w.pos);
    }
    return why;
}

/* All that was announced is here: check it, acknowledge it, hand it on. */
static const char *
finish(struct receiver *r)
{
    struct slot *slot = r->slot;
    const char *why = NULL;

    FAULT_POINT("standby-whole");
    if (!runs_are_right(&slot->pages))
        why = "runs of pages do not match their bytes";
    else if (!parcels_are_right(&slot->parcels))
        why = "queues of descriptors are malformed";
    else
        why = take_image(r);
    if (!why)
        why = stage_files(r);
    if (why)
        return why;
    slot->kind = r->head.kind == WIRE_IMAGE  ? SLOT_IMAGE
                 : r->head.kind == WIRE_BASE ? SLOT_BASE
                                             : SLOT_CHECKPOINT;
    slot->number = r->head.number;
    slot->mark = (struct mark){ .in = r->head.mark_in, .out = r->head.mark_out };
    slot->policy = r->head.policy;
    slot->hurry = r->head.hurry;
    slot->taken = mono_add_us(r->began, -(int64_t)r->head.age_us);
    r->slot = NULL;
    queue_put(r->conf.to_tracer, (struct note){ .what = TRACE_SLOT, .p = slot });
    if (slot->kind == SLOT_CHECKPOINT) {
        FAULT_POINT("standby-before-ack");
        r->ready = r->seeded && (!r->conf.files || filestore_ready(r->conf.files));
        send_ack(r);
        FAULT_POINT("standby-acked");
    }
    realtime_set(true); /* for the next one, which may be in a hurry */
    return NULL;
}

static const char *
take_births(struct receiver *r, const uint8_t *data, size_t size)
{
    uint8_t *births;

    if (r->slot || r->base_size > 0)
        return "births after the image";
    if (size > WIRE_MAX_BIRTHS - r->births_size)
        return "more births than any node has";
    births = realloc(r->births, r->births_size + size);
    if (!births)
        return "out of memory";
    memcpy(births + r->births_size, data, size);
    r->births = births;
    r->births_size += size;
    return NULL;
}

static void
hand_births(struct receiver *r)
{
    if (r->births)
        queue_put(r->conf.to_tracer,
            (struct note){
                .what = TRACE_BIRTHS, .a = (int64_t)r->births_size, .p = r->births });
    r->births = NULL;
    r->births_size = 0;
}

static const char *
begin(struct receiver *r, enum wire_kind kind, struct reader *in)
{
    struct wire_head *h = &r->head;

    if (r->slot)
        return "a head where bytes were due";
    if (!wire_get_head(in, kind, h))
        return "malformed head";
    r->began = mono_clock();
    if (kind == WIRE_SEEDED) {
        r->seeded = true;
        if (r->conf.files)
            filestore_seeded(r->conf.files);
        FAULT_POINT("clone-seeded");
        return NULL;
    }
    if (kind == WIRE_CHECKPOINT)
        FAULT_POINT("standby-announced");
    if (kind != WIRE_CHECKPOINT || !h->hurry)
        realtime_set(false);
    if (kind == WIRE_CHECKPOINT && r->base_size == 0)
        return "a checkpoint before the image";
    if (kind == WIRE_IMAGE)
        hand_births(r);
    if (h->anew)
        known_forget(&r->known);
    r->slot = slot_take(r->conf.pool);
    if (h->runs > r->slot->pages.max_runs || h->page_bytes > r->slot->pages.max_size ||
        h->parcel_bytes > r->slot->parcels.max_size ||
        h->file_bytes > (r->slot->files ? SLOT_FILES : 0))
        return "larger than this node can hold";
    r->slot->pages.nruns = h->runs;
    r->slot->pages.size = h->page_bytes;
    r->slot->parcels.size = h->parcel_bytes;
    r->slot->files_size = h->file_bytes;
    r->lines_got = r->runs_got = r->pages_got = r->parcels_got = r->files_got = 0;
    r->run = r->page = 0;
    return NULL;
}

static const char *
take_frame(struct receiver *r, const uint8_t *body, size_t size)
{
    struct reader in = reader_init(body, size);
    enum wire_kind kind = get_u8(&in);
    const char *why = NULL;
    uint64_t *got, total;

    switch (kind) {
    case WIRE_IMAGE:
    case WIRE_BASE:
    case WIRE_SEEDED:
    case WIRE_CHECKPOINT:
        why = begin(r, kind, &in);
        break;
    case WIRE_BIRTHS:
        why = take_births(r, body + 1, size - 1);
        break;
    case WIRE_BYTES:
        if (!r->slot || !take_bytes(r, body + 1, size - 1))
            why = "bytes that nobody announced";
        break;
    case WIRE_PAGES:
        why = r->slot && coded_pages_are_due(r) ? take_pages(r, body + 1, size - 1)
                                                : "pages that nobody announced";
        break;
    default:
        why = "unknown kind of frame";
    }
    if (!why && r->slot && !stretch(r, &got, &total))
        why = finish(r);
    return why;
}

static void *
receiver_main(void *arg)
{
    struct receiver *r = arg;
    const char *why = NULL;
    const uint8_t *body;
    size_t size;
    int ret;

    pthread_setname_np(pthread_self(), "receiver");
    for (;;) {
        ret = stream_read_frame(
            r->conf.fd, &r->keys, &r->conf.next, r->frame, &body, &size);
        if (ret < 0)
            break;
        atomic_fetch_add(r->conf.bytes, size + WIRE_FRAME_HEAD + SEAL_TAG);
        why = take_frame(r, body, size);
        if (why)
            break;
    }
    if (ret == -EBADMSG || why) {
        atomic_fetch_add(r->conf.forged, 1);
        log_warn("stream from the active node refused: %s",
            why ? why : "a frame is forged, replayed or damaged");
    }
    slot_put(r->slot);
    r->slot = NULL;
    free(r->births);
    r->births = NULL;
    shutdown(r->conf.fd, SHUT_RDWR);
    queue_put(r->conf.to_main,
        (struct note){ .what = MAIN_STREAM_END, .a = r->conf.generation });
    return NULL;
}

static void *
map(size_t size)
{
    void *p = reserve(size);

    if (!p)
        log_fatal("receiver: out of memory");
    return p;
}

struct receiver *
receiver_new(const struct receiver_conf *conf)
{
    struct receiver *r = aligned_alloc(_Alignof(struct receiver), sizeof *r);

    if (!r)
        log_fatal("receiver: out of memory");
    memset(r, 0, sizeof *r);
    r->conf = *conf;
    stream_keys_init(&r->keys, &conf->group);
    r->base = map(META_MAX);
    r->lines = map(META_MAX);
    r->known_pages = map((size_t)KNOWN_PLACES * KNOWN_PAGE);
    known_init(&r->known, r->known_pages);
    uplink_init(&r->up, conf->fd, &conf->pair);
    if (conf->files)
        filestore_follow(conf->files, &r->up);
    if (pthread_create(&r->thread, NULL, receiver_main, r) != 0)
        log_fatal("receiver: no thread");
    return r;
}

void
receiver_stop(struct receiver *r)
{
    if (!r)
        return;
    shutdown(r->conf.fd, SHUT_RDWR);
    realtime_press(r->thread);
    pthread_join(r->thread, NULL);
    if (r->conf.files)
        filestore_leave(r->conf.files);
    fd_close(r->conf.fd);
    reserve_end(r->base, META_MAX);
    reserve_end(r->lines, META_MAX);
    reserve_end(r->known_pages, (size_t)KNOWN_PLACES * KNOWN_PAGE);
    free(r);
}
