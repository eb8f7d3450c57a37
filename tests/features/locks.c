/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * locks.c - locks on files, leases. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int
make_file(const char *name, int flags)
{
    char path[64];

    snprintf(path, sizeof path, "%s.file", name);
    unlink(path);
    return open(path, O_RDWR | O_CREAT | flags, 0600);
}

static int flock_fd[2];

static const char *
set_up_flock(void)
{
    flock_fd[0] = make_file("flock", 0);
    flock_fd[1] = open("flock.file", O_RDWR);
    WANT(flock(flock_fd[0], LOCK_EX) == 0);
    return NULL;
}

static const char *
check_flock(void)
{
    WANT(flock(flock_fd[1], LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
    WANT(flock(flock_fd[0], LOCK_UN) == 0);
    WANT(flock(flock_fd[1], LOCK_SH | LOCK_NB) == 0);
    WANT(flock(flock_fd[1], LOCK_UN) == 0 && flock(flock_fd[0], LOCK_EX) == 0);
    return NULL;
}

static int posix_fd;

static bool
lock(int fd, int command, short type, off_t from, off_t size)
{
    struct flock l = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = size
    };

    return fcntl(fd, command, &l) == 0;
}

/* What another owner would find at @from. */
static short
found(int fd, off_t from)
{
    struct flock l = { .l_type = F_WRLCK, .l_start = from, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &l) == 0 ? l.l_type : -1;
}

static const char *
set_up_posix_lock(void)
{
    posix_fd = make_file("posix", 0);
    WANT(lock(posix_fd, F_SETLK, F_WRLCK, 10, 20));
    WANT(lock(posix_fd, F_SETLK, F_RDLCK, 100, 0));
    return NULL;
}

static const char *
check_posix_lock(void)
{
    WANT(found(posix_fd, 5) == F_UNLCK && found(posix_fd, 10) == F_WRLCK);
    WANT(found(posix_fd, 29) == F_WRLCK && found(posix_fd, 30) == F_UNLCK);
    WANT(found(posix_fd, 100) == F_RDLCK && found(posix_fd, 1 << 30) == F_RDLCK);
    WANT(lock(posix_fd, F_SETLK, F_UNLCK, 10, 20)); /* ours */
    WANT(found(posix_fd, 10) == F_UNLCK);
    WANT(lock(posix_fd, F_SETLK, F_WRLCK, 10, 20));
    return NULL;
}

static int ofd[2];

static const char *
set_up_ofd_lock(void)
{
    ofd[0] = make_file("ofd", 0);
    ofd[1] = open("ofd.file", O_RDWR);
    WANT(lock(ofd[0], F_OFD_SETLK, F_WRLCK, 7, 3));
    return NULL;
}

static const char *
check_ofd_lock(void)
{
    WANT(found(ofd[1], 7) == F_WRLCK && found(ofd[1], 10) == F_UNLCK);
    WANT(found(ofd[0], 7) == F_UNLCK); /* its own */
    return NULL;
}

static int late_lock_fd;
static bool late_locked;

/* Locks that come and go under protection. */
static void
step_late_lock(void)
{
    static unsigned turn;

    if (turn++ % 7 == 0)
        late_locked = flock(late_lock_fd, late_locked ? LOCK_UN : LOCK_EX) == 0
                          ? !late_locked
                          : late_locked;
}

static const char *
set_up_late_lock(void)
{
    late_lock_fd = make_file("late", 0);
    WANT(late_lock_fd >= 0);
    return NULL;
}

static const char *
check_late_lock(void)
{
    int other = open("late.file", O_RDWR | O_CLOEXEC);
    bool free = flock(other, LOCK_SH | LOCK_NB) == 0;

    close(other);
    WANT(free == !late_locked);
    return NULL;
}

static const char *
set_up_lease(void)
{
    int fd = make_file("lease", 0);

    WANT(close(fd) == 0);
    fd = open("lease.file", O_RDONLY);
    WANT(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "flock()", NULL, 0, set_up_flock, check_flock, NULL },
    { "POSIX record locks", NULL, 0, set_up_posix_lock, check_posix_lock, NULL },
    { "open file description locks", NULL, 0, set_up_ofd_lock, check_ofd_lock, NULL },
    { "lock taken and given back again and again", NULL, 0, set_up_late_lock,
        check_late_lock, step_late_lock },
    { "lease on a file", "lease", FEATURE_ALONE, set_up_lease, NULL, NULL },
};

AREA(area_locks, "Locks on files", rows);
