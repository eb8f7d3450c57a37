/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * receiver_test.c - a standby's receiver takes a stream in, and refuses one that is
 * malformed with the reason, counts it, and gives back what it had. */
#include "tests/scenario/claims.h"
#include "tests/scenario/receiver_stream.h"

#include "lib/log.h"
#include "sockmig/engine_notes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS 2u
#define WAIT_MS 20000
#define GENERATION 7

static const struct seal_secret secret;
static int logged = -1; /* what the receiver logs */

static void
begin(struct stream *s)
{
    const struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
    int pair[2];

    memset(s, 0, sizeof *s);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        log_fatal("socketpair: %s", strerror(errno));
    s->fd = pair[0];
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    s->number = 1;
    s->pool = slot_pool_new(SLOTS, SLOT_BYTES, 0, true);
    s->to_tracer = queue_new();
    s->to_main = queue_new();
    seal_channel_of(&s->key, &(struct seal_key){ { 1 } }, SEAL_XCHACHA20);
    if (ftruncate(logged, 0) < 0 || lseek(logged, 0, SEEK_SET) < 0)
        log_fatal("log: %s", strerror(errno));
    s->receiver = receiver_new(&(struct receiver_conf){ .fd = pair[1],
        .pair = { .secret = &secret, .service = "thing", .active = 1, .standby = 2 },
        .group = { { 1 } },
        .next = 1,
        .pool = s->pool,
        .to_tracer = s->to_tracer,
        .to_main = s->to_main,
        .generation = GENERATION,
        .applied = &s->applied,
        .bytes = &s->bytes,
        .forged = &s->forged });
}

static bool
next_note(struct queue *q, struct note *note)
{
    struct pollfd p = { queue_fd(q), POLLIN, 0 };

    return poll(&p, 1, WAIT_MS) == 1 && queue_get(q, note);
}

/* Gives back what the tracer was given. */
static void
take_notes(struct stream *s)
{
    struct note note;

    while (queue_get(s->to_tracer, &note))
        if (note.what == TRACE_SLOT)
            slot_put(note.p);
        else
            free(note.p);
}

static void
end(struct stream *s)
{
    unsigned n = 0;

    close(s->fd);
    receiver_stop(s->receiver);
    take_notes(s);
    while (n <= SLOTS && slot_try(s->pool))
        n++;
    check(n == SLOTS, "all slots are back");
    queue_free(s->to_tracer);
    queue_free(s->to_main);
}

static void
is_refused(const struct malformed *r)
{
    static struct stream s;
    struct note note;
    char text[4096] = "";
    bool ended;

    begin(&s);
    r->send(&s);
    ended = next_note(s.to_main, &note) && note.what == MAIN_STREAM_END &&
            note.a == GENERATION;
    check_of(ended && atomic_load(&s.forged) == 1, r->why, "refused, counted");
    check_of(pread(logged, text, sizeof text - 1, 0) > 0 &&
                 strstr(text, "stream from the active node refused: ") &&
                 strstr(text, r->why),
        r->why, "and says why");
    end(&s);
}

static void
takes_a_checkpoint(struct stream *s)
{
    uint8_t coded[2 * KNOWN_CODED];
    size_t one = code_page(coded);
    struct note note;
    struct slot *slot;

    memcpy(coded + one, coded, one);
    announce_pages(s, 2);
    send_part(s, WIRE_PAGES, coded, 2 * one);
    check(next_note(s->to_tracer, &note) && note.what == TRACE_BIRTHS &&
              note.a == WIRE_MAX_BIRTHS && ((uint8_t *)note.p)[0] == 0 &&
              ((uint8_t *)note.p)[WIRE_MAX_BIRTHS - 1] == 15,
        "births, in their order");
    free(note.p);
    check(next_note(s->to_tracer, &note) && note.what == TRACE_SLOT,
        "the image is handed on");
    slot = note.p;
    check(slot->kind == SLOT_IMAGE && slot->family.n == 1 &&
              slot->family.images[0]->process.pid == 7,
        "as it was sent");
    slot_put(slot);
    check(next_note(s->to_tracer, &note) && note.what == TRACE_SLOT,
        "a checkpoint is handed on");
    slot = note.p;
    check(slot->kind == SLOT_CHECKPOINT && slot->pages.nruns == 1 &&
              slot->pages.size == 2 * IMAGE_PAGE && slot->pages.data[0] == 'p' &&
              slot->pages.data[2 * IMAGE_PAGE - 1] == 'p',
        "with its pages");
    slot_put(slot);
}

/* What is refused above is taken where nothing is wrong with it. */
static void
is_taken(void)
{
    static struct stream s;
    static uint8_t births[WIRE_MAX_BIRTHS >> 4];
    struct note note;
    uint8_t ack[STREAM_ACK];

    begin(&s);
    for (int i = 0; i < 16; i++) {
        memset(births, i, sizeof births);
        send_part(&s, WIRE_BIRTHS, births, sizeof births);
    }
    takes_a_checkpoint(&s);
    check(recv(s.fd, ack, sizeof ack, MSG_WAITALL) == sizeof ack,
        "which is acknowledged");
    shutdown(s.fd, SHUT_RDWR);
    check(next_note(s.to_main, &note) && note.what == MAIN_STREAM_END &&
              atomic_load(&s.forged) == 0,
        "an end is no refusal");
    end(&s);
}

int
main(void)
{
    log_init("receiver_test", LOG_LEVEL_INFO);
    logged = memfd_create("log", MFD_CLOEXEC);
    if (logged < 0 || dup2(logged, STDERR_FILENO) < 0)
        return EXIT_FAILURE;
    make_image();
    for (size_t i = 0; i < nmalformed; i++)
        is_refused(&malformed[i]);
    is_taken();
    return claims_end();
}
