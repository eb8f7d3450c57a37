/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filestore_journal.h"

#include "lib/core/buf.h"
#include "lib/fault.h"
#include "lib/fd.h"
#include "sockmig/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/var/lib/sockmigd"
#define MAGIC 0x4a464342u        /* "BCFJ" */
#define MAGIC_COMMIT 0x43464342u /* "BCFC" */
#define HEAD 32u                 /* magic, apart, number, size, hash of all */
#define COMMIT 32u               /* magic, file, from, to, hash */

static const char *
name_of(const struct journal *j, const char *what, char name[64])
{
    snprintf(name, 64, "%.40s.%s", j->service, what);
    return name;
}

static int
make_folder(void)
{
    char path[] = FOLDER;

    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0755);
        *at = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int
journal_open(struct journal *j, const char *service)
{
    char name[64], number[2] = "0";
    int ret = make_folder();

    *j = (struct journal){ .dir = -1, .fds = { -1, -1 }, .service = service };
    if (ret < 0)
        return ret;
    j->dir = open(FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < 2 && j->dir >= 0; i++) {
        struct stat st = { 0 };

        number[0] = (char)('0' + i);
        j->fds[i] = openat(j->dir, name_of(j, number, name),
            O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (j->fds[i] < 0 || fstat(j->fds[i], &st) < 0)
            ret = -errno;
        j->sizes[i] = (uint64_t)st.st_size;
    }
    if (j->dir < 0)
        ret = -errno;
    if (ret < 0)
        journal_close(j);
    return ret;
}

void
journal_close(struct journal *j)
{
    fd_close(j->dir);
    fd_close(j->fds[0]);
    fd_close(j->fds[1]);
    j->dir = j->fds[0] = j->fds[1] = -1;
}

static int
write_at(int fd, const void *data, size_t size, uint64_t offset)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t n = pwrite(fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static uint64_t
hash_record(const uint8_t *head, const void *data, size_t size)
{
    struct iovec parts[2] = { { (void *)(uintptr_t)head, HEAD - 8 },
        { (void *)(uintptr_t)data, size } };

    return filehash_parts(parts, 2);
}

int
journal_add(struct journal *j, unsigned which, uint64_t number, bool apart,
    const void *data, size_t size)
{
    uint8_t head[HEAD];
    struct writer w = writer_init(head, sizeof head);
    uint64_t at = j->sizes[which];
    int ret;

    put_u32(&w, MAGIC);
    put_u32(&w, apart);
    put_u64(&w, number);
    put_u64(&w, size);
    put_u64(&w, hash_record(head, data, size));
    ret = write_at(j->fds[which], head, HEAD, at);
    if (ret == 0)
        ret = write_at(j->fds[which], data, size, at + HEAD);
    if (ret < 0)
        return ret;
    j->sizes[which] = at + HEAD + size;
    if (number > j->numbers[which]) /* a seed's have none */
        j->numbers[which] = number;
    return 0;
}

int
journal_empty(struct journal *j, unsigned which)
{
    j->sizes[which] = j->numbers[which] = 0;
    return ftruncate(j->fds[which], 0) < 0 ? -errno : 0;
}

static const char *
prepared(const struct journal *j, bool durable, char name[64])
{
    return name_of(j, durable ? "commit-new" : "commit-now", name);
}

int
journal_prepare(struct journal *j, const struct journal_part *part, bool durable)
{
    uint8_t record[COMMIT];
    struct writer w = writer_init(record, sizeof record);
    char name[64];
    int fd, ret = 0;

    put_u32(&w, MAGIC_COMMIT);
    put_u32(&w, part->which);
    put_u64(&w, part->from);
    put_u64(&w, part->to);
    put_u64(&w, filehash_bytes(record, w.pos));
    if (durable && fdatasync(j->fds[part->which]) < 0)
        return -errno;
    fd = openat(j->dir, prepared(j, durable, name),
        O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    ret = write_at(fd, record, w.pos, 0);
    if (ret == 0 && durable && fdatasync(fd) < 0)
        ret = -errno;
    fd_close(fd);
    FAULT_POINT("files-staged");
    return ret;
}

int
journal_commit(struct journal *j, bool durable)
{
    char fresh[64], name[64];

    return renameat(j->dir, prepared(j, durable, fresh), j->dir,
               name_of(j, "commit", name)) < 0
               ? -errno
               : 0;
}

int
journal_done(struct journal *j)
{
    char name[64];

    return unlinkat(j->dir, name_of(j, "commit", name), 0) < 0 && errno != ENOENT
               ? -errno
               : 0;
}

int
journal_sync(struct journal *j)
{
    return fsync(j->dir) < 0 ? -errno : 0;
}

struct walk {
    int (*take)(void *arg, const void *data, size_t size);
    void *arg;
    bool stops;   /* at the next part */
    uint64_t end; /* where it stopped */
};

static int
walk_records(struct walk *k, const uint8_t *data, uint64_t from, uint64_t to)
{
    struct reader r = reader_init(data, to);
    int ret = 0;

    get_bytes(&r, from);
    for (k->end = from; ret == 0 && reader_left(&r) > 0; k->end = r.pos) {
        const uint8_t *head = r.data + r.pos, *bytes;
        uint32_t magic = get_u32(&r), apart = get_u32(&r);
        uint64_t size, hash;

        if (k->stops && apart && k->end > from)
            break;
        get_u64(&r);
        size = get_u64(&r);
        hash = get_u64(&r);
        bytes = get_bytes(&r, size);
        if (r.bad || magic != MAGIC || hash_record(head, bytes, size) != hash)
            return -EBADMSG;
        if (k->take)
            ret = k->take(k->arg, bytes, size);
    }
    return r.bad ? -EBADMSG : ret;
}

static int
walk_file(struct journal *j, struct walk *k, const struct journal_part *part)
{
    void *data;
    int ret;

    if (part->to <= part->from || part->to > j->sizes[part->which])
        return part->to == part->from ? 0 : -EBADMSG;
    data = mmap(NULL, part->to, PROT_READ, MAP_SHARED, j->fds[part->which], 0);
    if (data == MAP_FAILED)
        return -errno;
    ret = walk_records(k, data, part->from, part->to);
    munmap(data, part->to);
    return ret;
}

int
journal_next(struct journal *j, struct journal_part *part)
{
    struct walk k = { .stops = true };
    int ret;

    part->to = j->sizes[part->which];
    if (part->from >= part->to)
        return -ENOENT;
    ret = walk_file(j, &k, part);
    part->to = k.end;
    return ret;
}

int
journal_each(struct journal *j, const struct journal_part *part,
    int (*take)(void *arg, const void *data, size_t size), void *arg)
{
    struct walk k = { .take = take, .arg = arg };

    return walk_file(j, &k, part);
}

int
journal_pending(struct journal *j, struct journal_part *part)
{
    uint8_t record[COMMIT] = { 0 };
    struct reader r = reader_init(record, sizeof record);
    struct walk k = { .take = NULL };
    char name[64];
    uint32_t magic;
    int fd = openat(j->dir, name_of(j, "commit", name), O_RDONLY | O_CLOEXEC), ret;

    if (fd < 0)
        return -errno;
    ret = fd_read_all(fd, record, sizeof record);
    fd_close(fd);
    if (ret < 0)
        return -EBADMSG;
    magic = get_u32(&r);
    part->which = get_u32(&r);
    part->from = get_u64(&r);
    part->to = get_u64(&r);
    if (get_u64(&r) != filehash_bytes(record, COMMIT - 8) || magic != MAGIC_COMMIT ||
        part->which > 1)
        return -EBADMSG;
    if (j->sizes[part->which] == 0)
        return -ENOENT; /* it was done, and emptied */
    return walk_file(j, &k, part);
}
