/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_ahead.c - connections are looked at before the first checkpoint, while the
 * process runs: what a connection is, its options, what would be refused.  Of a hundred
 * that took 15 ms of the first pause, and of the two after it. */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"
#include "sockmig/ckpt/options.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What it cannot have is said by the look of the checkpoint, in its words. */
static bool
is_plain(struct look *l)
{
    const struct descriptor *m = l->memo;

    return !options_refused(l->dup, m->family) && !tcp_secret(l->dup, l->d->diag);
}

static bool
read_cloexec(struct look *l)
{
    if (proctext_read(&l->d->text, "/proc/%d/fdinfo/%d", (int)l->pid, l->number) < 0 ||
        strstr(l->d->text.data, "lock:"))
        return false;
    l->memo->image.cloexec = (proctext_number(l->d->text.data, "flags:", 8, 0) &
                                 O_CLOEXEC) != 0;
    return true;
}

/* The first checkpoint has no more to read of it than of one that moved since the
 * checkpoint before (look_moved.c). */
static void
tell(struct look *l)
{
    struct descriptor *m = l->memo;

    if (!l->row || l->row->ino != m->ino || l->row->flags & O_ASYNC)
        return;
    m->image.fd = l->fd;
    m->image.dup_of = -1;
    m->image.flags = l->row->flags & ~(uint32_t)O_CLOEXEC;
    m->image.socktype = (uint32_t)m->socket_type;
    m->image.inode = m->ino;
    l->d->before[l->fd] = *l->row;
    l->d->before[l->fd].tcp.state = 0; /* as if it had moved: it is in no image yet */
    l->d->briefs[l->fd] = (struct descriptor_brief){
        .told = true, .kind = IMAGE_FD_TCP, .tcps = 1
    };
}

/* The first time it is only remembered; if it is the same the second time it counts as
 * known: it is not between accept() and setsockopt(). */
static void
look(struct look *l)
{
    struct descriptor *m = l->memo;
    const struct image_tcp before = m->tcp;
    bool again = m->ino == l->st.st_ino && m->ahead;
    uint32_t options;

    if (!again) {
        look_begin(l);
        m->family = look_option(l->dup, SOL_SOCKET, SO_DOMAIN);
        m->socket_type = look_option(l->dup, SOL_SOCKET, SO_TYPE);
        m->protocol = look_option(l->dup, SOL_SOCKET, SO_PROTOCOL);
    }
    if (!tcp_look_ahead(l->dup, l->fd, &m->tcp, &options) || !is_plain(l) ||
        !read_cloexec(l)) {
        m->ahead = false;
        return;
    }
    m->seen = l->d->round;
    m->ahead = true;
    if (!again || memcmp(&before, &m->tcp, sizeof before) != 0)
        return;
    m->image.kind = IMAGE_FD_TCP;
    m->looks = DESCRIPTORS_YOUNG;
    m->watch = tcp_watch_ahead(l->st.st_ino, options);
    tell(l);
}

void
descriptors_ahead(struct descriptors *d)
{
    int *numbers = d->last_numbers, n;
    bool surveyed;

    places_forget(d); /* none counts as at rest: all have rows */
    n = descriptors_list(d, numbers, IMAGE_MAX_FDS + 1, &surveyed);
    d->nlast = n < 0 ? 0 : n;
    d->round++;
    for (int i = 0; i < n && numbers[i] < DESCRIPTORS_MAX_NUMBER; i++) {
        struct look l = { .d = d,
            .fd = numbers[i],
            .number = numbers[i],
            .pid = d->pid,
            .dir_fd = d->dir_fd,
            .row = surveyed ? &d->survey.rows[i] : NULL,
            .memo = &d->known[numbers[i]] };

        if (l.row && !l.row->tcp.state)
            continue;
        l.dup = (int)syscall(SYS_pidfd_getfd, d->pidfd, numbers[i], 0);
        d->top = numbers[i] < d->top ? d->top : numbers[i] + 1;
        if (l.dup >= 0 && fstat(l.dup, &l.st) == 0 && S_ISSOCK(l.st.st_mode))
            look(&l);
        fd_close(l.dup);
    }
}
