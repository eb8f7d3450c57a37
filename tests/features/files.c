/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files.c - open files. */
#include "tests/features/features.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
make_file(const char *name, int flags)
{
    char path[64];

    snprintf(path, sizeof path, "%s.file", name);
    unlink(path);
    return open(path, O_RDWR | O_CREAT | flags, 0600);
}

static int position_fd;
static off_t position;

static void
step_position(void)
{
    position += write(position_fd, "12345", 5);
}

static const char *
set_up_position(void)
{
    position_fd = make_file("position", 0);
    WANT(position_fd >= 0 && lseek(position_fd, 1000, SEEK_SET) == 1000);
    position = 1000;
    return NULL;
}

static const char *
check_position(void)
{
    WANT(lseek(position_fd, 0, SEEK_CUR) == position);
    return NULL;
}

static int append_fd;

static const char *
set_up_append(void)
{
    append_fd = make_file("append", O_APPEND);
    WANT(append_fd >= 0 && write(append_fd, "line\n", 5) == 5);
    return NULL;
}

static const char *
check_append(void)
{
    struct stat st;
    off_t end;

    WANT(fcntl(append_fd, F_GETFL) & O_APPEND);
    WANT(fstat(append_fd, &st) == 0 && lseek(append_fd, 0, SEEK_SET) == 0);
    end = st.st_size;
    WANT(write(append_fd, "line\n", 5) == 5);
    WANT(fstat(append_fd, &st) == 0 && st.st_size == end + 5);
    return NULL;
}

static int flags_fd[4];

static const char *
set_up_flags(void)
{
    static const int flags[4] = { O_RDONLY | O_NONBLOCK, O_WRONLY | O_DSYNC,
        O_RDWR | O_NOATIME | O_CLOEXEC, O_PATH };

    WANT(close(make_file("flags", 0)) == 0);
    for (int i = 0; i < 4; i++)
        WANT((flags_fd[i] = open("flags.file", flags[i])) >= 0);
    return NULL;
}

static const char *
check_flags(void)
{
    struct stat st;

    WANT((fcntl(flags_fd[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_NONBLOCK);
    WANT((fcntl(flags_fd[1], F_GETFL) & (O_ACCMODE | O_SYNC)) == (O_WRONLY | O_DSYNC));
    WANT((fcntl(flags_fd[2], F_GETFL) & (O_ACCMODE | O_NOATIME)) ==
         (O_RDWR | O_NOATIME));
    WANT(fcntl(flags_fd[2], F_GETFD) == FD_CLOEXEC && fcntl(flags_fd[0], F_GETFD) == 0);
    WANT(fcntl(flags_fd[3], F_GETFL) & O_PATH && fstat(flags_fd[3], &st) == 0);
    return NULL;
}

static int dups[3];

static const char *
set_up_dups(void)
{
    dups[0] = make_file("dups", 0);
    dups[1] = fcntl(dups[0], F_DUPFD_CLOEXEC, 200);
    dups[2] = open("dups.file", O_RDWR);
    WANT(dups[0] >= 0 && dups[1] >= 200 && dups[2] >= 0);
    return NULL;
}

static const char *
check_dups(void)
{
    WANT(lseek(dups[0], 77, SEEK_SET) == 77 && lseek(dups[1], 0, SEEK_CUR) == 77);
    WANT(lseek(dups[2], 0, SEEK_CUR) == 0);
    WANT(fcntl(dups[1], F_GETFD) == FD_CLOEXEC && fcntl(dups[0], F_GETFD) == 0);
    return NULL;
}

static int folder_fd;

static const char *
set_up_folder(void)
{
    folder_fd = open("/usr/share", O_RDONLY | O_DIRECTORY);
    WANT(folder_fd >= 0);
    return NULL;
}

static const char *
check_folder(void)
{
    struct stat st;

    WANT(fstatat(folder_fd, "doc", &st, 0) == 0 && S_ISDIR(st.st_mode));
    return NULL;
}

/* Halfway through a folder. */
static DIR *listing;
static char listed[256];

static const char *
set_up_listing(void)
{
    struct dirent *e = NULL;

    listing = opendir("/usr/share/doc");
    WANT(listing);
    for (int i = 0; i < 5; i++)
        e = readdir(listing);
    seekdir(listing, telldir(listing));
    e = readdir(listing);
    WANT(e);
    strcpy(listed, e->d_name);
    return NULL;
}

static const char *
check_listing(void)
{
    struct dirent *e;
    int n = 0;

    for (e = readdir(listing); e; e = readdir(listing), n++)
        WANT(strcmp(e->d_name, listed) != 0);
    rewinddir(listing);
    closedir(listing);
    return set_up_listing();
}

static int null_fd, zero_fd, random_fd, full_fd;

static const char *
set_up_devices(void)
{
    null_fd = open("/dev/null", O_RDWR);
    zero_fd = open("/dev/zero", O_RDONLY);
    random_fd = open("/dev/urandom", O_RDONLY);
    full_fd = open("/dev/full", O_WRONLY);
    WANT(null_fd >= 0 && zero_fd >= 0 && random_fd >= 0 && full_fd >= 0);
    return NULL;
}

static const char *
check_devices(void)
{
    char c[8] = "1234567";

    WANT(write(null_fd, c, 8) == 8 && read(null_fd, c, 8) == 0);
    WANT(read(random_fd, c, 8) == 8);
    WANT(read(zero_fd, c, 8) == 8 && c[0] == 0 && c[7] == 0);
    WANT(write(full_fd, c, 8) == -1 && errno == ENOSPC);
    return NULL;
}

static int high_fd;

static const char *
set_up_high(void)
{
    struct rlimit r;
    int high;

    WANT(getrlimit(RLIMIT_NOFILE, &r) == 0);
    if (r.rlim_max < 17000)
        return "skip: the limit of open files is too low";
    r.rlim_cur = r.rlim_max;
    WANT(setrlimit(RLIMIT_NOFILE, &r) == 0);
    high = r.rlim_max > 60000 ? 50000 : (int)r.rlim_max - 500;
    high_fd = fcntl(open("/dev/null", O_RDWR), F_DUPFD, high);
    WANT(high_fd == high);
    return NULL;
}

static int high_pipe[2];

static const char *
check_high(void)
{
    WANT(write(high_fd, "x", 1) == 1);
    return NULL;
}

static const char *
set_up_high_pipe(void)
{
    const char *not = set_up_high();
    int fd[2];

    if (not )
        return not ;
    WANT(pipe(fd) == 0);
    high_pipe[0] = fcntl(fd[0], F_DUPFD, high_fd + 100);
    high_pipe[1] = fd[1];
    close(fd[0]);
    WANT(high_pipe[0] == high_fd + 100 && write(high_pipe[1], "high", 4) == 4);
    return NULL;
}

static const char *
check_high_pipe(void)
{
    char text[8] = "";

    WANT(read(high_pipe[0], text, 8) == 4 && strcmp(text, "high") == 0);
    WANT(write(high_pipe[1], "high", 4) == 4);
    return NULL;
}

static int deleted_fd, deleted_size;

static void
step_deleted(void)
{
    if (deleted_size < 100000)
        deleted_size += (int)write(deleted_fd, "unlinked", 8);
}

static const char *
set_up_deleted(void)
{
    deleted_fd = make_file("deleted", 0);
    deleted_size = 0;
    WANT(deleted_fd >= 0 && unlink("deleted.file") == 0);
    step_deleted();
    return NULL;
}

static const char *
check_deleted(void)
{
    struct stat st;
    char text[9] = "";

    WANT(fstat(deleted_fd, &st) == 0 && st.st_nlink == 0);
    WANT(st.st_size == deleted_size && lseek(deleted_fd, 0, SEEK_CUR) == deleted_size);
    WANT(pread(deleted_fd, text, 8, deleted_size - 8) == 8 &&
         strcmp(text, "unlinked") == 0);
    return NULL;
}

static int tmpfile_fd;

static const char *
set_up_tmpfile(void)
{
    tmpfile_fd = open(".", O_TMPFILE | O_RDWR, 0640);
    if (tmpfile_fd < 0)
        return "skip: no O_TMPFILE";
    WANT(write(tmpfile_fd, "temporary", 9) == 9);
    return NULL;
}

static const char *
check_tmpfile(void)
{
    char text[16] = "";
    struct stat st;

    WANT(fstat(tmpfile_fd, &st) == 0 && st.st_nlink == 0);
    WANT(pread(tmpfile_fd, text, 16, 0) == 9 && strcmp(text, "temporary") == 0);
    return NULL;
}

static int memory_fd;
static char *memory_map, *memory_map_too;

static const char *
set_up_memfd(void)
{
    memory_fd = memfd_create("feature", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    WANT(memory_fd >= 0 && write(memory_fd, "in memory", 10) == 10);
    WANT(ftruncate(memory_fd, 50000) == 0);
    WANT(fcntl(memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return NULL;
}

static const char *
check_memfd(void)
{
    char text[16] = "", link[64] = "", path[32];
    struct stat st;

    WANT(fcntl(memory_fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW));
    WANT(fcntl(memory_fd, F_GETFD) == FD_CLOEXEC);
    WANT(fstat(memory_fd, &st) == 0 && st.st_size == 50000);
    WANT(pread(memory_fd, text, 10, 0) == 10 && strcmp(text, "in memory") == 0);
    WANT(lseek(memory_fd, 0, SEEK_CUR) == 10);
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory_fd);
    WANT(readlink(path, link, 63) > 0 && strcmp(link, "/memfd:feature (deleted)") == 0);
    return NULL;
}

static int mapped_memory_fd;
static uint32_t mapped_turns;

static void
step_memfd_map(void)
{
    mapped_turns++;
    memcpy(memory_map + 4096 + mapped_turns % 4000 * 4, &mapped_turns, 4);
}

static const char *
set_up_memfd_map(void)
{
    mapped_memory_fd = memfd_create("mapped", 0);
    WANT(mapped_memory_fd >= 0 && ftruncate(mapped_memory_fd, 8 * 4096) == 0);
    memory_map = mmap(
        NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped_memory_fd, 0);
    memory_map_too = mmap(NULL, 4096, PROT_READ, MAP_SHARED, mapped_memory_fd, 4096);
    WANT(memory_map != MAP_FAILED && memory_map_too != MAP_FAILED);
    return NULL;
}

static const char *
check_memfd_map(void)
{
    uint32_t v = 0;

    WANT(pread(mapped_memory_fd, &v, 4, 4096 + mapped_turns % 4000 * 4) == 4);
    WANT(v == mapped_turns);
    memory_map[4100]++; /* the two mappings are one memory */
    WANT(memory_map_too[4] == memory_map[4100]);
    WANT(pwrite(mapped_memory_fd, "twin", 5, 0) == 5 && !strcmp(memory_map, "twin"));
    return NULL;
}

static const char *
set_up_dnotify(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY);

    if (fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT) < 0)
        return "skip: no F_NOTIFY";
    return NULL;
}

static const char *
set_up_renamed(void)
{
    position_fd = make_file("renamed", 0);
    WANT(position_fd >= 0 && write(position_fd, "renamed", 7) == 7);
    WANT(rename("renamed.file", "other.file") == 0);
    return NULL;
}

static const char *
check_renamed(void)
{
    char text[16] = "";

    WANT(pread(position_fd, text, 16, 0) == 7 && strcmp(text, "renamed") == 0);
    return NULL;
}

static const char *
set_up_long_path(void)
{
    char path[PATH_MAX] = ".";

    for (int i = 0; i < 6; i++) {
        strcat(path, "/a-folder-with-a-name-that-is-rather-long-for-a-folder");
        WANT(mkdir(path, 0700) == 0 || errno == EEXIST);
    }
    WANT(open(path, O_RDONLY | O_DIRECTORY) >= 0);
    return NULL;
}

static const struct feature rows[] = {
    { "position in a file that is written", NULL, 0, set_up_position, check_position,
        step_position },
    { "O_APPEND", NULL, 0, set_up_append, check_append, NULL },
    { "flags of open files, O_PATH", NULL, 0, set_up_flags, check_flags, NULL },
    { "duplicates share a position, others do not", NULL, 0, set_up_dups, check_dups,
        NULL },
    { "folder, used by openat()", NULL, 0, set_up_folder, check_folder, NULL },
    { "folder, read halfway", NULL, 0, set_up_listing, check_listing, NULL },
    { "/dev/null, zero, full, urandom", NULL, 0, set_up_devices, check_devices, NULL },
    { "file that was renamed", NULL, FEATURE_ALONE, set_up_renamed, check_renamed,
        NULL },
    { "a descriptor above all usual numbers", NULL, FEATURE_ALONE, set_up_high,
        check_high, NULL },
    { "pipe with unread bytes at such a descriptor", NULL, FEATURE_ALONE,
        set_up_high_pipe, check_high_pipe, NULL },
    { "deleted file that is written", NULL, 0, set_up_deleted, check_deleted,
        step_deleted },
    { "file without a name (O_TMPFILE)", NULL, 0, set_up_tmpfile, check_tmpfile, NULL },
    { "memory file (memfd) with seals", NULL, 0, set_up_memfd, check_memfd, NULL },
    { "memory file mapped twice and written", NULL, 0, set_up_memfd_map,
        check_memfd_map, step_memfd_map },
    { "folder that sends signals (F_NOTIFY)", "F_NOTIFY", FEATURE_ALONE, set_up_dnotify,
        NULL, NULL },
    { "path longer than 255 bytes", "255 bytes", FEATURE_ALONE, set_up_long_path, NULL,
        NULL },
};

AREA(area_files, "Files", rows);
