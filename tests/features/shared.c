/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shared.c - shared memory that has a name: System V, POSIX. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

/* ---- System V */

static uint32_t *numbers; /* 25 pages, of which the last is not whole */
static int numbers_id;
static uint32_t written;

static void
step_sysv(void)
{
    numbers[(written % 25) * 1024 % 25000] = written;
    written++;
}

static const char *
set_up_sysv(void)
{
    struct shmid_ds ds;

    WANT((numbers_id = shmget(0x42534b31, 100000, IPC_CREAT | IPC_EXCL | 0640)) >= 0);
    WANT(shmctl(numbers_id, IPC_STAT, &ds) == 0);
    ds.shm_perm.uid = 1234;
    ds.shm_perm.gid = 4321;
    WANT(shmctl(numbers_id, IPC_SET, &ds) == 0);
    WANT((numbers = shmat(numbers_id, NULL, 0)) != (void *)-1);
    numbers[24999] = 77;
    return NULL;
}

static const char *
check_sysv(void)
{
    struct shmid_ds ds;
    uint32_t *again;

    WANT(shmget(0x42534b31, 100000, 0) == numbers_id);
    WANT(shmctl(numbers_id, IPC_STAT, &ds) == 0 && ds.shm_segsz == 100000 &&
         ds.shm_nattch == 1 && ds.shm_perm.uid == 1234 && ds.shm_perm.gid == 4321 &&
         (ds.shm_perm.mode & 0777) == 0640);
    WANT(numbers[24999] == 77);
    for (uint32_t i = written < 25 ? 0 : written - 25; i < written; i++)
        WANT(numbers[(i % 25) * 1024 % 25000] == i);
    WANT((again = shmat(numbers_id, NULL, 0)) != (void *)-1);
    numbers[1] += 1;
    WANT(again[1] == numbers[1] && again[24999] == 77 && shmdt(again) == 0);
    return NULL;
}

static char *twice[2];
static int twice_id;

static const char *
set_up_twice(void)
{
    WANT((twice_id = shmget(IPC_PRIVATE, 3 * PAGE, 0600)) >= 0);
    WANT((twice[0] = shmat(twice_id, NULL, 0)) != (void *)-1);
    WANT((twice[1] = shmat(twice_id, NULL, SHM_RDONLY)) != (void *)-1);
    WANT(shmctl(twice_id, SHM_LOCK, NULL) == 0);
    strcpy(twice[0] + 5000, "one");
    return NULL;
}

static const char *
check_twice(void)
{
    struct shmid_ds ds;

    WANT(strcmp(twice[1] + 5000, "one") == 0);
    strcpy(twice[0] + 9000, "two");
    WANT(strcmp(twice[1] + 9000, "two") == 0);
    memset(twice[0] + 9000, 0, 4);
    WANT(mprotect(twice[1], PAGE, PROT_READ | PROT_WRITE) < 0); /* for reading only */
    WANT(shmctl(twice_id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2);
    return NULL;
}

static char *gone;
static int gone_id;

static const char *
set_up_gone(void)
{
    WANT((gone_id = shmget(0x42534b32, PAGE, IPC_CREAT | 0600)) >= 0);
    WANT((gone = shmat(gone_id, NULL, 0)) != (void *)-1);
    WANT(shmctl(gone_id, IPC_RMID, NULL) == 0);
    strcpy(gone, "still here");
    return NULL;
}

static const char *
check_gone(void)
{
    struct shmid_ds ds;

    WANT(strcmp(gone, "still here") == 0);
    WANT(shmctl(gone_id, IPC_STAT, &ds) == 0 && (ds.shm_perm.mode & SHM_DEST));
    WANT(shmget(0x42534b32, PAGE, 0) < 0 && errno == ENOENT);
    return NULL;
}

/* A new one each time, at the same place. */
static char *coming;
static int coming_id;
static unsigned times;

static const char *
set_up_coming(void)
{
    void *at = coming ? coming : NULL;

    WANT((coming_id = shmget(IPC_PRIVATE, 3 * PAGE, 0600)) >= 0);
    WANT((coming = shmat(coming_id, at, 0)) != (void *)-1);
    sprintf(coming, "time %u", ++times);
    return NULL;
}

static const char *
check_coming(void)
{
    char text[32];

    sprintf(text, "time %u", times);
    WANT(strcmp(coming, text) == 0);
    WANT(shmdt(coming) == 0 && shmctl(coming_id, IPC_RMID, NULL) == 0);
    return set_up_coming();
}

/* ---- POSIX */

static char *named;

static const char *
set_up_named(void)
{
    int fd;

    shm_unlink("/bascule-named");
    WANT((fd = shm_open("/bascule-named", O_RDWR | O_CREAT | O_EXCL, 0640)) >= 0);
    WANT(fchown(fd, 1234, 4321) == 0 && ftruncate(fd, 3 * PAGE + 100) == 0);
    named = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    WANT(named != MAP_FAILED && close(fd) == 0);
    strcpy(named + 2 * PAGE, "shared");
    named[3 * PAGE + 99] = 'e';
    return NULL;
}

static const char *
check_named(void)
{
    int fd = shm_open("/bascule-named", O_RDWR, 0);
    char text[16] = "";
    struct stat st;

    WANT(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 3 * PAGE + 100);
    WANT(st.st_uid == 1234 && st.st_gid == 4321 && (st.st_mode & 0777) == 0640);
    WANT(strcmp(named + 2 * PAGE, "shared") == 0 && named[3 * PAGE + 99] == 'e');
    WANT(pread(fd, text, 7, 2 * PAGE) == 7 && strcmp(text, "shared") == 0);
    WANT(pwrite(fd, "more", 5, 10) == 5 && strcmp(named + 10, "more") == 0);
    WANT(pwrite(fd, "\0\0\0\0", 4, 10) == 4 && close(fd) == 0);
    return NULL;
}

static char *grows_at;
static int growing;
static unsigned grown;

static const char *
set_up_growing(void)
{
    shm_unlink("/bascule-growing");
    WANT((growing = shm_open("/bascule-growing", O_RDWR | O_CREAT, 0600)) >= 0);
    grows_at = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, growing, 0);
    WANT(grows_at != MAP_FAILED && ftruncate(growing, PAGE) == 0);
    grows_at[0] = 1;
    grown = 1;
    return NULL;
}

static void
step_growing(void)
{
    if (grown < 60 && ftruncate(growing, (grown + 1) * PAGE) == 0) {
        grows_at[grown * PAGE] = (char)(grown + 1);
        grown++;
    }
}

static const char *
check_growing(void)
{
    struct stat st;

    WANT(fstat(growing, &st) == 0 && st.st_size == grown * PAGE);
    for (unsigned i = 0; i < grown; i++)
        WANT(grows_at[i * PAGE] == (char)(i + 1));
    return NULL;
}

static char *reads;

static const char *
set_up_reads(void)
{
    int fd;

    shm_unlink("/bascule-reads");
    WANT((fd = shm_open("/bascule-reads", O_RDWR | O_CREAT, 0600)) >= 0);
    WANT(write(fd, "to be read", 11) == 11);
    reads = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    WANT(reads != MAP_FAILED && close(fd) == 0);
    return NULL;
}

static const char *
check_reads(void)
{
    WANT(strcmp(reads, "to be read") == 0);
    return NULL;
}

/* ---- refused */

static const char *
set_up_part(void)
{
    char *p;
    int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600);

    WANT(id >= 0 && (p = shmat(id, NULL, 0)) != (void *)-1);
    memset(p, 1, 3 * PAGE);
    WANT(munmap(p + PAGE, PAGE) == 0);
    return NULL;
}

static const char *
set_up_unattached(void)
{
    WANT(shmget(0x42534b33, PAGE, IPC_CREAT | 0600) >= 0);
    return NULL;
}

static const char *
set_up_named_part(void)
{
    int fd;

    shm_unlink("/bascule-part");
    WANT((fd = shm_open("/bascule-part", O_RDWR | O_CREAT, 0600)) >= 0);
    WANT(ftruncate(fd, 3 * PAGE) == 0 && pwrite(fd, "x", 1, 2 * PAGE) == 1);
    WANT(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
    return NULL;
}

static const struct feature rows[] = {
    { "System V: id, key, owner, mode, attached while it is written", NULL, 0,
        set_up_sysv, check_sysv, step_sysv },
    { "System V: attached twice, once for reading, locked", NULL, 0, set_up_twice,
        check_twice, NULL },
    { "System V: removed while it is attached", NULL, 0, set_up_gone, check_gone,
        NULL },
    { "System V: that comes and goes", NULL, 0, set_up_coming, check_coming, NULL },
    { "POSIX: name, owner, mode, size", NULL, 0, set_up_named, check_named, NULL },
    { "POSIX: that grows", NULL, 0, set_up_growing, check_growing, step_growing },
    { "POSIX: for reading", NULL, 0, set_up_reads, check_reads, NULL },
    { "System V: mapped in part", "in part", FEATURE_ALONE, set_up_part, NULL, NULL },
    { "System V: not attached", "not attached", FEATURE_ALONE, set_up_unattached, NULL,
        NULL },
    { "POSIX: mapped in part", "in part", FEATURE_ALONE, set_up_named_part, NULL,
        NULL },
};

AREA(area_shared, "Shared memory with a name", rows);
