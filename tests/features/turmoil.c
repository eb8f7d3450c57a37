/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * turmoil.c - memory that is written, read, given back, protected, moved and mapped
 * anew at random: what is where is known in usual memory besides. */
#include "tests/features/chance.h"
#include "tests/features/features.h"
#include "tests/features/mapping.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define FEW 64u
#define MANY 2048u /* of which huge ones can be made */
#define RANGE 12u  /* pages at once, at most, of few: of more the scan looks at each */
#define WORD 8     /* where in a page the value is */

struct known_page {
    uint32_t value, base; /* .base: of the file, again if it is given back */
    int prot;
};

struct turmoil {
    int flags; /* of the mappings */
    int fd;    /* owned; what they map; -1: nothing */
    uint32_t random, now;
    char *at;
    unsigned n, range, alignment; /* pages, of one step, of the place */
    struct known_page *pages;     /* owned */
};

static char *
page_at(const struct turmoil *t, unsigned page)
{
    return t->at + (size_t)page * PAGE;
}

static void
map_anew(struct turmoil *t, unsigned page, unsigned n)
{
    int flags = t->flags | MAP_FIXED | (t->fd < 0 ? MAP_ANONYMOUS : 0);
    off_t offset = (off_t)page * PAGE;

    if (mmap(page_at(t, page), n * PAGE, RW, flags, t->fd, t->fd < 0 ? 0 : offset) ==
        MAP_FAILED)
        abort();
    if (t->alignment > 1)
        madvise(page_at(t, page), n * PAGE, MADV_HUGEPAGE);
    for (unsigned i = page; i < page + n; i++) {
        uint32_t base = 0;

        if (t->fd >= 0 && pread(t->fd, &base, sizeof base, (off_t)i * PAGE + WORD) < 0)
            abort();
        t->pages[i].value = t->pages[i].base = base;
        t->pages[i].prot = RW;
    }
}

static void
protect(struct turmoil *t, unsigned page, unsigned n, int prot)
{
    if (mprotect(page_at(t, page), n * PAGE, prot) < 0)
        abort();
    for (unsigned i = page; i < page + n; i++)
        t->pages[i].prot = prot;
}

static void
write_to(struct turmoil *t, unsigned page)
{
    if (t->pages[page].prot != RW)
        protect(t, page, 1, RW);
    *(uint32_t *)(void *)(page_at(t, page) + WORD) = t->pages[page].value = ++t->now;
}

static void
give_back(struct turmoil *t, unsigned page, unsigned n)
{
    int advice = t->flags & MAP_SHARED ? MADV_REMOVE : MADV_DONTNEED;

    if (madvise(page_at(t, page), n * PAGE, advice) < 0)
        return;
    for (unsigned i = page; i < page + n; i++)
        t->pages[i].value = t->pages[i].base;
}

/* From one half to the same place in the other.  The kernel may refuse to move several
 * mappings at once, and has unmapped some then. */
static void
move(struct turmoil *t, unsigned page, unsigned n)
{
    unsigned half = t->n / 2, to = (page + half) % t->n;
    size_t size = n * PAGE;

    if (page % half + n > half)
        return;
    if (mremap(page_at(t, page), size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
            page_at(t, to)) == MAP_FAILED) {
        map_anew(t, page, n);
        map_anew(t, to, n);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        t->pages[to + i] = t->pages[page + i];
    map_anew(t, page, n);
}

static void
turmoil_step(struct turmoil *t)
{
    static const int prots[] = { PROT_NONE, PROT_READ, RW };
    unsigned page = chance_dice(&t->random, t->n),
             n = 1 + chance_dice(&t->random, t->range);

    n = page + n <= t->n ? n : t->n - page;
    switch (chance_dice(&t->random, 12)) {
    case 0:
        give_back(t, page, n);
        break;
    case 1:
        protect(t, page, n, prots[chance_dice(&t->random, 3)]);
        break;
    case 2:
        move(t, page, n);
        break;
    case 3:
        if (chance_dice(&t->random, 2) > 0)
            map_anew(t, page, n);
        break;
    case 4:
        if (t->pages[page].prot != PROT_NONE)
            (void)*(volatile char *)page_at(t, page);
        break;
    default:
        write_to(t, page);
    }
}

static const char *
set_up(struct turmoil *t, unsigned n, unsigned range, unsigned alignment)
{
    size_t align = (size_t)alignment * PAGE;

    t->n = n;
    t->range = range;
    t->alignment = alignment;
    t->pages = calloc(n, sizeof *t->pages);
    t->at = mapping_new(n + alignment, PROT_NONE, MAP_PRIVATE);
    WANT(t->pages && t->at != MAP_FAILED);
    t->at += (align - (uintptr_t)t->at % align) % align;
    map_anew(t, 0, n);
    for (unsigned i = 0; i < 200; i++)
        turmoil_step(t);
    return NULL;
}

static const char *
turmoil_check(const struct turmoil *t)
{
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

    for (unsigned i = 0; i < t->n; i++) {
        off_t at = (off_t)(uintptr_t)page_at(t, i);
        uint32_t value;

        WANT(pread(mem, &value, sizeof value, at + WORD) == sizeof value);
        WANT(value == t->pages[i].value);
        WANT(mapping_readable(page_at(t, i)) == (t->pages[i].prot != PROT_NONE));
    }
    WANT(close(mem) == 0);
    return NULL;
}

/* ---- rows */

static struct turmoil own = { .flags = MAP_PRIVATE, .fd = -1, .random = 2 };
static struct turmoil shared = { .flags = MAP_SHARED, .fd = -1, .random = 4 };
static struct turmoil huge = { .flags = MAP_PRIVATE, .fd = -1, .random = 8 };
static struct turmoil file = { .flags = MAP_PRIVATE, .random = 6 };

CHANCE_ROW(turmoil, own)
CHANCE_ROW(turmoil, shared)
CHANCE_ROW(turmoil, huge)
CHANCE_ROW(turmoil, file)

static const char *
set_up_own(void)
{
    return set_up(&own, FEW, RANGE, 1);
}

static const char *
set_up_shared(void)
{
    return set_up(&shared, FEW, RANGE, 1);
}

/* At the edges of huge pages, over whole ones, and inside of them. */
static const char *
set_up_huge(void)
{
    return set_up(&huge, MANY, MANY / 3, 512);
}

static const char *
set_up_file(void)
{
    file.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    WANT(file.fd >= 0);
    return set_up(&file, FEW, RANGE, 1);
}

static const struct feature rows[] = {
    { "private memory treated at random", NULL, 0, set_up_own, check_own, step_own },
    { "shared memory treated at random", NULL, 0, set_up_shared, check_shared,
        step_shared },
    { "memory of transparent huge pages treated at random", NULL, 0, set_up_huge,
        check_huge, step_huge },
    { "private mapping of a file treated at random", NULL, 0, set_up_file, check_file,
        step_file },
};

AREA(area_turmoil, "Memory treated at random", rows);
