/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_file.c - files that have a name, folders, places (O_PATH), devices. */
#include "sockmig/ckpt/descriptors.h"

#include "sockmig/ckpt/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MQUEUE 0x19800202 /* mqueuefs */

static int
look_at_path(struct look *l)
{
    char name[24], path[IMAGE_PATH];
    ssize_t n;

    snprintf(name, sizeof name, "%d", l->number);
    n = readlinkat(l->dir_fd, name, path, sizeof path);
    if (n < 0)
        return -errno;
    if (n == sizeof path)
        return look_refuse(l, "move the file", "path is longer than 255 bytes");
    memset(l->out->u.file.path, 0, IMAGE_PATH);
    memcpy(l->out->u.file.path, path, (size_t)n);
    if (path[0] != '/')
        return look_refuse(l, "disable the feature that uses it",
            strchr(path, '[') ? "namespace, open" : "descriptor of an unknown kind");
    return 0;
}

static bool
is_allowed_device(const struct stat *st)
{
    unsigned minor_nr = minor(st->st_rdev);

    /* null, zero, full, random, urandom: without a state of their own */
    return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 &&
           (minor_nr == 3 || minor_nr == 5 || minor_nr == 7 || minor_nr == 8 ||
               minor_nr == 9);
}

int
look_at_file(struct look *l)
{
    off_t at = lseek(l->dup, 0, SEEK_CUR);
    struct statfs fs;
    bool place = l->out->flags & O_PATH;
    int ret = 0;

    if (!place && terminal_is_one(&l->st))
        return look_at_terminal(l);
    l->out->kind = IMAGE_FD_FILE;
    l->out->u.file.position = at < 0 ? 0 : (uint64_t)at;
    l->out->u.file.size = S_ISREG(l->st.st_mode) ? (uint64_t)l->st.st_size : 0;
    if (!place && !S_ISREG(l->st.st_mode) && !S_ISDIR(l->st.st_mode) &&
        !is_allowed_device(&l->st))
        return look_refuse(l,
            S_ISCHR(l->st.st_mode) ? "start the service without a device"
                                   : "disable the feature that uses it",
            "device");
    if (l->st.st_nlink == 0)
        return look_at_unnamed(l);
    l->out->u.file.deleted = 0;
    if (l->full && S_ISDIR(l->st.st_mode) && fcntl(l->dup, F_GETOWN) > 0)
        return look_refuse(l, "disable file watching in the service",
            "folder that sends signals (F_NOTIFY)");
    if (l->full && fstatfs(l->dup, &fs) == 0 && fs.f_type == MQUEUE)
        return look_refuse(l, "configure the service to use another kind of queue",
            "POSIX message queue");
    if (l->full)
        ret = look_at_path(l);
    if (ret == 0 && !strncmp(l->out->u.file.path, "/secretmem", 10))
        ret = look_refuse(l, "disable the feature that uses it in the service",
            "secret memory (memfd_secret)");
    return ret;
}
