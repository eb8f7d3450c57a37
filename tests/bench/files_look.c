/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files_look.c - what a look at state folders costs while the service stands still, by
 * how many files there are and how many changed; and what a write costs the service.
 *
 * files_look FOLDER [FILES [CHANGED [NEW]]]: once as without inotify, once with it. */
#include "lib/loop.h"
#include "sockmig/filescan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOKS 40
#define IN_FOLDER 100

static const char *top;
static unsigned files, changed, fresh;

static void
name_of(char *to, unsigned i)
{
    snprintf(to, 300, "%s/d%u/file%u", top, i < files ? i / IN_FOLDER : 0, i);
}

static int
open_file(unsigned i)
{
    char path[300];
    int fd;

    name_of(path, i);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void
put(int fd, unsigned value)
{
    if (pwrite(fd, &value, sizeof value, 0) != sizeof value)
        exit(1);
}

static void
make(void)
{
    char path[300];

    for (unsigned i = 0; i < files; i++) {
        int fd;

        snprintf(path, sizeof path, "%s/d%u", top, i / IN_FOLDER);
        if (i % IN_FOLDER == 0)
            mkdir(path, 0700);
        fd = open_file(i);
        put(fd, i);
        close(fd);
    }
}

static void
change(unsigned round)
{
    char path[300];

    for (unsigned i = 0; i < changed; i++) {
        int fd = open_file((round * 7919 + i * 104729) % files);

        put(fd, round + i);
        close(fd);
    }
    for (unsigned i = 0; i < fresh; i++) { /* one comes, the one before it goes */
        int fd = open_file(files + (round + 1) * fresh + i);

        put(fd, i);
        close(fd);
        name_of(path, files + round * fresh + i);
        unlink(path);
    }
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
write_cost(const char *how)
{
    struct mono began = mono_clock();
    int fd = open_file(0);

    for (unsigned i = 0; i < 100000; i++)
        put(fd, i);
    printf("%s: a write takes %.2f us\n", how,
        (double)mono_us_between(began, mono_clock()) / 100000);
    close(fd);
}

static void
look(unsigned means, const char *how)
{
    struct filescan_conf conf = { &top, 1, 7 };
    struct filescan *s = filescan_new(&conf);
    struct refusals why = { .n = 0 };
    struct filescan_stat stat;
    uint32_t took[LOOKS];
    uint64_t looked = 0;
    uint8_t *buffer = mmap(NULL, FILESCAN_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t size;

    filescan_watch(s, getpid(), means);
    if (filescan_begin(s, NULL, &why) < 0)
        exit(1);
    for (unsigned i = 0; i < LOOKS; i++) {
        usleep(30000); /* the last changes are not young any more */
        change(i);
        filescan_prepare(s);
        if (filescan_take(s, &why) < 0)
            exit(1);
        filescan_hand(s, &buffer, &size);
        filescan_stat(s, &stat);
        took[i] = stat.took_us;
        looked += stat.looked;
    }
    qsort(took, LOOKS, sizeof *took, by_value);
    printf(
        "%s: %u files, %u changed, %u new and gone: %u us, at worst %u, names %.0f\n",
        how, files, changed, fresh, took[LOOKS / 2], took[LOOKS - 1],
        (double)looked / LOOKS);
    write_cost(how);
    filescan_free(s);
    munmap(buffer, FILESCAN_BYTES);
}

int
main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    top = argv[1];
    files = argc > 2 ? (unsigned)atoi(argv[2]) : 974;
    changed = argc > 3 ? (unsigned)atoi(argv[3]) : 10;
    fresh = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
    make();
    look(FILESCAN_BLOCKS, "without inotify");
    look(FILESCAN_ALL, "with inotify");
    return 0;
}
