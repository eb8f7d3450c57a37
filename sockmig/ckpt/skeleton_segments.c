/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * skeleton_segments.c - shared memory with a name, made by a stub before it is mapped.
 *
 * The stub does it, since it is in the right namespaces; it has no descriptors but the
 * engine's, so what it opens is descriptor 0. */
#include "sockmig/ckpt/clone_parts.h"

#include "sockmig/ckpt/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define NEXT_ID "/proc/sys/kernel/shm_next_id"

static struct made_segment *
find(struct made_segments *made, const struct image_segment *s)
{
    for (unsigned i = 0; i < made->n; i++)
        if (made->v[i].inode == s->inode && made->v[i].dev_major == s->dev_major &&
            made->v[i].dev_minor == s->dev_minor)
            return &made->v[i];
    return NULL;
}

static int
make_sysv(struct clone *c, const struct image_segment *s)
{
    struct batch *b = &c->batch;
    struct shmid_ds ds = { .shm_perm = {
                               .uid = s->uid, .gid = s->gid, .mode = s->mode } };
    char id[16];
    int n = snprintf(id, sizeof id, "%d", s->id), ret;
    unsigned at;

    batch_add(b, NEXT_ID, SYS_open, batch_put(b, NEXT_ID, sizeof NEXT_ID),
        O_WRONLY | O_CLOEXEC, 0, 0, 0, 0);
    batch_add(
        b, NEXT_ID, SYS_write, 0, batch_put(b, id, (size_t)n), (uint64_t)n, 0, 0, 0);
    batch_add(b, NULL, SYS_close, 0, 0, 0, 0, 0, 0);
    at = b->ncalls;
    batch_add(b, NULL, SYS_shmget, (uint64_t)(uint32_t)s->key, s->size,
        IPC_CREAT | IPC_EXCL | s->mode, 0, 0, 0);
    ret = batch_run(b, c->pid);
    if (ret < 0)
        return ret;
    if (b->calls[at].result != s->id) {
        if (b->calls[at].result >= 0) /* another id: that one is not for us */
            batch_add(b, NULL, SYS_shmctl, (uint64_t)b->calls[at].result, IPC_RMID, 0,
                0, 0, 0);
        batch_run(b, c->pid);
        b->failed = "System V shared memory of that key or id is there already "
                    "(ipcs -m, ipcrm -m)";
        return -EBUSY;
    }
    batch_add(b, "owner of shared memory", SYS_shmctl, (uint64_t)s->id, IPC_SET,
        batch_put(b, &ds, sizeof ds), 0, 0, 0);
    if (s->locked)
        batch_add(b, "SHM_LOCK", SYS_shmctl, (uint64_t)s->id, SHM_LOCK, 0, 0, 0, 0);
    return batch_run(b, c->pid);
}

/* One that is there is opened as it is: with O_CREAT even root may not, in a folder
 * that everybody can write to (fs.protected_regular). */
static int
open_named(struct clone *c, const struct image_segment *s)
{
    static const char name[] = "shared memory with a name";
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    struct batch *b = &c->batch;
    size_t size = strnlen(s->path, IMAGE_PATH - 1) + 1;
    int ret;

    batch_add(b, name, SYS_open, batch_put(b, s->path, size), flags, 0, 0, 0, 0);
    ret = batch_run(b, c->pid);
    if (ret != -ENOENT)
        return ret;
    batch_add(b, name, SYS_open, batch_put(b, s->path, size),
        (uint64_t)(flags | O_CREAT | O_EXCL), 0600, 0, 0, 0);
    return batch_run(b, c->pid);
}

/* What lies there under the name is of an earlier time, unless somebody has it: then a
 * lease is not given. */
static int
make_named(struct clone *c, const struct image_segment *s, bool is_new)
{
    struct batch *b = &c->batch;
    int ret = open_named(c, s);

    if (ret == 0 && is_new) {
        batch_add(b, "shared memory of that name is in use here", SYS_fcntl, 0,
            F_SETLEASE, F_WRLCK, 0, 0, 0);
        batch_add(b, NULL, SYS_fcntl, 0, F_SETLEASE, F_UNLCK, 0, 0, 0);
        batch_add(b, "old shared memory", SYS_ftruncate, 0, 0, 0, 0, 0, 0);
        ret = batch_run(b, c->pid);
    }
    if (ret == 0) {
        batch_add(b, "size of shared memory", SYS_ftruncate, 0, s->size, 0, 0, 0, 0);
        batch_add(b, "owner of shared memory", SYS_fchown, 0, s->uid, s->gid, 0, 0, 0);
        batch_add(b, "mode of shared memory", SYS_fchmod, 0, s->mode, 0, 0, 0, 0);
        batch_add(b, NULL, SYS_close, 0, 0, 0, 0, 0, 0);
        ret = batch_run(b, c->pid);
    }
    return ret == -EAGAIN ? -EBUSY : ret;
}

static bool
has_id(const struct image *im, int32_t id)
{
    for (uint32_t i = 0; i < im->nsegments; i++)
        if (im->segments[i].id == id)
            return true;
    return false;
}

int
skeleton_drop_segments(struct clone *c, const struct image *const *images, uint32_t n)
{
    struct made_segments *made = c->segments;

    for (unsigned i = made->n; i-- > 0;) {
        bool has = made->v[i].id < 0;

        for (uint32_t k = 0; k < n && !has; k++)
            has = images[k] && has_id(images[k], made->v[i].id);
        if (has)
            continue;
        batch_add(
            &c->batch, NULL, SYS_shmctl, (uint64_t)made->v[i].id, IPC_RMID, 0, 0, 0, 0);
        made->v[i] = made->v[--made->n];
    }
    return c->batch.ncalls > 0 ? batch_run(&c->batch, c->pid) : 0;
}

int
skeleton_segments(struct clone *c, const struct image *im)
{
    struct made_segments *made = c->segments;
    int ret = made == &c->own_segments ? skeleton_drop_segments(c, &im, 1) : 0;

    for (uint32_t i = 0; i < im->nsegments && ret == 0; i++) {
        const struct image_segment *s = &im->segments[i];
        struct made_segment *m = find(made, s);

        if (m && (s->id >= 0 || m->size == s->size))
            continue;
        if (!m && made->n == IMAGE_MAX_SEGMENTS)
            return -E2BIG;
        ret = s->id >= 0 ? make_sysv(c, s) : make_named(c, s, !m);
        if (!m)
            m = &made->v[made->n++];
        *m = (struct made_segment){ s->inode, s->size, s->dev_major, s->dev_minor,
            s->id };
    }
    return ret;
}

/* The stub wrote to it; the service may not, even if it asks for that. */
static void
map_for_reading(struct batch *b, const struct image_vma *v)
{
    if (segments_is_sysv(v)) {
        batch_add(b, "attach shared memory", SYS_shmat, v->inode, v->start,
            SHM_REMAP | SHM_RDONLY | (v->prot & PROT_EXEC ? SHM_EXEC : 0), 0, 0, 0);
        return;
    }
    batch_add(b, "shared memory with a name", SYS_open,
        batch_put(b, v->path, strnlen(v->path, IMAGE_PATH - 1) + 1),
        O_RDONLY | O_CLOEXEC, 0, 0, 0, 0);
    batch_add(b, "map shared memory", SYS_mmap, v->start, v->end - v->start, v->prot,
        MAP_SHARED | MAP_FIXED, 0, v->offset);
    batch_add(b, NULL, SYS_close, 0, 0, 0, 0, 0, 0);
}

/* Marked to go when nobody has it. */
int
wake_segments(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;
    unsigned before = b->ncalls;

    for (uint32_t i = 0; i < w->im->nvmas; i++)
        if (w->im->vmas[i].kind == IMAGE_VMA_SEGMENT &&
            w->im->vmas[i].prot == PROT_READ)
            map_for_reading(b, &w->im->vmas[i]);
    for (uint32_t i = 0; i < w->im->nsegments; i++)
        if (w->im->segments[i].gone)
            batch_add(b, NULL, SYS_shmctl, (uint64_t)w->im->segments[i].id, IPC_RMID, 0,
                0, 0, 0);
    *what = "shared memory";
    return b->ncalls > before ? batch_run(b, w->c->pid) : 0;
}
