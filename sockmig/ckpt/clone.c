/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/clone.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/filehash.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EDGES (4u * IMAGE_MAX_VMAS)

static void
check_mapped_files(const struct image *im, struct refusals *why)
{
    for (uint32_t i = 0; i < im->nvmas; i++) {
        const struct image_vma *v = &im->vmas[i];
        uint64_t here = 0;
        int ret;

        if (v->file_hash == 0 || (i > 0 && v[-1].inode == v->inode))
            continue;
        ret = filehash(v->path, &here);
        if (ret < 0)
            refuse(why, im->process.pid, -1, "install the same packages on all nodes",
                "mapped file %s: %s", v->path, strerror(-ret));
        else if (here != v->file_hash)
            refuse(why, im->process.pid, -1, "install the same packages on all nodes",
                "mapped file %s is another build here", v->path);
    }
}

/* In a state folder: its files come with the checkpoints, and are there at the
 * takeover. */
static bool
will_come(const struct cell_conf *conf, const char *path)
{
    for (unsigned i = 0; conf && i < conf->nstate; i++) {
        size_t n = strlen(conf->state[i]);

        if (strncmp(conf->state[i], path, n) == 0 && (path[n] == '/' || !path[n]))
            return true;
    }
    return false;
}

static void
check_open_file(const struct image *im, const struct image_fd *f, struct refusals *why)
{
    bool writes = (f->flags & O_ACCMODE) != O_RDONLY;
    char folder[IMAGE_PATH];
    struct stat st;

    if (!f->u.file.deleted && stat(f->u.file.path, &st) == 0) {
        if ((f->flags & O_DIRECTORY) && !S_ISDIR(st.st_mode))
            refuse(why, im->process.pid, f->fd, "make it a folder on this node",
                "%s is no folder here", f->u.file.path);
        return;
    }
    memcpy(folder, f->u.file.path, sizeof folder);
    if (!writes || stat(dirname(folder), &st) < 0 || !S_ISDIR(st.st_mode))
        refuse(why, im->process.pid, f->fd, "create it on this node",
            "open file %s does not exist here", f->u.file.path);
}

/* Where the file of a unix socket's name goes. */
static void
check_unix_folder(
    const struct image *im, const struct image_unix *u, struct refusals *why)
{
    char folder[IMAGE_PATH];
    struct stat st;

    memcpy(folder, u->path, sizeof folder);
    if (u->path[0] && (stat(dirname(folder), &st) < 0 || !S_ISDIR(st.st_mode)))
        refuse(why, im->process.pid, u->fd, "create it on this node",
            "folder of unix socket %s does not exist here", u->path);
}

static void
check_limits(const struct clone *c, const struct image *im, struct refusals *why)
{
    for (int i = 0; i < 16; i++) {
        struct rlimit64 now = { im->process.rlimits[i].soft,
            im->process.rlimits[i].hard };
        struct rlimit64 old;

        if (prlimit64(c->pid, (enum __rlimit_resource)i, NULL, &old) < 0 ||
            now.rlim_max <= old.rlim_max)
            continue;
        now.rlim_cur = old.rlim_cur;
        if (prlimit64(c->pid, (enum __rlimit_resource)i, &now, NULL) < 0)
            refuse(why, im->process.pid, -1,
                "give the engine CAP_SYS_RESOURCE or start the service with less",
                "resource limit %d of the service is above this node's", i);
    }
}

static void
check_processor(const struct clone *c, const struct image *im, struct refusals *why)
{
    uint8_t state[IMAGE_XSTATE];
    struct iovec v = { state, sizeof state };

    if (ptrace(PTRACE_GETREGSET, c->pid, (void *)NT_X86_XSTATE, &v) < 0 ||
        v.iov_len != im->threads[0].xstate_len)
        refuse(why, im->process.pid, -1, "use the same processor features on all nodes",
            "processor state has %zu bytes here, %u in the image", v.iov_len,
            im->threads[0].xstate_len);
}

int
clone_check_host(
    const struct cell_conf *conf, const struct image *im, struct refusals *why)
{
    unsigned before = why->n;
    struct stat st;

    if (im->nthreads == 0 || im->process.auxv_bytes > sizeof im->process.auxv)
        return -EINVAL;
    check_mapped_files(im, why);
    if (stat(im->process.root, &st) < 0 || !S_ISDIR(st.st_mode))
        refuse(why, im->process.pid, -1, "create it on this node",
            "root folder %s does not exist here", im->process.root);
    for (uint32_t i = 0; i < im->nfds; i++)
        if (im->fds[i].kind == IMAGE_FD_FILE && im->fds[i].dup_of < 0 &&
            !will_come(conf, im->fds[i].u.file.path))
            check_open_file(im, &im->fds[i], why);
    for (uint32_t i = 0; i < im->nunixes; i++)
        check_unix_folder(im, &im->unixes[i], why);
    return why->n > before ? -EOPNOTSUPP : 0;
}

int
clone_check_stub(const struct clone *c, const struct image *im, struct refusals *why)
{
    unsigned before = why->n;

    check_limits(c, im, why);
    check_processor(c, im, why);
    return why->n > before ? -EOPNOTSUPP : 0;
}

struct clone *
clone_allocate(int netns)
{
    struct clone *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->mem = c->netns = -1;
    c->segments = &c->own_segments;
    for (unsigned i = 0; i < IMAGE_MAX_FDS; i++)
        c->opened[i] = -1;
    c->vmas = calloc(IMAGE_MAX_VMAS, sizeof *c->vmas);
    c->edges = calloc(EDGES, sizeof *c->edges);
    c->netns = fcntl(netns, F_DUPFD_CLOEXEC, 3);
    if (c->vmas && c->edges && c->netns >= 0)
        return c;
    clone_free(c);
    return NULL;
}

int
clone_new(const struct cell_conf *conf, const struct image *im, struct clone **out,
    struct refusals *why)
{
    struct clone *c = NULL;
    int ret = clone_check_host(conf, im, why);

    if (ret < 0)
        return ret;
    c = clone_allocate(conf->netns);
    if (!c)
        return -ENOMEM;
    ret = net_purge(c);
    if (ret == 0)
        ret = skeleton_new(c, conf, im, why);
    if (ret == 0)
        ret = clone_check_stub(c, im, why);
    if (ret == 0)
        ret = skeleton_layout(c, im);
    if (ret == 0)
        ret = skeleton_threads(c, im);
    if (ret < 0 && ret != -EOPNOTSUPP && c->batch.failed)
        refuse(why, im->process.pid, -1, "see the system's log", "clone: %s: %s",
            c->batch.failed, strerror(-ret));
    if (ret == 0) {
        *out = c;
        c = NULL;
    }
    clone_free(c);
    return ret;
}

static void
close_opened(struct clone *c)
{
    for (unsigned i = 0; i < IMAGE_MAX_FDS; i++) {
        fd_close(c->opened[i]);
        c->opened[i] = -1;
    }
}

void
clone_free(struct clone *c)
{
    if (!c)
        return;
    cell_kill(c->init);
    close_opened(c);
    ahead_drop(c);
    fd_close(c->netns);
    fd_close(c->mem);
    batch_unmap(&c->batch);
    for (unsigned i = 0; i < IMAGE_MAX_NUMBER; i++)
        free(c->queues[i].bytes);
    free(c->vmas);
    free(c->edges);
    free(c);
}

pid_t
clone_release(struct clone *c)
{
    pid_t init = c->init;

    c->init = 0;
    clone_free(c);
    return init;
}

/* The clocks of a cell cannot be set once it has a process.  If two hosts' clocks drift
 * apart for weeks, the service's would step back: then the clone is made anew. */
static int
check_clock(const struct clone *c, const struct image *im)
{
    struct timespec t;
    int64_t now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + c->monotonic_offset_ns;
    return now < (int64_t)im->process.monotonic_ns ? -ESTALE : 0;
}

static int
check_new_files(const struct clone *c, const struct image *im)
{
    if (im->nvmas == c->nvmas &&
        memcmp(im->vmas, c->vmas, im->nvmas * sizeof *im->vmas) == 0)
        return 0;
    for (uint32_t i = 0; i < im->nvmas; i++) {
        const struct image_vma *v = &im->vmas[i];
        uint64_t here = 0;

        if (v->end > (uint64_t)(uintptr_t)c->batch.base &&
            v->start < (uint64_t)(uintptr_t)c->batch.base + c->batch.size)
            return -EBUSY; /* the service grew to where the stub's code is */
        if (v->file_hash != 0 && (i == 0 || v[-1].inode != v->inode) &&
            (filehash(v->path, &here) < 0 || here != v->file_hash))
            return -EOPNOTSUPP;
    }
    return 0;
}

int
clone_check_update(const struct clone *c, const struct image *im)
{
    int ret = c->init ? check_clock(c, im) : 0;

    return ret == 0 ? check_new_files(c, im) : ret;
}

int
clone_apply(struct clone *c, const struct image *im, const struct pages *pages,
    const struct parcels *parcels)
{
    int ret = clone_check_update(c, im);

    if (ret == 0)
        ret = skeleton_layout(c, im);
    FAULT_POINT("standby-half-applied");
    if (ret == 0)
        ret = content_pages(c, pages);
    if (ret == 0)
        ret = skeleton_threads(c, im);
    if (ret == 0)
        ret = content_queues(c, parcels);
    return ret;
}
