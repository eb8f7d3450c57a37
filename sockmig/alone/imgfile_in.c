/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * imgfile_in.c - an image is read: checked as a whole before any of it is used. */
#include "sockmig/alone/imgfile.h"

#include "lib/fd.h"
#include "sockmig/alone/imgfile_form.h"
#include "sockmig/ckpt/crew.h"
#include "sockmig/filehash.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RECORDS (1u << 24)
#define HASHED_IN_US 10000u /* bytes */

struct walk {
    const uint8_t *base;
    size_t size, at;
    uint64_t *heads; /* owned */
    size_t *places;  /* owned: of the records in the file */
    uint32_t number;
    char *error;
};

static bool
bad(struct walk *w, const char *what)
{
    snprintf(w->error, IMGFILE_ERROR,
        "%s (record %" PRIu32 ", byte %zu): make the image anew, or copy it again",
        what, w->number, w->at);
    return false;
}

static uint64_t
hash(const void *data, size_t size)
{
    return filehash_parts(&(struct iovec){ (void *)(uintptr_t)data, size }, 1);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static bool
check_head(struct walk *w, struct imgfile_record *r)
{
    const uint8_t *at = w->base + w->at;
    size_t left = w->size - w->at;

    if (left < sizeof *r)
        return bad(w, "image is truncated");
    memcpy(r, at, sizeof *r);
    if (r->magic != IMGFILE_MAGIC)
        return bad(
            w, w->number == 0 ? "this is no image of sockmig" : "image is changed");
    if (r->head_hash != hash(r, offsetof(struct imgfile_record, head_hash)) ||
        !is_zero((const uint8_t *)r->zero, sizeof r->zero) || r->number != w->number)
        return bad(w, "image is changed");
    left -= sizeof *r;
    if (r->size > left || imgfile_padding(r->size) > left - r->size)
        return bad(w, "image is truncated");
    return true;
}

static bool
check_first(struct walk *w, const struct imgfile_record *r)
{
    struct imgfile_head head;

    if (r->type != IMGFILE_HEAD)
        return bad(w, "this is no image of sockmig");
    if (r->process != IMGFILE_VERSION) {
        snprintf(w->error, IMGFILE_ERROR,
            "image is of version %" PRIu32 ", this sockmig reads version %u: use the "
            "sockmig that made it",
            r->process, IMGFILE_VERSION);
        return false;
    }
    if (r->size != sizeof head)
        return bad(w, "image is of another build of sockmig");
    memcpy(&head, w->base + sizeof *r, sizeof head);
    if (head.machine == EM_X86_64 && head.page_size == 4096)
        return true;
    snprintf(w->error, IMGFILE_ERROR,
        "image is of another kind of processor (ELF machine %" PRIu32
        ", pages of %" PRIu32 " bytes): restore it on one like that",
        head.machine, head.page_size);
    return false;
}

static bool
check_last(struct walk *w, const struct imgfile_record *r)
{
    struct imgfile_end end;

    if (r->size != sizeof end)
        return bad(w, "image is of another build of sockmig");
    memcpy(&end, w->base + w->at + sizeof *r, sizeof end);
    if (end.records != w->number ||
        end.heads_hash != hash(w->heads, w->number * sizeof *w->heads))
        return bad(w, "image is changed");
    if (w->at + sizeof *r + r->size + imgfile_padding(r->size) != w->size)
        return bad(w, "bytes follow the end of the image");
    return true;
}

static bool
grow(struct walk *w)
{
    size_t n = w->number ? 2 * (size_t)w->number : 1;
    uint64_t *heads = realloc(w->heads, n * sizeof *heads);
    size_t *places = realloc(w->places, n * sizeof *places);

    w->heads = heads ? heads : w->heads;
    w->places = places ? places : w->places;
    return heads && places;
}

static bool
keep(struct walk *w, uint64_t head)
{
    bool is_full = (w->number & (w->number - 1)) == 0; /* at 0, 1, 2, 4 ...: doubled */

    if (w->number == MAX_RECORDS || (is_full && !grow(w)))
        return bad(w, "not enough memory to check the image");
    w->heads[w->number] = head;
    w->places[w->number++] = w->at;
    return true;
}

static bool
check_heads(struct walk *w)
{
    struct imgfile_record r = { .type = 0 };
    bool ok = true;

    while (ok && r.type != IMGFILE_END) {
        ok = check_head(w, &r);
        if (ok && w->number == 0)
            ok = check_first(w, &r);
        if (ok && r.type == IMGFILE_END)
            ok = check_last(w, &r);
        if (ok)
            ok = keep(w, r.head_hash);
        if (ok)
            w->at += sizeof r + r.size + imgfile_padding(r.size);
    }
    return ok;
}

struct part { /* of the check: a thread's */
    const struct walk *walk;
    bool failed;
    uint32_t number; /* of what failed */
};

static int
check_content(void *arg, uint32_t number)
{
    struct part *part = arg;
    const uint8_t *at = part->walk->base + part->walk->places[number];
    struct imgfile_record r;

    memcpy(&r, at, sizeof r);
    at += sizeof r;
    if (r.content_hash == hash(at, r.size) &&
        is_zero(at + r.size, imgfile_padding(r.size)))
        return 0;
    part->failed = true;
    part->number = number;
    return -EBADMSG;
}

static bool
check_contents(struct walk *w)
{
    struct part mine = { .walk = w }, other = mine;
    const struct part *failed = &mine;
    size_t us = w->size / w->number / HASHED_IN_US;

    if (crew_run(check_content, &mine, &other, w->number, us ? (unsigned)us : 1) == 0)
        return true;
    if (!mine.failed || (other.failed && other.number < mine.number))
        failed = &other;
    w->number = failed->number;
    w->at = w->places[failed->number];
    return bad(w, "image is changed");
}

bool
imgfile_check(const uint8_t *base, size_t size, char error[IMGFILE_ERROR])
{
    struct walk w = { .base = base, .size = size, .error = error };
    bool ok = check_heads(&w) && check_contents(&w);

    free(w.heads);
    free(w.places);
    return ok;
}

static int
map_file(struct imgfile_in *in, int fd)
{
    struct stat st;
    void *p;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return -EBADMSG;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    madvise(p, (size_t)st.st_size, MADV_DONTFORK);
    in->base = p;
    in->size = (size_t)st.st_size;
    return 0;
}

int
imgfile_open(struct imgfile_in *in, const char *path, char error[IMGFILE_ERROR])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), ret, inner;
    struct stat st;

    *in = (struct imgfile_in){ .base = NULL };
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        inner = openat(fd, IMGFILE_NAME, O_RDONLY | O_CLOEXEC);
        ret = errno;
        fd_close(fd);
        errno = ret;
        fd = inner;
    }
    if (fd < 0) {
        ret = -errno;
        snprintf(error, IMGFILE_ERROR,
            "%s: %s; name the folder that `sockmig dump` made", path, strerror(-ret));
        return ret;
    }
    ret = map_file(in, fd);
    fd_close(fd);
    if (ret < 0)
        snprintf(error, IMGFILE_ERROR, "%s: %s", path,
            ret == -EBADMSG ? "this is no image of sockmig" : strerror(-ret));
    if (ret == 0 && !imgfile_check(in->base, in->size, error)) {
        imgfile_close(in);
        ret = -EBADMSG;
    }
    return ret;
}

void
imgfile_close(struct imgfile_in *in)
{
    if (in->base)
        munmap((void *)(uintptr_t)in->base, in->size);
    in->base = NULL;
}

bool
imgfile_next(const struct imgfile_in *in, size_t *at, struct imgfile_item *item)
{
    struct imgfile_record r;

    if (in->size - *at < sizeof r)
        return false;
    memcpy(&r, in->base + *at, sizeof r);
    *item = (struct imgfile_item){ .type = r.type,
        .process = r.process,
        .data = in->base + *at + sizeof r,
        .size = r.size };
    *at += sizeof r + r.size + imgfile_padding(r.size);
    return true;
}
