/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_survey.c - which descriptors there are, by a survey if the kernel has it; and
 * those that it tells to be what they were. */
#include "sockmig/ckpt/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A row has what is read in full looks. */
#define SOCKET_ROUND (16 * DESCRIPTORS_ROUND)

static bool
is_same(const struct survey_row *a, const struct survey_row *b)
{
    return memcmp(a, b, offsetof(struct survey_row, map_seq)) == 0;
}

/* The row has all of it that can change. */
static bool
is_told(const struct descriptors *d, const struct descriptor *m,
    const struct survey_row *row)
{
    if (m->image.flags & O_ASYNC) /* but not to whom it sends signals */
        return false;
    switch (m->image.kind) {
    case IMAGE_FD_TCP:
        return row->tcp != 0 && tcp_is_known(&m->watch, row->ino);
    case IMAGE_FD_TCP_LISTEN:
    case IMAGE_FD_TCP_BOUND:
    case IMAGE_FD_TCP_FRESH:
    case IMAGE_FD_TCP_DEAD:
        return row->tcp != 0;
    case IMAGE_FD_EPOLL:
        return row->watched != 0 && m->items;
    case IMAGE_FD_FILE:
        return row->nlink > 0 && !m->image.u.file.deleted && !d->renamed;
    default:
        return false;
    }
}

static bool
is_due(const struct descriptors *d, const struct survey_row *row, unsigned looks)
{
    unsigned round = row->tcp || row->watched ? SOCKET_ROUND : DESCRIPTORS_ROUND;

    return looks < DESCRIPTORS_YOUNG || (row->fd + d->round) % round == 0;
}

/* No lower descriptor may be of the same file: it would be the first of them now. */
static bool
is_first(struct descriptors *d, const struct image *im, uint64_t inode)
{
    for (int32_t i = d->heads[inode % DESCRIPTORS_HASH]; i >= 0; i = d->next[i])
        if (im->fds[i].inode == inode)
            return false;
    return true;
}

static size_t
items_size(uint32_t max)
{
    return sizeof(struct descriptor_items) +
           max * sizeof(((struct descriptor_items *)NULL)->v[0]);
}

void
look_drop_items(struct descriptor *m)
{
    if (m->items)
        munmap(m->items, items_size(m->items->max));
    m->items = NULL;
}

/* Room for @n items and some that may come. */
static bool
make_room(struct descriptor *m, uint32_t n)
{
    uint32_t max = n + n / 2 + 128;
    void *p;

    if (m->items && n <= m->items->max)
        return true;
    look_drop_items(m);
    p = mmap(NULL, items_size(max), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
        -1, 0);
    if (p == MAP_FAILED)
        return false;
    m->items = p;
    m->items->max = max;
    return true;
}

void
look_keep_items(const struct descriptors *d, struct descriptor *m,
    const struct image *im, uint32_t first)
{
    uint32_t n = im->nitems - first;

    if (!make_room(m, n))
        return;
    m->items->n = n;
    for (uint32_t i = 0; i < n; i++) {
        m->items->v[i].item = im->items[first + i];
        m->items->v[i].inode = d->item_inodes[first + i];
    }
}

static bool
add_items(struct descriptors *d, const struct descriptor_items *items, struct image *im)
{
    if (items->n > IMAGE_MAX_ITEMS - im->nitems)
        return false;
    for (uint32_t i = 0; i < items->n; i++) {
        d->item_inodes[im->nitems] = items->v[i].inode;
        im->items[im->nitems++] = items->v[i].item;
    }
    return true;
}

bool
look_by_survey(struct descriptors *d, struct image *im, const struct survey_row *row)
{
    struct descriptor *m = &d->known[row->fd];
    int32_t *head = &d->heads[row->ino % DESCRIPTORS_HASH];

    if (m->seen == 0 || m->seen != d->round - 1 || m->image.dup_of >= 0 ||
        !is_same(&m->row, row) || is_due(d, row, m->looks) || !is_told(d, m, row) ||
        !is_first(d, im, row->ino) ||
        (m->image.kind == IMAGE_FD_EPOLL && !add_items(d, m->items, im)))
        return false;
    m->seen = d->round;
    im->fds[im->nfds] = m->image;
    d->next[im->nfds] = *head;
    *head = (int32_t)im->nfds++;
    if (m->image.kind == IMAGE_FD_TCP)
        im->tcps[im->ntcps++] = m->tcp;
    return true;
}

static int
by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* From a survey, which fills d->survey.rows. */
static int
list_surveyed(struct descriptors *d, int *numbers, int max)
{
    ssize_t n = d->survey.files < 0 ? -EOPNOTSUPP : survey_read(&d->survey);

    if (n < 0 || n > max)
        return n < 0 ? (int)n : -E2BIG;
    for (ssize_t i = 0; i < n; i++)
        numbers[i] = (int)d->survey.rows[i].fd;
    return (int)n;
}

/* From /proc. */
static int
list_plain(struct descriptors *d, int *numbers, int max)
{
    struct entry { /* struct linux_dirent64 */
        uint64_t ino, off;
        unsigned short len;
        unsigned char type;
        char name[];
    } * e;
    int n = 0;
    bool sorted = true;
    long got;

    if (lseek(d->dir_fd, 0, SEEK_SET) < 0)
        return -errno;
    while ((got = syscall(SYS_getdents64, d->dir_fd, d->text.data, 32768)) > 0)
        for (long at = 0; at < got; at += e->len) {
            e = (struct entry *)(d->text.data + at);
            if (e->name[0] == '.')
                continue;
            if (n == max)
                return -E2BIG;
            numbers[n] = atoi(e->name);
            sorted = sorted && (n == 0 || numbers[n - 1] < numbers[n]);
            n++;
        }
    if (got < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    if (!sorted)
        qsort(numbers, (size_t)n, sizeof *numbers, by_number);
    return n;
}

int
descriptors_list(struct descriptors *d, int *numbers, int max, bool *surveyed)
{
    int n = list_surveyed(d, numbers, max);

    *surveyed = n > 0;
    d->map_seq = n > 0 ? d->survey.rows[0].map_seq : 0;
    return n > 0 ? n : list_plain(d, numbers, max);
}
