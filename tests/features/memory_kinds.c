/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_kinds.c - memory that is locked, advised, guarded, or of an unusual kind. */
#include "tests/features/features.h"
#include "tests/features/mapping.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *locked;

static const char *
set_up_locked(void)
{
    locked = mapping_new(4, RW, MAP_PRIVATE);
    WANT(mlock(locked, 2 * PAGE) == 0);
    return NULL;
}

static const char *
check_locked(void)
{
    WANT(mapping_has(locked, "lo") && !mapping_has(locked + 3 * PAGE, "lo"));
    return NULL;
}

static char *on_fault;

static const char *
set_up_on_fault(void)
{
    on_fault = mapping_new(64, RW, MAP_PRIVATE);
    WANT(mlock2(on_fault, 64 * PAGE, MLOCK_ONFAULT) == 0);
    return NULL;
}

static const char *
check_on_fault(void)
{
    unsigned char there[64];

    WANT(mapping_has(on_fault, "lo"));
    WANT(mincore(on_fault, 64 * PAGE, there) == 0 && !(there[40] & 1));
    return NULL;
}

static const char *
set_up_lock_all(void)
{
    WANT(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
    return NULL;
}

static const char *
check_lock_all(void)
{
    char *later = mapping_new(1, RW, MAP_PRIVATE);
    bool is = later != MAP_FAILED && mapping_has(later, "lo");

    munmap(later, PAGE);
    WANT(is);
    return NULL;
}

static const struct {
    int advice;
    const char *flag;
} advices[] = { { MADV_DONTFORK, "dc" }, { MADV_WIPEONFORK, "wf" },
    { MADV_DONTDUMP, "dd" }, { MADV_NOHUGEPAGE, "nh" }, { MADV_HUGEPAGE, "hg" },
    { MADV_MERGEABLE, "mg" }, { MADV_SEQUENTIAL, "sr" }, { MADV_RANDOM, "rr" } };
#define NADVICES (sizeof advices / sizeof advices[0])
static char *advised[NADVICES];
static bool advice_known[NADVICES];

static const char *
set_up_advices(void)
{
    for (size_t i = 0; i < NADVICES; i++) {
        advised[i] = mapping_new(2, RW, MAP_PRIVATE);
        advice_known[i] = madvise(advised[i], 2 * PAGE, advices[i].advice) == 0;
        advised[i][0] = 'a';
        /* or neighbours become one mapping */
        WANT(mapping_new(1, PROT_NONE, MAP_PRIVATE) != MAP_FAILED);
    }
    return NULL;
}

static const char *
check_advices(void)
{
    for (size_t i = 0; i < NADVICES; i++)
        if (advice_known[i] && !mapping_has(advised[i], advices[i].flag))
            return feature_wrong(__FILE__, __LINE__, advices[i].flag);
    return NULL;
}

static char *guarded;

static const char *
set_up_guard(void)
{
    guarded = mapping_new(8, RW, MAP_PRIVATE);
    memset(guarded, 'g', 8 * PAGE);
    if (madvise(guarded + 3 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL) < 0)
        return "skip: no guard regions";
    return NULL;
}

static const char *
check_guard(void)
{
    WANT(guarded[2 * PAGE] == 'g' && guarded[5 * PAGE] == 'g');
    WANT(
        !mapping_readable(guarded + 3 * PAGE) && !mapping_readable(guarded + 4 * PAGE));
    return NULL;
}

static char *huge;

static const char *
set_up_huge(void)
{
    huge = mapping_new(2048, RW, MAP_PRIVATE);
    WANT(huge != MAP_FAILED);
    madvise(huge, 2048 * PAGE, MADV_HUGEPAGE);
    for (unsigned i = 0; i < 2048; i++)
        huge[i * PAGE] = (char)i;
    return NULL;
}

static const char *
check_huge(void)
{
    for (unsigned i = 0; i < 2048; i++)
        WANT(huge[i * PAGE] == (char)i);
    return NULL;
}

static void
step_huge(void)
{
    static unsigned at;

    huge[(at = (at + 17) % 2048) * PAGE + 9]++;
}

static char *reserved;

static const char *
set_up_reserved(void)
{
    reserved = mapping_new((64ull << 30) / PAGE, RW, MAP_PRIVATE | MAP_NORESERVE);
    WANT(reserved != MAP_FAILED);
    reserved[40ull << 30] = 'r';
    return NULL;
}

static const char *
check_reserved(void)
{
    WANT(reserved[40ull << 30] == 'r' && reserved[50ull << 30] == 0);
    return NULL;
}

static char *grows_down;

static const char *
set_up_grows_down(void)
{
    char *room = mapping_new(300, PROT_NONE, MAP_PRIVATE);

    WANT(munmap(room, 300 * PAGE) == 0);
    grows_down = mmap(room + 296 * PAGE, 4 * PAGE, RW,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    WANT(grows_down == room + 296 * PAGE);
    grows_down[0] = 'v';
    return NULL;
}

static const char *
check_grows_down(void)
{
    WANT(grows_down[0] == 'v' && mapping_has(grows_down, "gd"));
    return NULL;
}

static uint8_t *key_memory;
static int key;

static const char *
set_up_pkey(void)
{
    key = pkey_alloc(0, 0);
    if (key < 0)
        return "skip: no protection keys";
    key_memory = mapping_new(1, RW, MAP_PRIVATE);
    WANT(pkey_mprotect(key_memory, PAGE, RW, key) == 0);
    return NULL;
}

static uint8_t *only_runs;

/* Where the processor has keys the kernel guards it by one of its own. */
static const char *
set_up_only_runs(void)
{
    static const uint8_t code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */

    only_runs = mapping_new(1, RW, MAP_PRIVATE);
    memcpy(only_runs, code, sizeof code);
    WANT(mprotect(only_runs, PAGE, PROT_EXEC) == 0);
    return NULL;
}

/* Now and then it is to be read, too, and the key is gone. */
static void
step_only_runs(void)
{
    static unsigned steps;

    mprotect(only_runs, PAGE, ++steps / 16 % 2 ? PROT_READ | PROT_EXEC : PROT_EXEC);
}

static const char *
check_only_runs(void)
{
    int (*run)(void) = (int (*)(void))(uintptr_t)only_runs;

    WANT(run() == 42);
    return NULL;
}

static const char *
set_up_secret(void)
{
    int fd = (int)syscall(SYS_memfd_secret, 0);

    if (fd < 0)
        return "skip: no memfd_secret";
    WANT(ftruncate(fd, PAGE) == 0);
    WANT(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) != MAP_FAILED && close(fd) == 0);
    return NULL;
}

static char *sealed;

static const char *
set_up_sealed(void)
{
    sealed = mapping_new(2, RW, MAP_PRIVATE);
    if (syscall(462 /* mseal */, sealed, 2 * PAGE, 0) < 0)
        return "skip: no mseal";
    return NULL;
}

static const char *
check_sealed(void)
{
    WANT(mprotect(sealed, PAGE, PROT_READ) < 0 && errno == EPERM);
    return NULL;
}

static char *named;

static const char *
set_up_named(void)
{
    named = mapping_new(2, RW, MAP_PRIVATE);
    if (syscall(SYS_prctl, 0x53564d41, 0, named, 2 * PAGE, "a name") < 0)
        return "skip: no names of mappings";
    strcpy(named, "named");
    return NULL;
}

static const char *
check_named(void)
{
    WANT(strcmp(named, "named") == 0);
    return NULL;
}

/* Mapped and unmapped all the time. */
static const struct feature rows[] = {
    { "locked memory", NULL, 0, set_up_locked, check_locked, NULL },
    { "memory locked when touched (MLOCK_ONFAULT)", NULL, 0, set_up_on_fault,
        check_on_fault, NULL },
    { "all memory locked (mlockall)", NULL, FEATURE_ALONE, set_up_lock_all,
        check_lock_all, NULL },
    { "advice of madvise()", NULL, 0, set_up_advices, check_advices, NULL },
    { "guard regions (MADV_GUARD_INSTALL)", NULL, 0, set_up_guard, check_guard, NULL },
    { "transparent huge pages", NULL, 0, set_up_huge, check_huge, step_huge },
    { "64 GB reserved, little used", NULL, 0, set_up_reserved, check_reserved, NULL },
    { "stack that grows down", NULL, 0, set_up_grows_down, check_grows_down, NULL },
    { "named mapping", NULL, 0, set_up_named, check_named, NULL },
    { "memory that only runs (PROT_EXEC)", NULL, 0, set_up_only_runs, check_only_runs,
        step_only_runs },
    { "protection keys", "protection keys", FEATURE_ALONE, set_up_pkey, NULL, NULL },
    { "secret memory (memfd_secret)", "secret", FEATURE_ALONE, set_up_secret, NULL,
        NULL },
    { "sealed mapping (mseal)", NULL, 0, set_up_sealed, check_sealed, NULL },
};

AREA(area_memory_kinds, "Memory of all kinds", rows);
