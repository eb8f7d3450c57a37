/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/image.h"

#include "lib/core/buf.h"

#include <string.h>

#define MAGIC 0x38494342u /* "BCI8": the layout of the whole, not of the elements */
#define ALIGN 64u         /* sections begin at lines, so that image_lines finds few */

/* One section: header, then its elements as they are in memory. */
struct section {
    uint32_t id, size; /* of an element */
    uint32_t capacity;
    void *data;      /* borrowed from the image */
    uint32_t *count; /* NULL: always one */
};

enum { NSECTIONS = 19 };

static void
sections_of(const struct image *im, struct section s[NSECTIONS])
{
    struct image *m = (struct image *)im; /* the encoder does not write */

    /* clang-format off */
    s[0] = (struct section){ 1, sizeof m->process, 1, &m->process, NULL };
    s[1] = (struct section){ 2, offsetof(struct image_thread, xstate), IMAGE_MAX_THREADS, m->threads, &m->nthreads };
    s[2] = (struct section){ 3, sizeof *m->vmas, IMAGE_MAX_VMAS, m->vmas, &m->nvmas };
    s[3] = (struct section){ 4, sizeof *m->fds, IMAGE_MAX_FDS, m->fds, &m->nfds };
    s[4] = (struct section){ 5, sizeof *m->items, IMAGE_MAX_ITEMS, m->items, &m->nitems };
    s[5] = (struct section){ 6, sizeof *m->tcps, IMAGE_MAX_FDS, m->tcps, &m->ntcps };
    s[6] = (struct section){ 7, sizeof m->timers[0], IMAGE_MAX_TIMERS, m->timers, &m->ntimers };
    s[7] = (struct section){ 8, sizeof m->children[0], IMAGE_MAX_CHILDREN, m->children, &m->nchildren };
    s[8] = (struct section){ 9, sizeof m->unixes[0], IMAGE_MAX_UNIX, m->unixes, &m->nunixes };
    s[9] = (struct section){ 10, sizeof m->locks[0], IMAGE_MAX_LOCKS, m->locks, &m->nlocks };
    s[10] = (struct section){ 11, sizeof m->watches[0], IMAGE_MAX_WATCHES, m->watches, &m->nwatches };
    s[11] = (struct section){ 12, sizeof m->filters[0], IMAGE_MAX_FILTERS, m->filters, &m->nfilters };
    s[12] = (struct section){ 13, sizeof *m->code, IMAGE_MAX_CODE, m->code, &m->ncode };
    s[13] = (struct section){ 14, sizeof m->segments[0], IMAGE_MAX_SEGMENTS, m->segments, &m->nsegments };
    s[14] = (struct section){ 15, sizeof m->groups[0], IMAGE_MAX_GROUPS, m->groups, &m->ngroups };
    s[15] = (struct section){ 16, sizeof m->sets[0], IMAGE_MAX_SETS, m->sets, &m->nsets };
    s[16] = (struct section){ 17, sizeof *m->semaphores, IMAGE_MAX_SEMAPHORES, m->semaphores, &m->nsemaphores };
    s[17] = (struct section){ 18, sizeof m->queues[0], IMAGE_MAX_QUEUES, m->queues, &m->nqueues };
    s[18] = (struct section){ 19, sizeof *m->unaccepted, IMAGE_MAX_UNACCEPTED, m->unaccepted, &m->nunaccepted };
    /* clang-format on */
}

static void
put_zeroes(struct writer *w, size_t n)
{
    static const uint8_t zero[ALIGN];

    for (; n > ALIGN; n -= ALIGN)
        put_bytes(w, zero, ALIGN);
    put_bytes(w, zero, n);
}

static void
align_writer(struct writer *w)
{
    if (!w->bad && w->pos % ALIGN)
        put_zeroes(w, ALIGN - w->pos % ALIGN);
}

/* The CPU state is most of a thread and mostly unused: only what it has travels. */
static void
put_threads(struct writer *w, const struct image *im)
{
    for (uint32_t i = 0; i < im->nthreads; i++) {
        const struct image_thread *t = &im->threads[i];

        put_bytes(w, t, offsetof(struct image_thread, xstate));
        put_bytes(w, t->xstate, t->xstate_len <= IMAGE_XSTATE ? t->xstate_len : 0);
        align_writer(w);
    }
}

size_t
image_encode(const struct image *im, uint8_t *out, size_t size)
{
    struct writer w = writer_init(out, size);
    struct section s[NSECTIONS];

    sections_of(im, s);
    put_u32(&w, MAGIC);
    put_u32(&w, NSECTIONS);
    put_u32(&w, IMAGE_PAGE);
    put_u32(&w, IMAGE_XSTATE);
    align_writer(&w);
    for (int i = 0; i < NSECTIONS; i++) {
        uint32_t count = s[i].count ? *s[i].count : 1;

        put_u32(&w, s[i].id);
        put_u32(&w, s[i].size);
        put_u32(&w, count);
        align_writer(&w);
        if (count > s[i].capacity)
            w.bad = true;
        else if (s[i].data == im->threads)
            put_threads(&w, im);
        else
            put_bytes(&w, s[i].data, (size_t)count * s[i].size);
        align_writer(&w);
    }
    return w.bad ? 0 : w.pos;
}

/* Padding must be zero: one image has one encoding. */
static void
align_reader(struct reader *r)
{
    size_t n = (ALIGN - r->pos % ALIGN) % ALIGN;
    const uint8_t *pad = get_bytes(r, n);

    for (size_t i = 0; pad && i < n; i++)
        if (pad[i])
            r->bad = true;
}

static void
get_threads(struct reader *r, struct image *im, uint32_t count)
{
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct image_thread *t = &im->threads[i];

        get_copy(r, t, offsetof(struct image_thread, xstate));
        if (t->xstate_len > IMAGE_XSTATE) {
            r->bad = true;
            return;
        }
        get_copy(r, t->xstate, t->xstate_len);
        memset(t->xstate + t->xstate_len, 0, IMAGE_XSTATE - t->xstate_len);
        align_reader(r);
    }
}

static const char *
decode_section(struct reader *r, struct image *im, const struct section *s)
{
    uint32_t id = get_u32(r), size = get_u32(r), count = get_u32(r);

    align_reader(r);
    if (r->bad)
        return "truncated before a section";
    if (id != s->id)
        return "sections in another order";
    if (size != s->size)
        return "elements of another size: written by another build";
    if (count > s->capacity || (!s->count && count != 1))
        return "more elements than an image holds";
    if (s->data == im->threads)
        get_threads(r, im, count);
    else
        get_copy(r, s->data, (size_t)count * size);
    align_reader(r);
    if (r->bad)
        return "truncated inside a section";
    if (s->count)
        *s->count = count;
    return NULL;
}

bool
image_decode(struct image *im, const uint8_t *data, size_t size, const char **why)
{
    struct reader r = reader_init(data, size);
    struct section s[NSECTIONS];

    *why = NULL;
    sections_of(im, s);
    for (int i = 0; i < NSECTIONS; i++)
        if (s[i].count)
            *s[i].count = 0;
    if (get_u32(&r) != MAGIC)
        *why = "not an image";
    if (get_u32(&r) != NSECTIONS || get_u32(&r) != IMAGE_PAGE ||
        get_u32(&r) != IMAGE_XSTATE)
        *why = *why ? *why : "image of another layout";
    align_reader(&r);
    for (int i = 0; i < NSECTIONS && !*why; i++)
        *why = decode_section(&r, im, &s[i]);
    if (!*why && (r.bad || reader_left(&r) > 0))
        *why = "more bytes than the image has";
    if (!*why)
        *why = image_check(im);
    return !*why;
}

const struct image_fd *
image_fd_find(const struct image *im, int fd)
{
    uint32_t low = 0, high = im->nfds;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (im->fds[mid].fd == fd)
            return &im->fds[mid];
        if (im->fds[mid].fd < fd)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

uint32_t
image_fds_open(const struct image *im)
{
    uint32_t n = im->nfds;

    while (n > 0 && im->fds[n - 1].fd >= IMAGE_IN_FLIGHT)
        n--;
    return n;
}

const struct image_tcp *
image_tcp_find(const struct image *im, int fd)
{
    uint32_t low = 0, high = im->ntcps;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (im->tcps[mid].fd == fd)
            return &im->tcps[mid];
        if (im->tcps[mid].fd < fd)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct image_datagram *
image_datagram_next(const uint8_t *parcel, uint32_t size, uint32_t *at)
{
    const struct image_datagram *d = (const struct image_datagram *)(parcel + *at);
    uint32_t left = size - *at;

    if (left < sizeof *d || d->size > IMAGE_DATAGRAM_MAX ||
        ((d->size + 7u) & ~7u) > left - sizeof *d)
        return NULL;
    *at += (uint32_t)sizeof *d + ((d->size + 7u) & ~7u);
    return d;
}

const struct image_unix *
image_unix_find(const struct image *im, int fd)
{
    uint32_t low = 0, high = im->nunixes;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (im->unixes[mid].fd == fd)
            return &im->unixes[mid];
        if (im->unixes[mid].fd < fd)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct image_message *
image_message_next(const uint8_t *parcel, uint32_t size, uint32_t *at)
{
    const struct image_message *m = (const struct image_message *)(parcel + *at);
    uint32_t left = size - *at;

    if (left < sizeof *m || m->name_len > IMAGE_UNIX_NAME ||
        m->nfds > IMAGE_MAX_IN_FLIGHT || m->size > left - sizeof *m ||
        ((m->size + 7u) & ~7u) > left - sizeof *m)
        return NULL;
    *at += (uint32_t)sizeof *m + ((m->size + 7u) & ~7u);
    return m;
}

const struct image_segment *
image_segment_of(const struct image *im, const struct image_vma *v)
{
    for (uint32_t i = 0; i < im->nsegments; i++)
        if (im->segments[i].inode == v->inode &&
            im->segments[i].dev_major == v->dev_major &&
            im->segments[i].dev_minor == v->dev_minor)
            return &im->segments[i];
    return NULL;
}
