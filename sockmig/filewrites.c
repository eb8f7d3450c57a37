/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filewrites.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/writes.bpf.h" /* made from writes.bpf.c */
#include "sockmig/bpf/writes_map.h"
#include "sockmig/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROWS 131072

struct filewrites_row {
    uint64_t inode, group, bits;
};

struct filewrites {
    struct program *program; /* owned */
    struct writes_conf conf;
    int conf_fd, map_fd, lost_fd, members_fd; /* borrowed */
    uint32_t members[WRITES_MEMBERS];         /* sorted */
    size_t nmembers;
    uint64_t lost;
    bool maps;                   /* it tells of what mappings get */
    struct filewrites_row *rows; /* owned; sorted once they are drained */
    size_t nrows;
};

static uint32_t
kernel_device(dev_t dev)
{
    return (uint32_t)(major(dev) << 20 | minor(dev));
}

static int
set_conf(struct filewrites *w)
{
    uint32_t zero = 0;

    return program_store(w->conf_fd, &zero, &w->conf);
}

static int
own_pid_of(pid_t pid)
{
    char path[64], text[4096], *at;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, text, sizeof text) <= 0 || !(at = strstr(text, "\nNSpid:")))
        return 0;
    at[1 + strcspn(at + 1, "\n")] = '\0';
    at = strrchr(at, '\t');
    return at ? atoi(at) : 0;
}

int
filewrites_of(struct filewrites *w, pid_t pid)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
    if (stat(path, &st) < 0)
        return -errno;
    w->conf.tgid = (uint32_t)own_pid_of(pid);
    w->conf.ns_device = st.st_dev;
    w->conf.ns_inode = st.st_ino;
    return w->conf.tgid ? set_conf(w) : -ESRCH;
}

static int
by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool
is_in(uint32_t pid, const uint32_t *pids, size_t n)
{
    return bsearch(&pid, pids, n, sizeof pid, by_number) != NULL;
}

/* One that finds no room there is foreign, which is right and slower. */
void
filewrites_members(struct filewrites *w, uint32_t *pids, size_t n)
{
    n = n < WRITES_MEMBERS ? n : WRITES_MEMBERS;
    qsort(pids, n, sizeof *pids, by_number);
    if (n == w->nmembers && memcmp(pids, w->members, n * sizeof *pids) == 0)
        return;
    for (size_t i = 0; i < w->nmembers; i++)
        if (!is_in(w->members[i], pids, n))
            program_drop(w->members_fd, &w->members[i]);
    for (size_t i = 0; i < n; i++)
        if (!is_in(pids[i], w->members, w->nmembers))
            program_store(w->members_fd, &pids[i], &pids[i]);
    memcpy(w->members, pids, n * sizeof *pids);
    w->nmembers = n;
}

static int
by_file(const void *a, const void *b)
{
    const struct filewrites_row *x = a, *y = b;

    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group;
}

bool
filewrites_drain(struct filewrites *w)
{
    uint64_t lost = 0;
    uint32_t zero = 0;
    struct writes_key key;
    bool whole;

    w->nrows = 0;
    while (w->nrows < ROWS && program_first_key(w->map_fd, &key) == 0) {
        struct filewrites_row *row = &w->rows[w->nrows++];

        *row = (struct filewrites_row){ key.inode, key.group, 0 };
        if (program_take(w->map_fd, &key, &row->bits) < 0)
            return false;
    }
    whole = program_load_value(w->lost_fd, &zero, &lost) == 0 && lost == w->lost &&
            w->nrows < ROWS;
    w->lost = lost;
    qsort(w->rows, w->nrows, sizeof *w->rows, by_file);
    return whole;
}

void
filewrites_clear(struct filewrites *w)
{
    w->nrows = 0;
}

static void
add_row(struct filewrites *w, uint64_t inode, uint64_t group, uint64_t bits)
{
    if (w->nrows < ROWS) /* filewrites_sort() says so */
        w->rows[w->nrows++] = (struct filewrites_row){ inode, group, bits };
}

void
filewrites_add(struct filewrites *w, uint64_t inode, uint64_t from, uint64_t to)
{
    uint64_t first = from / WRITES_BLOCK, last = to > 0 ? (to - 1) / WRITES_BLOCK : 0;

    if (to == ~0ull)
        add_row(w, inode, WRITES_WHOLE, 1);
    else if (from < to)
        for (uint64_t group = first / 64; group <= last / 64 && w->nrows < ROWS;
             group++)
            add_row(w, inode, group, writes_bits(group, first, last));
}

bool
filewrites_sort(struct filewrites *w)
{
    size_t n = 0;
    bool whole = w->nrows < ROWS;

    qsort(w->rows, w->nrows, sizeof *w->rows, by_file);
    for (size_t i = 0; i < w->nrows; i++)
        if (n > 0 && by_file(&w->rows[n - 1], &w->rows[i]) == 0)
            w->rows[n - 1].bits |= w->rows[i].bits;
        else
            w->rows[n++] = w->rows[i];
    w->nrows = n;
    return whole;
}

bool
filewrites_maps(const struct filewrites *w)
{
    return w->maps;
}

/* Index of the first of @n sorted rows that is not before @inode, @group; @n: none. */
static size_t
first_at(const struct filewrites_row *rows, size_t n, uint64_t inode, uint64_t group)
{
    const struct filewrites_row wanted = { .inode = inode, .group = group };
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (by_file(&rows[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct filewrites_blocks
filewrites_find(const struct filewrites *w, uint64_t inode)
{
    size_t at = first_at(w->rows, w->nrows, inode, 0);
    struct filewrites_blocks b = { .rows = &w->rows[at], .n = 0 };

    while (at + b.n < w->nrows && b.rows[b.n].inode == inode)
        b.n++;
    b.written = b.n > 0 && !(b.rows[0].group & WRITES_FAULTED);
    if (b.n > 0 && b.rows[b.n - 1].group == WRITES_WHOLE) {
        b.whole = true;
        b.foreign = b.rows[b.n - 1].bits & WRITES_FOREIGN;
    }
    return b;
}

void
filewrites_each(const struct filewrites *w, filewrites_fn *fn, void *arg)
{
    for (size_t i = 0; i < w->nrows; i++)
        if (i == 0 || w->rows[i].inode != w->rows[i - 1].inode)
            fn(arg, w->rows[i].inode);
}

static bool
has(const struct filewrites_blocks *b, uint64_t group, uint64_t mask)
{
    size_t at = b->n > 0 ? first_at(b->rows, b->n, b->rows[0].inode, group) : 0;

    return at < b->n && b->rows[at].group == group && (b->rows[at].bits & mask);
}

bool
filewrites_has(const struct filewrites_blocks *b, uint64_t chunk)
{
    uint64_t group = chunk / 4, mask = 0xffffull << (chunk % 4 * 16);

    return has(b, group, mask) || has(b, WRITES_FAULTED | group, mask);
}

/* ---- what it must have seen before it is believed ---- */

static bool
saw(struct filewrites *w, uint64_t inode, bool whole, uint64_t chunk)
{
    struct filewrites_blocks b;

    if (!filewrites_drain(w))
        return false;
    b = filewrites_find(w, inode);
    return b.whole == whole && !b.foreign && (whole || filewrites_has(&b, chunk));
}

static bool
sees_direct(struct filewrites *w, int fd, uint64_t inode)
{
    void *page = NULL;
    bool seen;

    if (posix_memalign(&page, 4096, 4096) != 0)
        return false;
    memset(page, 1, 4096);
    seen = fcntl(fd, F_SETFL, O_DIRECT) == 0 && pwrite(fd, page, 4096, 0) == 4096 &&
           saw(w, inode, true, 0) && fcntl(fd, F_SETFL, 0) == 0;
    free(page);
    return seen;
}

static bool
sees_all(struct filewrites *w, int fd, uint64_t inode)
{
    static char data[8] = "bascule";
    struct iovec v = { data, sizeof data };
    off_t in = 5 << 16, out = 16 << 16;

    return pwrite(fd, data, 8, 5 << 16) == 8 && saw(w, inode, false, 5) &&
           lseek(fd, 6 << 16, SEEK_SET) > 0 && write(fd, data, 8) == 8 &&
           saw(w, inode, false, 6) && pwritev(fd, &v, 1, 7 << 16) == 8 &&
           saw(w, inode, false, 7) && copy_file_range(fd, &in, fd, &out, 8, 0) == 8 &&
           saw(w, inode, false, 16) && ftruncate(fd, 3 << 16) == 0 &&
           saw(w, inode, true, 0) && fallocate(fd, 0, 0, 4096) == 0 &&
           saw(w, inode, true, 0) && fcntl(fd, F_SETFL, O_APPEND) == 0 &&
           pwrite(fd, data, 8, 0) == 8 && saw(w, inode, false, 3) &&
           sees_direct(w, fd, inode);
}

/* A page that is written to at once, and one that is only read. */
static bool
sees_faults(struct filewrites *w, int fd, uint64_t inode)
{
    volatile char *p;
    bool seen;

    if (ftruncate(fd, 20 << 16) < 0 || !filewrites_drain(w))
        return false;
    p = mmap(NULL, 20 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return false;
    p[17 << 16] = 1;
    seen = saw(w, inode, false, 17);
    seen = seen && p[16 << 16] == 0 && saw(w, inode, false, 16);
    munmap((void *)p, 20 << 16);
    return seen;
}

/* Its inode may be one that somebody else has just given up: what is known of that does
 * not count. */
static bool
prove(struct filewrites *w, int root)
{
    int fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct stat st;
    bool seen = fd >= 0 && fstat(fd, &st) == 0 && filewrites_drain(w) &&
                sees_all(w, fd, st.st_ino);

    w->maps = w->maps && seen && sees_faults(w, fd, st.st_ino);
    fd_close(fd);
    return seen;
}

static int
load(struct filewrites *w)
{
    int ret = program_load(
        "bascule_writes", writes_bpf_o, sizeof writes_bpf_o, &w->program);

    if (ret == 0)
        ret = program_trace_all(w->program);
    if (ret < 0)
        return ret;
    w->conf_fd = program_map(w->program, "writes_conf");
    w->map_fd = program_map(w->program, "writes");
    w->lost_fd = program_map(w->program, "writes_lost");
    w->members_fd = program_map(w->program, "writes_members");
    return w->conf_fd < 0 || w->map_fd < 0 || w->lost_fd < 0 || w->members_fd < 0
               ? -ENOENT
               : 0;
}

struct filewrites *
filewrites_new(const int *roots, unsigned nroots)
{
    struct filewrites *w = calloc(1, sizeof *w);
    struct stat st;
    int ret = w ? 0 : -ENOMEM;

    if (ret == 0)
        w->rows = calloc(ROWS, sizeof *w->rows);
    if (ret == 0)
        ret = w->rows ? load(w) : -ENOMEM;
    for (unsigned i = 0; i < nroots && ret == 0; i++) {
        ret = fstat(roots[i], &st) < 0 ? -errno : 0;
        w->conf.devices[w->conf.ndevices++] = kernel_device(st.st_dev);
    }
    if (ret == 0)
        ret = filewrites_of(w, getpid());
    if (ret == 0)
        w->maps = true; /* until it is disproved */
    for (unsigned i = 0; i < nroots && ret == 0; i++)
        ret = prove(w, roots[i]) ? 0 : -EOPNOTSUPP;
    if (ret == 0)
        return w;
    log_info(
        "state folders: files that changed are read whole: this kernel does not tell "
        "which of their blocks were written: %s",
        strerror(-ret));
    filewrites_free(w);
    return NULL;
}

void
filewrites_free(struct filewrites *w)
{
    if (!w)
        return;
    program_free(w->program);
    free(w->rows);
    free(w);
}
