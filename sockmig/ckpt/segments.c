/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/segments.h"

#include "lib/fd.h"
#include "sockmig/ckpt/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGETLBFS 0x958458f6
#define LOCKED 02000 /* SHM_LOCKED, of shm_perm.mode */
#define GONE 01000   /* SHM_DEST */

bool
segments_is_sysv(const struct image_vma *v)
{
    return v->kind == IMAGE_VMA_SEGMENT && !strncmp(v->path, "/SYSV", 5);
}

static int
read_sysv(pid_t pid, struct image_segment *s)
{
    struct shmid_ds ds;
    int home, ret = ipc_enter(pid, &home);

    if (ret < 0)
        return ret;
    ret = shmctl(s->id, IPC_STAT, &ds) < 0 ? -errno : 0;
    ipc_leave(home);
    if (ret < 0)
        return ret;
    s->key = ds.shm_perm.__key;
    s->uid = ds.shm_perm.uid;
    s->gid = ds.shm_perm.gid;
    s->mode = ds.shm_perm.mode & 0777;
    s->gone = (ds.shm_perm.mode & GONE) != 0;
    s->locked = (ds.shm_perm.mode & LOCKED) != 0;
    s->attached = (uint32_t)ds.shm_nattch;
    s->size = ds.shm_segsz;
    return 0;
}

static int
refuse_segment(const struct image *im, struct refusals *why, const char *cure,
    const char *what, const struct image_vma *v)
{
    refuse(why, im->process.pid, -1, cure, "%s: %.100s", what, v->path);
    return -EOPNOTSUPP;
}

/* Is the whole of what the object @fd has mapped here?  What is not would be lost. */
static bool
is_covered(int fd, const struct image *im, const struct image_vma *first)
{
    off_t at = lseek(fd, 0, SEEK_DATA);

    while (at >= 0) {
        off_t to = at;

        for (uint32_t i = 0; i < im->nvmas; i++) {
            const struct image_vma *v = &im->vmas[i];
            off_t begin = (off_t)v->offset, end = begin + (off_t)(v->end - v->start);

            if (v->kind == first->kind && v->inode == first->inode &&
                v->dev_major == first->dev_major && v->dev_minor == first->dev_minor &&
                begin <= to && end > to)
                to = end;
        }
        if (to == at)
            return false;
        at = lseek(fd, to, SEEK_DATA); /* ENXIO: no more */
    }
    return true;
}

/* The object itself, whatever has its name by now. */
static int
read_object(pid_t pid, const struct image *im, const struct image_vma *v,
    struct stat *st, long *type)
{
    struct statfs fs;
    char path[96];
    int fd, ret = 0;

    snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", (int)pid,
        (unsigned long long)v->start, (unsigned long long)v->end);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, st) < 0 || fstatfs(fd, &fs) < 0)
        ret = -errno;
    else
        *type = (long)fs.f_type;
    if (ret == 0 && fs.f_type != HUGETLBFS && !is_covered(fd, im, v))
        ret = -ERANGE;
    fd_close(fd);
    return ret;
}

static int
read_one(pid_t pid, struct image *im, const struct image_vma *v, struct refusals *why)
{
    struct image_segment *s = &im->segments[im->nsegments];
    struct stat st;
    long type = 0;
    int ret = read_object(pid, im, v, &st, &type);

    if (ret == -ERANGE)
        return refuse_segment(im, why, "configure the service to map all of it",
            "shared memory is mapped in part", v);
    if (ret < 0)
        return ret;
    if (type == HUGETLBFS)
        return refuse_segment(im, why, "disable huge pages in the service",
            "huge pages (hugetlb) of shared memory", v);
    *s = (struct image_segment){ .inode = v->inode,
        .dev_major = v->dev_major,
        .dev_minor = v->dev_minor,
        .id = -1,
        .size = (uint64_t)st.st_size,
        .mode = st.st_mode & 07777,
        .uid = st.st_uid,
        .gid = st.st_gid };
    if (segments_is_sysv(v)) {
        s->id = (int32_t)v->inode;
        ret = read_sysv(pid, s);
    } else {
        memcpy(s->path, v->path, sizeof s->path);
    }
    if (ret == 0)
        im->nsegments++;
    return ret;
}

/* shmat() knows no parts. */
static int
check_whole(const struct image *im, const struct image_vma *v,
    const struct image_segment *s, struct refusals *why)
{
    uint64_t size = (s->size + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);

    if (s->id < 0 || (v->offset == 0 && v->end - v->start == size))
        return 0;
    return refuse_segment(im, why, "configure the service not to divide it",
        "System V shared memory is mapped in part", v);
}

int
segments_check_others(const struct image *im, unsigned there, struct refusals *why)
{
    unsigned attached = 0;

    for (uint32_t i = 0; i < im->nsegments; i++)
        attached += im->segments[i].id >= 0;
    if (there <= attached)
        return 0;
    refuse(why, im->process.pid, -1, "let the service remove it, or attach it again",
        "System V shared memory that is not attached");
    return -EOPNOTSUPP;
}

void
segments_remove(const struct image *im)
{
    struct shmid_ds ds;

    for (uint32_t i = 0; i < im->nsegments; i++)
        if (im->segments[i].id >= 0 && shmctl(im->segments[i].id, IPC_STAT, &ds) == 0 &&
            ds.shm_nattch == 0 && ds.shm_perm.__key == im->segments[i].key)
            shmctl(im->segments[i].id, IPC_RMID, NULL);
}

int
segments_read(pid_t pid, struct image *im, struct refusals *why)
{
    int ret = 0;

    im->nsegments = 0;
    for (uint32_t i = 0; i < im->nvmas && ret == 0; i++) {
        const struct image_vma *v = &im->vmas[i];

        if (v->kind != IMAGE_VMA_SEGMENT)
            continue;
        if (!image_segment_of(im, v)) {
            if (im->nsegments == IMAGE_MAX_SEGMENTS)
                return refuse_segment(im, why, "configure it to use fewer",
                    "more than 256 pieces of shared memory", v);
            ret = read_one(pid, im, v, why);
        }
        if (ret == 0)
            ret = check_whole(im, v, image_segment_of(im, v), why);
    }
    return ret;
}
