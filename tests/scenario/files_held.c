/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/files_held.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD (300u << 10)

static struct {
    uint8_t *at; /* NULL: none now */
    bool gone;   /* since the last look */
    uint64_t inode;
    uint32_t from, to; /* what was written since then */
} held;

static uint8_t *
map(int fd, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return p;
}

void
held_visit(const char *path, held_below *below)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;
    uint8_t *p;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return;
    }
    p = map(fd, (size_t)st.st_size);
    for (unsigned i = below(4); i > 0; i--)
        p[below((uint32_t)st.st_size)] = (uint8_t)below(256);
    munmap(p, (size_t)st.st_size);
}

static void
hold(const char *top)
{
    char path[256];
    struct stat st;
    int fd;

    snprintf(path, sizeof path, "%s/a/held", top);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, HELD) < 0 || fstat(fd, &st) < 0) {
        perror(path);
        exit(1);
    }
    held.inode = st.st_ino;
    held.from = 0;
    held.to = HELD; /* it was not tracked before */
    held.at = map(fd, HELD);
}

/* After its first time a page's writes leave the file's times alone. */
void
held_write(const char *top, held_below *below)
{
    uint32_t at = below(HELD), n = 1 + below(HELD - at < 5000 ? HELD - at : 5000);

    if (held.gone)
        return;
    if (!held.at) {
        hold(top);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        held.at[at + i] = (uint8_t)below(256);
    held.from = held.to == 0 || at < held.from ? at : held.from;
    held.to = at + n > held.to ? at + n : held.to;
    if (below(8))
        return;
    munmap(held.at, HELD);
    held.at = NULL;
    held.gone = true;
}

int
held_tell(struct filescan *s, bool lost, struct refusals *why)
{
    if (held.at)
        filescan_wrote(s, held.inode, lost ? 0 : held.from, lost ? 0 : held.to);
    else if (held.gone && !lost)
        filescan_wrote(s, held.inode, 0, HELD);
    held.gone = false;
    held.from = held.to = 0;
    return filescan_take_mapped(s, lost, why);
}
