/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_unnamed.c - files that have no name (any more): deleted ones and memory files.
 * Their content is a parcel, and mappings of them are mapped anew from the descriptor.
 */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"
#include "sockmig/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define LARGEST ((off_t)16 << 20)
#define TMPFS 0x01021994
#define HUGETLBFS 0x958458f6
#define MEMFD "/memfd:"
#define DELETED " (deleted)"
#define SETTLED_NS                                                                     \
    20000000ll /* how long the kernel's clock for files may stand still */

static bool
is_mapped(const struct image *im, uint64_t inode)
{
    for (uint32_t i = 0; i < im->nvmas; i++)
        if (im->vmas[i].kind == IMAGE_VMA_HELD && im->vmas[i].inode == inode)
            return true;
    return false;
}

/* The name without what the kernel adds to it. */
static int
take_name(struct look *l, bool *memory)
{
    char name[24], path[IMAGE_PATH + sizeof MEMFD + sizeof DELETED], *at = path;
    ssize_t n;
    size_t size;

    snprintf(name, sizeof name, "%d", l->number);
    n = readlinkat(l->dir_fd, name, path, sizeof path - 1);
    if (n < 0)
        return -errno;
    path[n] = '\0';
    size = strlen(path);
    if (size > strlen(DELETED) && strcmp(path + size - strlen(DELETED), DELETED) == 0)
        path[size - strlen(DELETED)] = '\0';
    *memory = strncmp(path, MEMFD, strlen(MEMFD)) == 0;
    at += *memory ? strlen(MEMFD) : 0;
    if (strlen(at) >= IMAGE_PATH)
        return look_refuse(l, "move the file", "path is longer than 255 bytes");
    memset(l->out->u.file.path, 0, IMAGE_PATH);
    memcpy(l->out->u.file.path, at, strlen(at));
    return 0;
}

int
look_at_unnamed(struct look *l)
{
    struct statfs fs;
    bool memory = false;
    int ret = take_name(l, &memory);

    if (ret < 0)
        return ret;
    if (fstatfs(l->dup, &fs) == 0 && fs.f_type == HUGETLBFS)
        return look_refuse(l, "disable huge pages in the service",
            "memory file of huge pages (hugetlb)");
    l->memo->quick = fs.f_type != TMPFS;
    if (!memory && (l->out->u.file.path[0] != '/' || !S_ISREG(l->st.st_mode)))
        return look_refuse(l, "restart the service from a folder that exists",
            "open folder or special file is deleted");
    if (l->st.st_size > LARGEST)
        return look_refuse(l,
            "restart the service, or disable the feature that works with deleted files",
            memory ? "memory file (memfd) is larger than 16 MB"
                   : "open file is deleted and larger than 16 MB");
    l->out->kind = memory ? IMAGE_FD_MEMFD : IMAGE_FD_FILE;
    l->out->u.file.deleted = 1;
    l->out->u.file.mode = l->st.st_mode & 07777;
    l->out->u.file.seals = 0;
    ret = memory ? fcntl(l->dup, F_GET_SEALS) : 0;
    l->out->u.file.seals = ret > 0 ? (uint32_t)ret : 0;
    return 0;
}

static bool
is_settled(const struct look *l)
{
    struct timespec now;

    if (!l->memo->quick || is_mapped(l->im, l->st.st_ino) || !l->memo->parcel_hash ||
        l->memo->mtime.tv_sec != l->st.st_mtim.tv_sec ||
        l->memo->mtime.tv_nsec != l->st.st_mtim.tv_nsec ||
        l->memo->size != (uint64_t)l->st.st_size)
        return false;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (now.tv_sec - l->st.st_mtim.tv_sec) * 1000000000ll + now.tv_nsec -
               l->st.st_mtim.tv_nsec >
           SETTLED_NS;
}

static ssize_t
read_all(int fd, uint8_t *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, to + done, size - done, (off_t)done);

        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    memset(to + done, 0, size - done);
    return 0;
}

/* Without the zeroes at its end, which its size makes. */
int
unnamed_content(struct look *l)
{
    uint32_t size = (uint32_t)l->st.st_size;
    char name[24];
    uint64_t hash;
    uint8_t *to;
    int fd, ret;

    l->out->u.file.size = size;
    if (is_settled(l))
        return 0;
    snprintf(name, sizeof name, "%d", l->number);
    fd = openat(l->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return look_refuse(l, "let the engine read it", "file without a name");
    to = parcels_add(l->parcels, l->fd, size);
    ret = to ? (int)read_all(fd, to, size) : -ENOSPC;
    fd_close(fd);
    if (ret < 0)
        return ret;
    hash = filehash_bytes(to, size) | 1;
    if (hash == l->memo->parcel_hash)
        parcels_undo(l->parcels);
    l->memo->parcel_hash = hash;
    l->memo->mtime = l->st.st_mtim;
    l->memo->size = size;
    return 0;
}
