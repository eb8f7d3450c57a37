/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/receiver_stream.h"

#include "lib/log.h"
#include "sockmig/image_alloc.h"
#include "tests/unit/sample_image.h"

#include <sys/socket.h>

static uint8_t image[1 << 20];
static size_t image_size;

void
make_image(void)
{
    struct family f = { 0 };

    if (family_alloc(&f, 1) < 0)
        log_fatal("out of memory");
    f.n = 1;
    f.members[0] = (struct family_member){
        .pid = 7, .pgid = 7, .sid = 7, .parent = -1
    };
    memcpy(f.members[0].name, "root", 5);
    sample_image(f.images[0]);
    image_size = family_encode(&f, image, sizeof image);
    family_release(&f);
}

static void
send_frame(struct stream *s, const uint8_t *body, size_t size)
{
    static uint8_t frame[WIRE_FRAME_HEAD + WIRE_MAX_FRAME];
    size_t n = stream_frame(&s->key, s->number++, body, size, frame);

    /* MSG_NOSIGNAL: it may have been refused already, which is seen later. */
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(s->fd, frame + at, n - at, MSG_NOSIGNAL);

        if (sent < 0)
            return;
        at += (size_t)sent;
    }
}

void
send_part(struct stream *s, enum wire_kind kind, const void *bytes, size_t size)
{
    static uint8_t body[WIRE_MAX_FRAME];

    body[0] = (uint8_t)kind;
    memcpy(body + 1, bytes, size);
    send_frame(s, body, 1 + size);
}

static void
send_head(struct stream *s, const struct wire_head *head)
{
    uint8_t body[128];
    struct writer w = writer_init(body, sizeof body);

    wire_put_head(&w, head);
    send_frame(s, body, w.pos);
}

static void
send_image(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_IMAGE, .image_bytes = image_size });
    send_part(s, WIRE_BYTES, image, image_size);
}

/* A checkpoint that differs in nothing but @pages pages, of which only the run is sent.
 */
void
announce_pages(struct stream *s, uint32_t pages)
{
    const struct page_run run = { .address = 0x400000, .count = 2 };
    uint8_t lines[65536];
    size_t size = image_lines_encode(
        image, image_size, image, image_size, lines, sizeof lines);

    send_image(s);
    send_head(s, &(struct wire_head){ .kind = WIRE_CHECKPOINT,
                     .image_bytes = size,
                     .runs = 1,
                     .page_bytes = pages * IMAGE_PAGE });
    send_part(s, WIRE_BYTES, lines, size);
    send_part(s, WIRE_BYTES, &run, sizeof run);
}

size_t
code_page(uint8_t *out)
{
    static uint8_t kept[KNOWN_PLACES * KNOWN_PAGE], page[KNOWN_PAGE];
    static struct known known;

    known_init(&known, kept);
    memset(page, 'p', sizeof page);
    return known_code(&known, known_page_of(0x400000, 2, 0, 0), page, out);
}

/* ---- streams that are refused ---- */

static void
births_after_image(struct stream *s)
{
    send_image(s);
    send_part(s, WIRE_BIRTHS, "birth", 5);
}

static void
births_amid_image(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_IMAGE, .image_bytes = image_size });
    send_part(s, WIRE_BIRTHS, "birth", 5);
}

static void
births_without_end(struct stream *s)
{
    static uint8_t part[(WIRE_MAX_BIRTHS >> 4) + 1];

    for (int i = 0; i < 16; i++)
        send_part(s, WIRE_BIRTHS, part, sizeof part);
}

static void
checkpoint_first(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_CHECKPOINT });
}

static void
bytes_of_nothing(struct stream *s)
{
    send_part(s, WIRE_BYTES, "bytes", 5);
}

static void
bytes_too_many(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_IMAGE, .image_bytes = 4 });
    send_part(s, WIRE_BYTES, "bytes", 5);
}

static void
pages_of_nothing(struct stream *s)
{
    send_part(s, WIRE_PAGES, "pages", 5);
}

static void
pages_before_runs(struct stream *s)
{
    send_image(s);
    send_head(s, &(struct wire_head){
                     .kind = WIRE_CHECKPOINT, .runs = 1, .page_bytes = IMAGE_PAGE });
    send_part(s, WIRE_PAGES, "pages", 5);
}

static void
pages_as_bytes(struct stream *s)
{
    announce_pages(s, 2);
    send_part(s, WIRE_BYTES, "pages", 5);
}

static void
pages_against_runs(struct stream *s)
{
    announce_pages(s, 3);
    send_part(s, WIRE_PAGES, "pages", 5);
}

static void
pages_cut(struct stream *s)
{
    uint8_t coded[2 * KNOWN_CODED];

    announce_pages(s, 2);
    send_part(s, WIRE_PAGES, coded, code_page(coded) - 1);
}

static void
pages_too_many(struct stream *s)
{
    uint8_t coded[3 * KNOWN_CODED];
    size_t one = code_page(coded);

    for (int i = 1; i < 3; i++)
        memcpy(coded + i * one, coded, one);
    announce_pages(s, 2);
    send_part(s, WIRE_PAGES, coded, 3 * one);
}

static void
base_run(struct stream *s, struct page_run run)
{
    static const uint8_t page[IMAGE_PAGE];
    size_t size = run.dropped ? 0 : sizeof page;

    send_head(
        s, &(struct wire_head){ .kind = WIRE_BASE, .runs = 1, .page_bytes = size });
    send_part(s, WIRE_BYTES, &run, sizeof run);
    if (size > 0)
        send_part(s, WIRE_BYTES, page, size);
}

static void
run_of_more(struct stream *s)
{
    base_run(s, (struct page_run){ .address = 0x400000, .count = 2 });
}

static void
run_elsewhere(struct stream *s)
{
    base_run(s, (struct page_run){ .address = 0x400000, .count = 1, .offset = 4096 });
}

static void
run_of_none(struct stream *s)
{
    base_run(s, (struct page_run){ .address = 0x400000, .dropped = PAGES_DROPPED });
}

static void
run_beyond_user_space(struct stream *s)
{
    base_run(s, (struct page_run){ .address = (1ull << 47) - IMAGE_PAGE,
                    .count = 2,
                    .dropped = PAGES_DROPPED });
}

static void
run_of_a_part(struct stream *s)
{
    base_run(s, (struct page_run){ .address = 0x400001, .count = 1 });
}

static void
parcel_of(struct stream *s, struct parcel parcel)
{
    send_head(
        s, &(struct wire_head){ .kind = WIRE_BASE, .parcel_bytes = sizeof parcel });
    send_part(s, WIRE_BYTES, &parcel, sizeof parcel);
}

static void
parcel_too_long(struct stream *s)
{
    parcel_of(s, (struct parcel){ .fd = 3, .size = 1 });
}

static void
parcel_near_overflow(struct stream *s)
{
    parcel_of(s, (struct parcel){ .fd = 3, .size = UINT32_MAX });
}

static void
parcel_of_no_descriptor(struct stream *s)
{
    parcel_of(s, (struct parcel){ .fd = -1 });
}

static void
head_amid_bytes(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_IMAGE, .image_bytes = 4 });
    send_head(s, &(struct wire_head){ .kind = WIRE_IMAGE, .image_bytes = 4 });
}

static void
head_cut(struct stream *s)
{
    send_part(s, WIRE_IMAGE, "", 1);
}

static void
more_than_fits(struct stream *s)
{
    send_head(s, &(struct wire_head){
                     .kind = WIRE_BASE, .page_bytes = SLOT_BYTES + IMAGE_PAGE });
}

static void
more_runs_than_fit(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_BASE, .runs = UINT64_MAX / 2 });
}

static void
no_image(struct stream *s)
{
    send_head(s, &(struct wire_head){ .kind = WIRE_IMAGE, .image_bytes = 64 });
    send_part(s, WIRE_BYTES, image + 100, 64);
}

static void
no_difference(struct stream *s)
{
    static const uint8_t lines[64] = { 0xff, 0xff, 0xff, 0xff, 0xff };

    send_image(s);
    send_head(
        s, &(struct wire_head){ .kind = WIRE_CHECKPOINT, .image_bytes = sizeof lines });
    send_part(s, WIRE_BYTES, lines, sizeof lines);
}

static void
unknown_kind(struct stream *s)
{
    send_part(s, WIRE_NKINDS, "", 1);
}

static void
an_old_number(struct stream *s)
{
    send_part(s, WIRE_BIRTHS, "birth", 5);
    s->number--;
    send_part(s, WIRE_BIRTHS, "birth", 5);
}

static void
a_strange_key(struct stream *s)
{
    seal_channel_of(&s->key, &(struct seal_key){ { 9 } }, SEAL_XCHACHA20);
    send_part(s, WIRE_BIRTHS, "birth", 5);
}

const struct malformed malformed[] = {
    { births_after_image, "births after the image" },
    { births_amid_image, "births after the image" },
    { births_without_end, "more births than any node has" },
    { checkpoint_first, "a checkpoint before the image" },
    { bytes_of_nothing, "bytes that nobody announced" },
    { bytes_too_many, "bytes that nobody announced" },
    { pages_of_nothing, "pages that nobody announced" },
    { pages_before_runs, "pages that nobody announced" },
    { pages_as_bytes, "bytes that nobody announced" },
    { pages_against_runs, "runs of pages do not match their bytes" },
    { pages_cut, "a page is cut" },
    { pages_too_many, "more pages than were announced" },
    { run_of_more, "runs of pages do not match their bytes" },
    { run_elsewhere, "runs of pages do not match their bytes" },
    { run_of_none, "runs of pages do not match their bytes" },
    { run_beyond_user_space, "runs of pages do not match their bytes" },
    { run_of_a_part, "runs of pages do not match their bytes" },
    { parcel_too_long, "queues of descriptors are malformed" },
    { parcel_near_overflow, "queues of descriptors are malformed" },
    { parcel_of_no_descriptor, "queues of descriptors are malformed" },
    { head_amid_bytes, "a head where bytes were due" },
    { head_cut, "malformed head" },
    { more_than_fits, "larger than this node can hold" },
    { more_runs_than_fit, "larger than this node can hold" },
    { no_image, "list of processes of another build, or damaged" },
    { no_difference, "differences of the image do not fit" },
    { unknown_kind, "unknown kind of frame" },
    { an_old_number, "a frame is forged, replayed or damaged" },
    { a_strange_key, "a frame is forged, replayed or damaged" },
};
const size_t nmalformed = sizeof malformed / sizeof malformed[0];
