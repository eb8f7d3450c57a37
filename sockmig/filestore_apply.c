/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filestore_apply.h"

#include "lib/fault.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BETWEEN FILES_RESERVED "-between"
#define FRESH FILES_RESERVED "-fresh"

struct place { /* a folder, and a name in it */
    int dir;   /* owned */
    const char *name;
};

struct applier {
    const int *roots;
    int fd; /* owned: of the file that was written last; -1 */
    const char *path;
    uint8_t root;
};

static int
open_beneath(int dir, const char *path, uint64_t flags)
{
    struct open_how how = { .flags = flags | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
    int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

    return fd < 0 ? -errno : fd;
}

/* No symbolic link on the way is ever followed. */
static int
find_place(int root, const char *path, struct place *out)
{
    char folder[FILES_PATH];
    const char *slash = strrchr(path, '/');
    int fd;

    if (slash) {
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = '\0';
        out->name = slash + 1;
    } else {
        strcpy(folder, ".");
        out->name = path;
    }
    fd = open_beneath(root, folder, O_RDONLY | O_DIRECTORY);
    out->dir = fd;
    return fd < 0 ? fd : 0;
}

static int drop_name(int dir, const char *name);

static int
drop_inside(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    int ret = 0;

    if (!d) {
        ret = -errno;
        fd_close(fd);
        return ret;
    }
    while (ret == 0 && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ret = drop_name(dirfd(d), e->d_name);
    closedir(d);
    return ret;
}

static int
drop_name(int dir, const char *name)
{
    int ret;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    ret = drop_inside(dir, name);
    if (ret == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
        ret = -errno;
    return ret == -ENOENT ? 0 : ret;
}

static int
make_dir(const struct place *at)
{
    struct stat st;

    if (mkdirat(at->dir, at->name, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    if (fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode))
        return 0;
    if (drop_name(at->dir, at->name) < 0 || mkdirat(at->dir, at->name, 0700) < 0)
        return -errno;
    return 0;
}

static int
make_file(const struct place *at, uint64_t size)
{
    int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, ret = 0;
    int fd = openat(at->dir, at->name, flags, 0600);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        fd_close(fd);
        fd = -1;
    }
    if (fd < 0) {
        ret = drop_name(at->dir, at->name);
        fd = ret < 0 ? -1 : openat(at->dir, at->name, flags | O_EXCL, 0600);
        if (ret == 0 && fd < 0)
            ret = -errno;
    }
    if (ret == 0 && ftruncate(fd, (off_t)size) < 0)
        ret = -errno;
    fd_close(fd);
    return ret;
}

static int
make_fifo(const struct place *at)
{
    struct stat st;

    if (fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISFIFO(st.st_mode))
        return 0;
    if (drop_name(at->dir, at->name) < 0 || mkfifoat(at->dir, at->name, 0600) < 0)
        return -errno;
    return 0;
}

/* Under a name of ours first: a name is then never without its thing. */
static int
put_in_place(const struct place *at)
{
    struct stat st;

    if (fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode))
        drop_name(at->dir, at->name);
    if (renameat(at->dir, FRESH, at->dir, at->name) < 0)
        return -errno;
    unlinkat(at->dir, FRESH, 0); /* still there, if both were one file */
    return 0;
}

static int
make_symlink(const struct place *at, const char *target)
{
    unlinkat(at->dir, FRESH, 0);
    if (symlinkat(target, at->dir, FRESH) < 0)
        return -errno;
    return put_in_place(at);
}

static int
make_link(const struct applier *a, const struct place *at, const char *from)
{
    struct place first;
    int ret = find_place(a->roots[a->root], from, &first);

    if (ret < 0)
        return ret;
    unlinkat(at->dir, FRESH, 0);
    if (linkat(first.dir, first.name, at->dir, FRESH, 0) < 0)
        ret = -errno;
    fd_close(first.dir);
    return ret < 0 ? ret : put_in_place(at);
}

/* What was set aside stays there until all is done and durable: that it is there says,
 * when it is done again, that its old name is somebody else's by now. */
static int
take(const struct applier *a, const struct place *at, uint64_t number)
{
    int root = a->roots[a->root];
    char name[64];
    struct stat st;

    snprintf(name, sizeof name, BETWEEN "-%llu", (unsigned long long)number);
    if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return drop_name(at->dir, at->name);
    return renameat(at->dir, at->name, root, name) < 0 ? -errno : 0;
}

static int
give(const struct applier *a, const struct place *at, uint64_t number)
{
    char name[64];

    snprintf(name, sizeof name, BETWEEN "-%llu", (unsigned long long)number);
    unlinkat(at->dir, FRESH, 0);
    if (linkat(a->roots[a->root], name, at->dir, FRESH, 0) < 0)
        return -errno;
    return put_in_place(at);
}

static int
set_attr(const struct place *at, const struct files_attr *attr)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
        { attr->mtime_sec, attr->mtime_nsec } };
    const char *name = at->name[0] ? at->name : ".";
    struct stat st;

    if (fstatat(at->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (fchownat(at->dir, name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISLNK(st.st_mode) && fchmodat(at->dir, name, attr->mode, 0) < 0)
        return -errno;
    return utimensat(at->dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int
write_at(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int
write_zeroes(int fd, uint64_t size, uint64_t offset)
{
    static const uint8_t zeroes[64 << 10];
    int ret = 0;

    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
            (off_t)size) == 0)
        return 0;
    for (uint64_t done = 0; done < size && ret == 0; done += sizeof zeroes)
        ret = write_at(fd, zeroes,
            size - done < sizeof zeroes ? (size_t)(size - done) : sizeof zeroes,
            offset + done);
    return ret;
}

/* The file that was written last is kept open: changes come in rows. */
static int
content(struct applier *a, const struct files_op *op)
{
    if (a->fd < 0 || a->root != op->root || strcmp(a->path, op->path) != 0) {
        fd_close(a->fd);
        a->fd = open_beneath(a->roots[op->root], op->path, O_WRONLY | O_NONBLOCK);
        if (a->fd < 0) {
            int ret = a->fd;

            a->fd = -1;
            return ret;
        }
        a->path = op->path;
        a->root = op->root;
    }
    if (op->kind == FILES_DATA)
        return write_at(a->fd, op->data, op->length, op->offset);
    return write_zeroes(a->fd, op->length, op->offset);
}

static int
by_name(struct applier *a, const struct files_op *op)
{
    struct place at;
    int ret;

    fd_close(a->fd); /* names change their files */
    a->fd = -1;
    a->root = op->root;
    ret = find_place(a->roots[op->root], op->path, &at);
    if (ret < 0)
        return ret;
    switch (op->kind) {
    case FILES_MAKE_DIR:
        ret = make_dir(&at);
        break;
    case FILES_MAKE_FILE:
        ret = make_file(&at, op->size);
        break;
    case FILES_MAKE_SYMLINK:
        ret = make_symlink(&at, op->target);
        break;
    case FILES_MAKE_LINK:
        ret = make_link(a, &at, op->target);
        break;
    case FILES_MAKE_FIFO:
        ret = make_fifo(&at);
        break;
    case FILES_DROP:
        ret = drop_name(at.dir, at.name);
        break;
    case FILES_ATTR:
        ret = set_attr(&at, &op->attr);
        break;
    case FILES_TAKE:
        ret = take(a, &at, op->size);
        break;
    case FILES_GIVE:
        ret = give(a, &at, op->size);
        break;
    default:
        ret = -EINVAL;
    }
    fd_close(at.dir);
    return ret;
}

/* By the end it is gone, or something else, which comes whole later in the row: a
 * named pipe cannot be opened (nobody reads it) or has no places. */
static bool
is_missing(int ret)
{
    return ret == -ENOENT || ret == -ENOTDIR || ret == -ELOOP || ret == -EISDIR ||
           ret == -ENXIO || ret == -ESPIPE;
}

int
files_apply(
    const int *roots, unsigned nroots, const void *data, size_t size, bool again)
{
    struct reader r = reader_init(data, size);
    struct applier a = { .roots = roots, .fd = -1 };
    struct files_op op;
    int ret = 0;

    while (ret == 0 && files_get_op(&r, &op)) {
        if (op.root >= nroots)
            ret = -EBADMSG;
        else if (op.kind == FILES_DATA || op.kind == FILES_ZERO)
            ret = content(&a, &op);
        else
            ret = by_name(&a, &op);
        if (again && is_missing(ret))
            ret = 0;
        if (r.pos > size / 2)
            FAULT_POINT("files-half-applied");
    }
    fd_close(a.fd);
    return ret == 0 && r.bad ? -EBADMSG : ret;
}

void
files_tidy(const int *roots, unsigned nroots)
{
    for (unsigned i = 0; i < nroots; i++) {
        int fd = openat(roots[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *e;

        while (d && (e = readdir(d)) != NULL)
            if (strncmp(e->d_name, FILES_RESERVED, sizeof FILES_RESERVED - 1) == 0)
                unlinkat(roots[i], e->d_name, 0);
        if (d)
            closedir(d);
        else
            fd_close(fd);
    }
}
