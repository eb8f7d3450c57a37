/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define LOG_DIR "/var/log/bascule"

/* nearest - cut @path to the nearest folder that exists.  False: none can be seen. */
static bool
nearest(char *path, struct stat *st)
{
    while (stat(path, st) < 0) {
        char *slash = strrchr(path, '/');

        if (errno != ENOENT || !slash)
            return false;
        slash[slash == path] = '\0';
        if (slash == path && stat(path, st) < 0)
            return false;
    }
    return true;
}

/* find_mount - of the device @dev: what is mounted, and as what. */
static void
find_mount(dev_t dev, struct disk_row *row)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const struct mntent *m;
    struct stat st;

    while (mounts && (m = getmntent(mounts)))
        /* a dead network file system would not answer: only its own row waits for it */
        if (strncmp(m->mnt_type, "nfs", 3) != 0 &&
            strncmp(m->mnt_type, "fuse", 4) != 0 && stat(m->mnt_dir, &st) == 0 &&
            st.st_dev == dev) {
            snapshot_text(row->device, sizeof row->device, m->mnt_fsname);
            snapshot_text(row->type, sizeof row->type, m->mnt_type);
            break;
        }
    if (mounts)
        endmntent(mounts);
}

static int64_t
number_in(const char *path)
{
    char text[64];

    return file_read(path, text, sizeof text) > 0 ? (int64_t)strtoll(text, NULL, 0)
                                                  : MIB_NONE;
}

/* count_errors - of the device's driver (SCSI) and of the file system (ext4): both are
 * named after the block device. */
static int64_t
count_errors(const char *sys, dev_t dev, const char *device)
{
    const char *name = strrchr(device, '/');
    char path[512];
    int64_t io, fs = MIB_NONE;

    snprintf(path, sizeof path, "%s/dev/block/%u:%u/device/ioerr_cnt", sys, major(dev),
        minor(dev));
    io = number_in(path);
    snprintf(path, sizeof path, "%s/fs/ext4%s/errors_count", sys, name ? name : "/");
    if (name)
        fs = number_in(path);
    if (io < 0)
        return fs;
    return fs < 0 ? io : io + fs;
}

static enum health
judge(const struct disk_row *row)
{
    int64_t free = row->total > 0 ? row->free * 100 / row->total : 100;
    int64_t inodes = row->inodes > 0 ? row->inodes_free * 100 / row->inodes : 100;

    if (row->read_only || free < 1 || inodes < 1)
        return HEALTH_FAILED;
    return free < 5 || inodes < 5 || row->errors > 0 ? HEALTH_DEGRADED : HEALTH_OK;
}

/* add - the file system of @folder, once. */
static void
add(struct readings *r, dev_t *devs, const char *sys, const char *folder)
{
    struct disk_row *row = &r->disk.v[r->disk.n];
    struct statvfs v;
    struct stat st;

    memset(row, 0, sizeof *row);
    snapshot_text(row->path, sizeof row->path, folder);
    if (r->disk.n == READ_DISKS || folder[0] != '/' || !nearest(row->path, &st))
        return;
    for (uint32_t i = 0; i < r->disk.n; i++)
        if (devs[i] == st.st_dev)
            return;
    if (statvfs(row->path, &v) < 0)
        return;
    devs[r->disk.n] = st.st_dev;
    find_mount(st.st_dev, row);
    row->total = (int64_t)(v.f_blocks * (uint64_t)v.f_frsize >> 20);
    row->free = (int64_t)(v.f_bavail * (uint64_t)v.f_frsize >> 20);
    row->inodes = (int64_t)v.f_files;
    row->inodes_free = (int64_t)v.f_favail;
    row->read_only = (v.f_flag & ST_RDONLY) != 0;
    row->errors = count_errors(sys, st.st_dev, row->device);
    row->health = judge(row);
    row->row.known = true;
    row->row.nindex = 1;
    row->row.index[0] = ++r->disk.n;
}

static enum watch_result
read_disk(struct readings *r, const struct driver_context *ctx, char *text)
{
    static int64_t first_errors = -1; /* this driver runs once at a time */
    dev_t devs[READ_DISKS];
    int64_t errors = 0;

    r->disk.n = 0;
    add(r, devs, ctx->sys, ctx->state_dir);
    add(r, devs, ctx->sys, LOG_DIR);
    for (unsigned i = 0; i < ctx->conf->nservices; i++)
        add(r, devs, ctx->sys, ctx->conf->services[i].directory);
    if (r->disk.n == 0) {
        snapshot_text(text, SNAP_TEXT, "no file system can be looked at");
        return WATCH_ERROR;
    }
    for (uint32_t i = 0; i < r->disk.n; i++)
        errors += r->disk.v[i].errors > 0 ? r->disk.v[i].errors : 0;
    if (first_errors < 0)
        first_errors = errors;
    r->disk.new_errors = errors > first_errors ? errors - first_errors : 0;
    return WATCH_READ;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    const struct disk_row *journal = &r->disk.v[0];
    int64_t fewest = -1, read_only = 0;

    for (uint32_t i = 0; i < r->disk.n; i++) {
        const struct disk_row *row = &r->disk.v[i];
        int64_t inodes = row->inodes > 0 ? row->inodes_free * 100 / row->inodes : -1;

        read_only += row->read_only > 0;
        if (inodes >= 0 && (fewest < 0 || inodes < fewest))
            fewest = inodes;
    }
    if (journal->total > 0)
        f->reading[HEALTH_DISK] = journal->free * 100 / journal->total;
    f->reading[HEALTH_INODES] = fewest;
    f->reading[HEALTH_READ_ONLY] = read_only;
    f->reading[HEALTH_DISK_ERRORS] = r->disk.new_errors;
}

const struct driver driver_disk = { "disk", { 5000, 5000, 2, 2 }, true, false,
    read_disk, facts };
