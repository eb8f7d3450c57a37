/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif

void
fd_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

void
fd_expect(unsigned n)
{
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (lowest >= 0)
        fd_close(fcntl(lowest, F_DUPFD_CLOEXEC, lowest + (int)n));
    fd_close(lowest);
}

int
fd_write_all(int fd, const void *data, size_t n)
{
    const char *at = data;

    while (n > 0) {
        ssize_t w = write(fd, at, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        at += w;
        n -= (size_t)w;
    }
    return 0;
}

int
fd_read_all(int fd, void *data, size_t n)
{
    char *at = data;

    while (n > 0) {
        ssize_t r = read(fd, at, n);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            return -ECONNRESET;
        at += r;
        n -= (size_t)r;
    }
    return 0;
}

ssize_t
file_read(const char *path, char *text, size_t size)
{
    size_t len = 0;
    ssize_t r, ret;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    while (len < size && (r = read(fd, text + len, size - len)) != 0) {
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            ret = -errno;
            goto out;
        }
        len += (size_t)r;
    }
    if (len == size) {
        ret = -EFBIG;
        goto out;
    }
    text[len] = '\0';
    ret = (ssize_t)len;
out:
    fd_close(fd);
    return ret;
}

int
file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), ret;

    if (fd < 0)
        return -errno;
    ret = fd_write_all(fd, text, strlen(text));
    fd_close(fd);
    return ret;
}

bool
fd_is_remote(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return true;
    return fs.f_type == NFS_SUPER_MAGIC || fs.f_type == SMB_SUPER_MAGIC ||
           fs.f_type == FUSE_SUPER_MAGIC || fs.f_type == V9FS_MAGIC ||
           (uint32_t)fs.f_type == CIFS_SUPER_MAGIC ||
           (uint32_t)fs.f_type == SMB2_SUPER_MAGIC || fs.f_type == CEPH_SUPER_MAGIC;
}
