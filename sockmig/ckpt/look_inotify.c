/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_inotify.c - inotify instances: what they watch, by the path it has now.
 *
 * The kernel names a watched file by device and handle only, so it is opened by that
 * (CAP_DAC_READ_SEARCH) to learn its path.  Source: fs/notify/fdinfo.c. */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MINOR_BITS 20 /* of the kernel's own dev_t */
#define HANDLE_MAX 128

struct handle { /* struct file_handle, with room */
    unsigned bytes;
    int type;
    unsigned char data[HANDLE_MAX];
};

/* A folder of the file system with device @dev, opened; -1: none is mounted. */
static int
open_mount(struct look *l, uint64_t dev)
{
    uint64_t major = dev >> MINOR_BITS, minor = dev & ((1u << MINOR_BITS) - 1);
    static _Thread_local char text[65536];
    char path[64], *rest = text, *line;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)l->d->pid);
    n = file_read(path, text, sizeof text - 1);
    if (n < 0)
        return -1;
    text[n] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL) {
        uint64_t major_here, minor_here;
        char at[IMAGE_PATH];
        int fd;

        if (sscanf(line, "%*d %*d %" SCNu64 ":%" SCNu64 " %*s %255s", &major_here,
                &minor_here, at) != 3 ||
            major != major_here || minor != minor_here)
            continue;
        fd = open(at, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static bool
parse_handle(const char *text, struct handle *h)
{
    const char *hex = strstr(text, "f_handle:");
    unsigned size, type;

    if (!hex ||
        sscanf(strstr(text, "fhandle-bytes:") ? strstr(text, "fhandle-bytes:") : "",
            "fhandle-bytes:%x fhandle-type:%x", &size, &type) != 2 ||
        size > HANDLE_MAX)
        return false;
    h->bytes = size;
    h->type = (int)type;
    hex += strlen("f_handle:");
    for (unsigned i = 0; i < size; i++)
        if (sscanf(hex + 2 * (size_t)i, "%2hhx", &h->data[i]) != 1)
            return false;
    return true;
}

/* Its path, or false with errno. */
static bool
find_path(struct look *l, uint64_t dev, const char *text, char path[IMAGE_PATH])
{
    struct handle h;
    char link[32];
    int mount = -1, fd = -1;
    ssize_t n = -1;

    errno = ENOENT;
    memset(path, 0, IMAGE_PATH);
    if (parse_handle(text, &h) && (mount = open_mount(l, dev)) >= 0)
        fd = open_by_handle_at(mount, (struct file_handle *)&h, O_PATH | O_CLOEXEC);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (fd >= 0)
        n = readlink(link, path, IMAGE_PATH);
    fd_close(mount);
    fd_close(fd);
    return n > 0 && n < IMAGE_PATH && path[0] == '/';
}

/* "inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:..." */
static int
take_watch(struct look *l, const char *text)
{
    struct image_watch *w = &l->im->watches[l->im->nwatches];
    uint64_t dev;
    unsigned wd, mask;

    if (sscanf(text, "wd:%x ino:%*x sdev:%" SCNx64 " mask:%x", &wd, &dev, &mask) != 3)
        return -EPROTO;
    if (l->im->nwatches == IMAGE_MAX_WATCHES || wd > IMAGE_MAX_WATCH_NUMBER)
        return look_refuse(l, "let the service watch fewer files",
            "inotify instance with too many watches");
    *w = (struct image_watch){ .fd = l->fd, .wd = (int32_t)wd, .mask = mask };
    if (!find_path(l, dev, text, w->path))
        return look_refuse(l,
            "give the engine CAP_DAC_READ_SEARCH; disable file watching in the service",
            "inotify instance watches what has no path");
    l->im->nwatches++;
    return 0;
}

static int
by_number(const void *a, const void *b)
{
    return ((const struct image_watch *)a)->wd - ((const struct image_watch *)b)->wd;
}

int
look_at_inotify(struct look *l)
{
    static _Thread_local char text[1u << 20];
    uint32_t first = l->im->nwatches;
    const char *at;
    int unread = 0, ret = 0;

    if (ioctl(l->dup, FIONREAD, &unread) < 0)
        return -errno;
    if (unread > 0)
        return look_refuse(l, "wait until the service has read them",
            "inotify instance with unread notices");
    if (l->d->text.size >= sizeof text)
        return look_refuse(l, "let the service watch fewer files",
            "inotify instance with too many watches");
    memcpy(text, l->d->text.data, l->d->text.size + 1);
    for (at = proctext_field(text, "inotify "); at && ret == 0;
         at = proctext_field(at, "inotify "))
        ret = take_watch(l, at);
    qsort(l->im->watches + first, l->im->nwatches - first, sizeof *l->im->watches,
        by_number);
    return ret;
}
