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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A row has what is read in full looks. */
#define SOCKET_ROUND (16 * DESCRIPTORS_ROUND)
#define DUE_AT_ONCE 2 /* in one checkpoint, about */

static bool
is_same(const struct survey_row *a, const struct survey_row *b)
{
    return memcmp(a, b, offsetof(struct survey_row, settled)) == 0;
}

bool
look_is_due(const struct descriptors *d, int fd, bool socket)
{
    unsigned round = socket ? SOCKET_ROUND : DESCRIPTORS_ROUND;

    /* thousands take their time: a look is a hundred times what a row is */
    if (socket && round < (unsigned)d->nnumbers / DUE_AT_ONCE)
        round = (unsigned)d->nnumbers / DUE_AT_ONCE;
    return ((unsigned)fd + d->round) % round == 0;
}

/* Where nothing has moved, its entries are in the image already. */
static bool
take_over(struct descriptors *d, struct image *im, int fd)
{
    const struct descriptor_brief *b = &d->briefs[fd];
    const struct descriptor *m = &d->known[fd];

    if (!d->shifted) {
        im->ntcps += b->tcps;
        im->nitems += b->items;
        return true;
    }
    if (b->kind == IMAGE_FD_EPOLL && !look_add_items(d, m->items, im))
        return false;
    im->fds[im->nfds] = m->image;
    if (b->tcps)
        im->tcps[im->ntcps++] = m->tcp;
    return true;
}

const struct survey_row *
look_row(const struct descriptors *d, int i)
{
    return d->survey.found[i].rests ? &d->before[d->numbers[i]] : &d->survey.rows[i];
}

/* What can be told of one that rests without its row is: that is a cache line.
 *
 * What an epoll set watches is known by where the kernel has the files.  Of a
 * connection that was closed the next one may get number and place, and the server
 * watches it in the same way: the set looks the same, but it is another connection. */
bool
look_by_survey(
    struct descriptors *d, struct image *im, int fd, const struct survey_row *row)
{
    const struct descriptor_brief *b = &d->briefs[fd];
    bool rests = row == &d->before[fd];
    uint64_t ino;

    if (!b->told || !(rests || is_same(&d->before[fd], row)) ||
        look_is_due(d, fd, rests || row->tcp.state || row->watched) ||
        (b->kind == IMAGE_FD_FILE && d->renamed) ||
        (b->kind == IMAGE_FD_EPOLL && d->newcomers))
        return false;
    ino = rests && !d->shifted ? d->places[im->nfds].inode : row->ino;
    /* a lower descriptor of the same file would be the first of them now */
    if (d->strangers && places_find(d, ino, -1) >= 0)
        return false;
    if (!take_over(d, im, fd))
        return false;
    if (!rests && row->tcp.state) /* perhaps its row was settled only now */
        d->rests[fd] = survey_rest(row);
    places_set(d, im->nfds, fd, ino, b->kind);
    places_chain(d, im->nfds++);
    return true;
}

static int
by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static bool
is_newcomer(const struct descriptors *d, const struct survey_row *row)
{
    const struct survey_row *before = &d->before[row->fd];

    return before->file == 0 || before->ino != row->ino;
}

/* What the rows say of all: locks on files, whoever has them (a sum: the order of what
 * is open says nothing), and whether there is a descriptor that was not there. */
static void
sum_up(struct descriptors *d, int n)
{
    d->row_locks = 0;
    d->locks_told = true;
    d->newcomers = false;
    for (int i = 0; i < n; i++) {
        const struct survey_row *row = &d->survey.rows[i];

        if (d->survey.found[i].rests)
            continue;
        d->row_locks += row->locks;
        d->locks_told = d->locks_told && row->locks != SURVEY_LOCKS_UNTOLD;
        d->newcomers = d->newcomers || row->fd >= DESCRIPTORS_MAX_NUMBER ||
                       is_newcomer(d, row);
    }
}

/* From a survey, which fills d->survey.rows. */
static int
list_surveyed(struct descriptors *d, int *numbers, int max)
{
    uint32_t nrests = ((uint32_t)d->top + 7u) & ~7u;
    int n = d->survey.files < 0 ? -EOPNOTSUPP
                                : survey_read(&d->survey, d->rests, nrests);

    if (n < 0 || n > max)
        return n < 0 ? n : -E2BIG;
    for (int i = 0; i < n; i++)
        numbers[i] = (int)d->survey.found[i].fd;
    sum_up(d, n);
    return n;
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
    d->locks_told = n > 0 && d->locks_told;
    d->map_seq = n > 0 ? d->survey.map_seq : 0;
    return n > 0 ? n : list_plain(d, numbers, max);
}
