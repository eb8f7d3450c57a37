/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory.c - mappings and what is in them. */
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

#define ARENA 2048u
static uint32_t *arena, arena_seed = 1;
static uint64_t arena_sum;

static void
step_arena(void)
{
    for (int i = 0; i < 50; i++) {
        size_t at = (arena_seed = arena_seed * 1664525 + 1013904223) %
                    (ARENA * PAGE / 4);

        arena_sum += arena_seed - arena[at];
        arena[at] = arena_seed;
    }
}

static const char *
set_up_arena(void)
{
    arena = mapping_new(ARENA, RW, MAP_PRIVATE);
    WANT(arena != MAP_FAILED);
    step_arena();
    return NULL;
}

static const char *
check_arena(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ARENA * PAGE / 4; i++)
        sum += arena[i];
    WANT(sum == arena_sum);
    return NULL;
}

/* Pages are given back: they must read as zeroes. */
static char *dropped;
static unsigned drop_turn;

static void
step_dropped(void)
{
    unsigned at = drop_turn % 64;

    if (drop_turn++ % 128 < 64)
        memset(dropped + at * PAGE, 'd', PAGE);
    else
        madvise(dropped + at * PAGE, PAGE, MADV_DONTNEED);
}

static const char *
set_up_dropped(void)
{
    dropped = mapping_new(64, RW, MAP_PRIVATE);
    WANT(dropped != MAP_FAILED);
    return NULL;
}

static const char *
check_dropped(void)
{
    for (unsigned at = 0; at < 64; at++) {
        unsigned turn = drop_turn % 128;
        bool full = turn < 64 ? at < turn : at >= turn - 64;

        WANT(dropped[at * PAGE] == (full ? 'd' : 0));
    }
    return NULL;
}

static char *protections[4];

static const char *
set_up_protections(void)
{
    static const int prot[4] = { PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC };

    for (int i = 0; i < 4; i++) {
        protections[i] = mapping_new(3, RW, MAP_PRIVATE);
        WANT(protections[i] != MAP_FAILED);
        memset(protections[i], 'p' + i, 3 * PAGE);
        WANT(mprotect(protections[i], 2 * PAGE, prot[i]) == 0);
    }
    return NULL;
}

static const char *
check_protections(void)
{
    WANT(!mapping_readable(protections[0]) &&
         mapping_readable(protections[0] + 2 * PAGE));
    for (int i = 1; i < 4; i++)
        WANT(protections[i][PAGE] == 'p' + i);
    WANT(mprotect(protections[0], PAGE, PROT_READ) == 0 && protections[0][5] == 'p');
    WANT(mprotect(protections[0], PAGE, PROT_NONE) == 0);
    WANT(mapping_has(protections[3], "ex") && !mapping_has(protections[3], "wr"));
    return NULL;
}

static char *shared;

static const char *
set_up_shared(void)
{
    shared = mapping_new(16, RW, MAP_SHARED);
    WANT(shared != MAP_FAILED);
    strcpy(shared + 3 * PAGE, "shared by nobody yet");
    return NULL;
}

static const char *
check_shared(void)
{
    WANT(strcmp(shared + 3 * PAGE, "shared by nobody yet") == 0 && shared[0] == 0);
    WANT(mapping_has(shared, "sh"));
    return NULL;
}

static uint8_t *file_copy;
static char file_path[] = "/tmp/bascule-feature-map-XXXXXX";

static const char *
set_up_private_file(void)
{
    int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

    WANT(fd >= 0);
    file_copy = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, PAGE);
    WANT(file_copy != MAP_FAILED && close(fd) == 0);
    memset(file_copy + 2 * PAGE, 0x5a, 10);
    return NULL;
}

static const char *
check_private_file(void)
{
    uint8_t page[PAGE];
    int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

    WANT(fd >= 0 && pread(fd, page, PAGE, 2 * PAGE) == PAGE && close(fd) == 0);
    WANT(memcmp(page, file_copy + PAGE, PAGE) == 0);
    WANT(file_copy[2 * PAGE] == 0x5a && file_copy[2 * PAGE + 9] == 0x5a);
    return NULL;
}

static const char *
set_up_shared_file(void)
{
    int fd = mkostemp(file_path, O_CLOEXEC);

    WANT(fd >= 0 && ftruncate(fd, PAGE) == 0);
    WANT(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) != MAP_FAILED);
    return NULL;
}

static const char *
set_up_deleted_map(void)
{
    int fd = mkostemp(file_path, O_CLOEXEC);

    WANT(fd >= 0 && ftruncate(fd, PAGE) == 0 && unlink(file_path) == 0);
    WANT(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0) != MAP_FAILED && close(fd) == 0);
    return NULL;
}

static char *brk_end;

static const char *
set_up_brk(void)
{
    brk_end = (char *)sbrk(0) + 5 * PAGE;
    WANT(brk(brk_end) == 0);
    brk_end[-1] = 'b';
    return NULL;
}

static const char *
check_brk(void)
{
    WANT(sbrk(0) == brk_end && brk_end[-1] == 'b');
    WANT(brk(brk_end + PAGE) == 0 && brk_end[0] == 0 && brk(brk_end) == 0);
    return NULL;
}

/* Not at a page's edge. */
static const char *
set_up_odd_brk(void)
{
    brk_end = (char *)sbrk(0) + PAGE + 1234;
    WANT(brk(brk_end) == 0);
    return NULL;
}

static const char *
check_odd_brk(void)
{
    WANT((char *)syscall(SYS_brk, 0) == brk_end);
    return NULL;
}

static char *posix;

static const char *
set_up_posix_shm(void)
{
    int fd;

    shm_unlink("/bascule-feature");
    fd = shm_open("/bascule-feature", O_RDWR | O_CREAT, 0600);
    WANT(fd >= 0 && ftruncate(fd, 3 * PAGE) == 0);
    posix = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
    WANT(posix != MAP_FAILED && shm_unlink("/bascule-feature") == 0);
    WANT(close(fd) == 0);
    strcpy(posix, "POSIX");
    return NULL;
}

static const char *
check_posix_shm(void)
{
    WANT(strcmp(posix, "POSIX") == 0 && posix[2 * PAGE] == 0 &&
         mapping_has(posix, "sh"));
    return NULL;
}

static void
step_posix_shm(void)
{
    posix[PAGE]++;
}

static char *moving;
static unsigned moves;

static void
step_moving(void)
{
    char *other = mapping_new(2 + moves % 3, RW, MAP_PRIVATE);

    if (other == MAP_FAILED)
        return;
    memcpy(other, moving, PAGE);
    munmap(moving, (2 + (moves - 1) % 3) * PAGE);
    moving = other;
    moves++;
    memcpy(moving, &moves, sizeof moves);
}

static const char *
set_up_moving(void)
{
    moves = 1;
    moving = mapping_new(2, RW, MAP_PRIVATE);
    memcpy(moving, &moves, sizeof moves);
    return NULL;
}

static const char *
check_moving(void)
{
    WANT(memcmp(moving, &moves, sizeof moves) == 0 && moving[PAGE] == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "memory written all over", NULL, 0, set_up_arena, check_arena, step_arena },
    { "pages given back (MADV_DONTNEED)", NULL, 0, set_up_dropped, check_dropped,
        step_dropped },
    { "protections", NULL, 0, set_up_protections, check_protections, NULL },
    { "shared anonymous memory", NULL, 0, set_up_shared, check_shared, NULL },
    { "private mapping of a file, with private pages", NULL, 0, set_up_private_file,
        check_private_file, NULL },
    { "mappings that come and go", NULL, 0, set_up_moving, check_moving, step_moving },
    { "heap (brk)", NULL, FEATURE_ALONE, set_up_brk, check_brk, NULL },
    { "heap that ends inside a page", NULL, FEATURE_ALONE, set_up_odd_brk,
        check_odd_brk, NULL },
    { "file of no state folder mapped shared and writable", "shared and writable",
        FEATURE_ALONE, set_up_shared_file, NULL, NULL },
    { "deleted file mapped", "mapped file is deleted", FEATURE_ALONE,
        set_up_deleted_map, NULL, NULL },
    { "POSIX shared memory, unlinked and closed", NULL, 0, set_up_posix_shm,
        check_posix_shm, step_posix_shm },
};

AREA(area_memory, "Memory", rows);
