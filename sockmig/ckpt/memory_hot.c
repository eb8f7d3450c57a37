/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/memory_hot.h"

#include "sockmig/core/image.h"
#include "sockmig/reserve.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define ENTRIES 16384u /* a power of 2 */
#define MAX_IOV 256
#define NO_SLOT UINT16_MAX

/* What is known of a page that was written lately. */
struct entry {
    uint64_t address, round; /* .round: of the scan that last found it written */
    uint16_t slot;           /* NO_SLOT: it is not hot */
    uint8_t streak, still;
};

struct memory_hot {
    struct entry entries[ENTRIES];
    uint32_t users[HOT_PAGES]; /* by slot: index of its entry */
    uint16_t spare[HOT_PAGES]; /* slots without a page */
    unsigned nspare, nhot;
    bool clear; /* nothing has come in since hot_clear() */
    pid_t pid;
    uint64_t round;
    uint8_t *sent, *now; /* owned mappings: a page a slot */
};

static void
free_slots(struct memory_hot *h)
{
    h->nhot = 0;
    h->nspare = HOT_PAGES;
    for (unsigned i = 0; i < HOT_PAGES; i++)
        h->spare[i] = (uint16_t)i;
}

struct memory_hot *
hot_new(void)
{
    struct memory_hot *h = calloc(1, sizeof *h);
    size_t size = 2 * (size_t)HOT_PAGES * IMAGE_PAGE;
    void *pages = reserve(size);

    if (h && pages) {
        madvise(pages, size, MADV_DONTFORK);
        h->sent = pages;
        h->now = h->sent + size / 2;
        free_slots(h);
        h->clear = true;
        return h;
    }
    reserve_end(pages, size);
    free(h);
    return NULL;
}

void
hot_free(struct memory_hot *h)
{
    if (!h)
        return;
    reserve_end(h->sent, 2 * (size_t)HOT_PAGES * IMAGE_PAGE);
    free(h);
}

void
hot_clear(struct memory_hot *h)
{
    if (h->clear)
        return;
    h->clear = true;
    memset(h->entries, 0, sizeof h->entries);
    free_slots(h);
}

void
hot_begin(struct memory_hot *h, pid_t pid, uint64_t round)
{
    h->pid = pid;
    h->round = round;
}

static struct entry *
entry_of(struct memory_hot *h, uint64_t address)
{
    return &h->entries[(address / IMAGE_PAGE * 0x9e3779b97f4a7c15ull) >> 50];
}

static bool
is_hot(const struct entry *e, uint64_t address)
{
    return e->address == address && e->streak > 0 && e->slot != NO_SLOT;
}

static void
cool(struct memory_hot *h, struct entry *e)
{
    h->spare[h->nspare++] = e->slot;
    h->nhot--;
    *e = (struct entry){ .slot = NO_SLOT };
}

static bool
read_pages(const struct memory_hot *h, const struct iovec *to, const uint64_t *from,
    unsigned n)
{
    struct iovec remote[MAX_IOV];

    for (unsigned i = 0; i < n; i++)
        remote[i] = (struct iovec){ (void *)(uintptr_t)from[i], IMAGE_PAGE };
    return n == 0 ||
           process_vm_readv(h->pid, to, n, remote, n, 0) == (ssize_t)n * IMAGE_PAGE;
}

bool
hot_takes(const struct page_region *r)
{
    return r->end - r->start <= HOT_REGION * (uint64_t)IMAGE_PAGE;
}

/* What is read with one call. */
struct load {
    struct iovec to[MAX_IOV];
    uint64_t from[MAX_IOV];
    unsigned n;
};

static bool
load_region(struct memory_hot *h, const struct page_region *r, struct load *l)
{
    bool ok = true;

    for (uint64_t at = r->start; at < r->end && ok; at += IMAGE_PAGE) {
        const struct entry *e = entry_of(h, at);

        if (!is_hot(e, at))
            continue;
        l->to[l->n] = (struct iovec){ h->now + (size_t)e->slot * IMAGE_PAGE,
            IMAGE_PAGE };
        l->from[l->n++] = at;
        if (l->n == MAX_IOV) {
            ok = read_pages(h, l->to, l->from, l->n);
            l->n = 0;
        }
    }
    return ok;
}

void
hot_load(struct memory_hot *h, const struct page_region *regions, size_t n)
{
    struct load l = { .n = 0 };
    bool ok = true;

    for (size_t i = 0; i < n && ok && h->nhot > 0; i++)
        if (hot_takes(&regions[i]))
            ok = load_region(h, &regions[i], &l);
    if (!ok || !read_pages(h, l.to, l.from, l.n))
        hot_clear(h);
}

/* Written once more in turn.  It is sent now, as it is, so that is what it is compared
 * with the next time. */
static bool
becomes_hot(struct memory_hot *h, struct entry *e)
{
    struct iovec to;
    uint16_t slot;

    if (h->nspare == 0)
        return false;
    slot = h->spare[h->nspare - 1];
    to = (struct iovec){ h->sent + (size_t)slot * IMAGE_PAGE, IMAGE_PAGE };
    if (!read_pages(h, &to, &e->address, 1))
        return false;
    h->nspare--;
    h->nhot++;
    e->slot = slot;
    e->still = 0;
    h->users[slot] = (uint32_t)(e - h->entries);
    return true;
}

static enum hot_verdict
compare(struct memory_hot *h, struct entry *e)
{
    uint8_t *sent = h->sent + (size_t)e->slot * IMAGE_PAGE;
    const uint8_t *now = h->now + (size_t)e->slot * IMAGE_PAGE;

    if (memcmp(sent, now, IMAGE_PAGE) != 0) {
        memcpy(sent, now, IMAGE_PAGE);
        e->still = 0;
        return HOT_CHANGED;
    }
    if (++e->still < HOT_PATIENCE)
        return HOT_SAME;
    cool(h, e);
    return HOT_COOLS;
}

enum hot_verdict
hot_page(struct memory_hot *h, uint64_t address)
{
    struct entry *e = entry_of(h, address);

    if (is_hot(e, address))
        return compare(h, e);
    if (e->streak > 0 && e->address != address && e->slot != NO_SLOT)
        return HOT_COLD; /* its place is a hot one's */
    if (e->address != address || e->streak == 0 || e->round + 1 != h->round)
        *e = (struct entry){ .address = address, .slot = NO_SLOT };
    e->round = h->round;
    h->clear = false;
    if (e->streak < HOT_STREAK)
        e->streak++;
    return e->streak == HOT_STREAK && becomes_hot(h, e) ? HOT_CHANGED : HOT_COLD;
}

void
hot_skip(struct memory_hot *h, uint64_t start, uint64_t end)
{
    for (unsigned slot = 0; slot < HOT_PAGES && h->nhot > 0; slot++) {
        struct entry *e = &h->entries[h->users[slot]];

        if (is_hot(e, e->address) && e->slot == slot && e->address >= start &&
            e->address < end)
            cool(h, e);
    }
}
