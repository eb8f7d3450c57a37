/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/family.h"

#include "lib/core/buf.h"

#include <string.h>

#define MAGIC 0x32464342u /* "BCF2" */
#define ALIGN 64u
#define PLACE 16384u /* images begin at multiples of this, */
#define SLACK 4096u  /* with so much room at least behind each */

bool
family_is_zombie(const struct family_member *m)
{
    return m->flags & FAMILY_ZOMBIE;
}

bool
family_is_same(const struct family_member *a, const struct family_member *b)
{
    uint32_t flags = FAMILY_ZOMBIE | FAMILY_WHOLE;

    return a->pid == b->pid && a->pgid == b->pgid && a->sid == b->sid &&
           a->parent == b->parent && a->number == b->number &&
           a->exit_signal == b->exit_signal && (a->flags & flags) == (b->flags & flags);
}

bool
family_is_whole(const struct family *f)
{
    return f->members[0].flags & FAMILY_WHOLE;
}

int
family_place(const struct family *f, uint32_t number)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->members[i].number == number)
            return (int)i;
    return -1;
}

bool
family_owner(const struct family *f, uint32_t i, int32_t fd)
{
    for (uint32_t k = 0; k < f->nlinks; k++)
        if (f->links[k].process == i && f->links[k].fd == fd)
            return false;
    return true;
}

uint32_t
family_connections(const struct family *f)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->n; i++) {
        const struct image *im = f->images[i];

        for (uint32_t k = 0; !family_is_zombie(&f->members[i]) && k < im->ntcps; k++)
            n += family_owner(f, i, im->tcps[k].fd);
    }
    return n;
}

/* ---- writing */

static void
pad_to(struct writer *w, size_t at)
{
    if (!w->bad && (at < w->pos || at > w->size))
        w->bad = true;
    if (w->bad)
        return;
    memset(w->data + w->pos, 0, at - w->pos);
    w->pos = at;
}

static size_t
round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static void
put_list(struct writer *w, const void *list, size_t size)
{
    put_bytes(w, list, size);
    pad_to(w, round_up(w->pos, ALIGN));
}

size_t
family_encode(const struct family *f, uint8_t *out, size_t size)
{
    struct writer w = writer_init(out, size);

    put_u32(&w, MAGIC);
    put_u32(&w, sizeof *f->members);
    put_u32(&w, f->n);
    put_u32(&w, f->nlinks);
    pad_to(&w, ALIGN);
    put_list(&w, f->members, f->n * sizeof *f->members);
    put_list(&w, f->links, f->nlinks * sizeof *f->links);
    for (uint32_t i = 0; i < f->n && !w.bad; i++) {
        size_t at = round_up(w.pos + 8, PLACE), n;

        if (family_is_zombie(&f->members[i]))
            continue;
        pad_to(&w, at - 8);
        n = w.bad || at > size ? 0 : image_encode(f->images[i], out + at, size - at);
        put_u64(&w, n);
        w.bad |= n == 0;
        w.pos += n;
        pad_to(&w, w.pos + SLACK);
    }
    return w.bad ? 0 : w.pos;
}

/* ---- reading */

uint32_t
family_count(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(data, size);
    uint32_t magic = get_u32(&r), each = get_u32(&r), n = get_u32(&r);

    if (r.bad || magic != MAGIC || each != sizeof(struct family_member) ||
        n > FAMILY_MAX)
        return 0;
    return n;
}

static void
get_list(struct reader *r, void *list, size_t size)
{
    const uint8_t *from = get_bytes(r, size);

    if (from && size > 0)
        memcpy(list, from, size);
    get_bytes(r, round_up(r->pos, ALIGN) - r->pos);
}

static bool
get_image(struct reader *r, struct image *im, const char **why)
{
    uint64_t n;
    const uint8_t *at;

    get_bytes(r, round_up(r->pos + 8, PLACE) - 8 - r->pos);
    n = get_u64(r);
    at = get_bytes(r, n);
    if (!at || r->bad) {
        *why = "truncated list of images";
        return false;
    }
    get_bytes(r, SLACK);
    return image_decode(im, at, n, why);
}

bool
family_decode(struct family *f, const uint8_t *data, size_t size, const char **why)
{
    struct reader r = reader_init(data, size);
    uint32_t n = family_count(data, size);

    *why = "list of processes of another build, or damaged";
    get_bytes(&r, 12);
    f->n = n;
    f->nlinks = get_u32(&r);
    get_bytes(&r, ALIGN - 16);
    if (n == 0 || r.bad || f->nlinks > FAMILY_MAX_LINKS)
        return false;
    get_list(&r, f->members, n * sizeof *f->members);
    get_list(&r, f->links, f->nlinks * sizeof *f->links);
    if (r.bad || (*why = family_check_members(f->members, n)) != NULL)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!family_is_zombie(&f->members[i]) && !get_image(&r, f->images[i], why))
            return false;
    *why = r.bad || r.pos != size ? "truncated list of images" : family_check(f);
    return *why == NULL;
}

/* ---- invariants */

const char *
family_check_members(const struct family_member *members, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const struct family_member *m = &members[i];

        bool orphan = i > 0 && m->parent < 0;

        if (m->pid <= 0 || m->sid < 0 || m->pgid < 0 || m->parent < -1 ||
            m->parent >= (int64_t)i || m->flags > FAMILY_FLAGS ||
            memchr(m->name, 0, sizeof m->name) == NULL)
            return "list of processes";
        if (orphan && !(members[0].flags & FAMILY_WHOLE))
            return "a process has no parent";
        for (uint64_t k = 0; k < i; k++)
            if (members[k].number == m->number || members[k].pid == m->pid)
                return "a process is listed twice";
    }
    return n == 0 || family_is_zombie(&members[0]) ? "list of processes" : NULL;
}

static bool
has_socket(const struct family *f, uint64_t inode)
{
    for (uint32_t i = 0; i < f->n; i++)
        for (uint32_t k = 0;
             !family_is_zombie(&f->members[i]) && k < f->images[i]->nfds; k++)
            if (f->images[i]->fds[k].kind == IMAGE_FD_UNIX &&
                f->images[i]->fds[k].inode == inode)
                return true;
    return false;
}

static bool
sockets_are_whole(const struct family *f, const struct image *im)
{
    for (uint32_t k = 0; im->process.among && k < im->nunixes; k++)
        if (im->unixes[k].peer && !has_socket(f, im->unixes[k].peer))
            return false;
    return true;
}

static bool
has_file(const struct family *f, uint32_t process, int32_t fd)
{
    return process < f->n && !family_is_zombie(&f->members[process]) &&
           image_fd_find(f->images[process], fd) != NULL;
}

const char *
family_check(const struct family *f)
{
    const char *why = family_check_members(f->members, f->n);

    for (uint32_t i = 0; i < f->n && !why; i++) {
        const struct image *im = f->images[i];

        if (family_is_zombie(&f->members[i]))
            continue;
        if (im->nthreads == 0)
            why = "a process is missing";
        else if (im->process.pid != f->members[i].pid)
            why = "a process with another id";
        else if (!sockets_are_whole(f, im))
            why = "unix socket whose other end is not there";
    }
    for (uint32_t i = 0; i < f->nlinks && !why; i++)
        if (f->links[i].of_process >= f->links[i].process ||
            !has_file(f, f->links[i].process, f->links[i].fd) ||
            !has_file(f, f->links[i].of_process, f->links[i].of_fd))
            why = "list of shared files";
    return why;
}
