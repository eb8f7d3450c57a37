/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tracer_files.c - the tracer's work on state folders: changes into checkpoints, what a
 * standby lacks into its seed, and at a takeover the folders to the clone's instant. */
#include "sockmig/tracer_private.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEED_BYTES (4u << 20) /* of files, for a joining standby, at once */

void
files_open(struct tracer *t)
{
    if (!t->conf.folders)
        return;
    t->scan = filescan_new(t->conf.folders);
    t->mapped = (struct maps_folders){ t->conf.folders->roots,
        t->conf.folders->nroots };
    slot_pool_files(t->checkpoints);
    slot_pool_files(t->bases);
    slot_pool_files(t->received);
}

/* Before the process is traced: it may take long, and it does not stand still. */
int
files_begin(struct tracer *t, struct refusals *why)
{
    if (!t->scan)
        return 0;
    filescan_watch(
        t->scan, t->pid, FILESCAN_ALL); /* first: what comes from here on is seen */
    return filescan_begin(t->scan, NULL, why);
}

void
files_prepare(struct tracer *t)
{
    if (t->scan)
        filescan_prepare(t->scan);
}

/* What they write from here on has been written when all stand still the next time. */
static void
tell_members(struct tracer *t)
{
    uint32_t pids[FAMILY_MAX];
    size_t n = 0;

    for (unsigned i = 0; i < t->tree.n; i++)
        if (t->tree.members[i].target)
            pids[n++] = (uint32_t)t->tree.members[i].info.pid;
    filescan_members(t->scan, pids, n);
}

/* The process stands still: what it has written by now, and no more. */
int
files_take(void *arg, struct refusals *why)
{
    struct tracer *t = arg;
    int ret;

    t->lost_mapped |= t->told_mapped;
    t->told_mapped = false;
    ret = filescan_take(t->scan, why);
    tell_members(t);
    return ret;
}

void
files_wrote(void *arg, const struct image_vma *v, uint64_t from, uint64_t to)
{
    struct tracer *t = arg;

    t->told_mapped = true;
    filescan_wrote(
        t->scan, v->inode, v->offset + (from - v->start), v->offset + (to - v->start));
}

/* What a failed checkpoint was told is told but once. */
int
files_take_mapped(void *arg, bool lost, struct refusals *why)
{
    struct tracer *t = arg;
    int ret = filescan_take_mapped(t->scan, lost || t->lost_mapped, why);

    t->lost_mapped = ret < 0;
    t->told_mapped = false;
    return ret;
}

/* A private mapping is in the image by its file's name, and the file has to be the same
 * on all hosts: one that changes is not. */
static bool
any_unfit(const struct tracer *t, const struct image *im, struct refusals *why)
{
    bool found = false;

    for (uint32_t i = 0; t->scan && i < im->nvmas; i++) {
        const struct image_vma *v = &im->vmas[i];

        if (v->kind == IMAGE_VMA_STATE_FILE && !filescan_maps(t->scan))
            refuse(why, im->process.pid, -1,
                "keep it on ext4, on Linux 6.12 or later, with inotify watches for "
                "each name (fs.inotify.max_user_watches)",
                "writes to a mapped file of a state folder cannot be told: %s",
                v->path);
        else if (v->kind != IMAGE_VMA_STATE_FILE &&
                 maps_in_folders(&t->mapped, v->path))
            refuse(why, im->process.pid, -1,
                "let the service map it shared, or read it instead",
                "file of a state folder is mapped privately: %s", v->path);
        else
            continue;
        found = true;
    }
    return found;
}

bool
files_unfit(struct tracer *t, struct refusals *why)
{
    const struct family *f = &t->tree.family;
    bool found = false;

    for (uint32_t i = 0; i < f->n; i++)
        if (!family_is_zombie(&f->members[i]))
            found |= any_unfit(t, f->images[i], why);
    return found;
}

void
files_hand(struct tracer *t, struct slot *slot)
{
    if (t->scan)
        filescan_hand(t->scan, &slot->files, &slot->files_size);
}

static void
forget_have(struct tracer *t, unsigned node)
{
    free(t->have[node].data);
    t->have[node].data = NULL;
}

void
files_have(struct tracer *t, unsigned node, void *data, size_t size)
{
    forget_have(t, node);
    t->have[node].data = data;
    t->have[node].size = size;
}

void
files_forget(struct tracer *t, unsigned node)
{
    forget_have(t, node);
    if (!t->scan || t->filing != (int)node)
        return;
    filescan_seed_end(t->scan);
    t->seeding_files = false;
}

/* The pages have been sent.  1: there is more to send; 0: that was all; -errno. */
int
files_seed(struct tracer *t, struct slot *slot)
{
    unsigned node = (unsigned)t->filing;
    uint8_t *have = t->have[node].data;

    if (!t->scan)
        return 0;
    if (!t->seeding_files) {
        if (!have || filescan_waits(t->scan))
            return 1; /* it looks yet; or changes wait that are in the list already */
        t->have[node].data = NULL;
        if (!filescan_seed(t->scan, have, t->have[node].size)) {
            log_warn(
                "service %s: what a standby says of its state folders is malformed",
                t->cell.name);
            return -EBADMSG;
        }
        t->seeding_files = true;
    }
    return filescan_seed_more(t->scan, slot->files, &slot->files_size, SEED_BYTES);
}

int
files_settle(struct tracer *t, struct woken *w)
{
    int ret = t->conf.files ? filestore_settle(t->conf.files, t->current->number) : 0;

    if (ret < 0)
        refuse(&w->why, 0, -1,
            "see the log of the engine; another standby may have them",
            "the state folders are not of the clone's instant: %s", strerror(-ret));
    return ret;
}
