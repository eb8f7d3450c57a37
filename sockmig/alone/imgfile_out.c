/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * imgfile_out.c - an image is written: under a temporary name until it is whole. */
#include "sockmig/alone/imgfile.h"

#include "lib/fd.h"
#include "sockmig/alone/imgfile_form.h"
#include "sockmig/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
imgfile_create(struct imgfile_out *out, const char *dir)
{
    int ret = 0;

    *out = (struct imgfile_out){ .fd = -1, .folder = -1 };
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return -errno;
    out->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->folder < 0)
        return -errno;
    snprintf(
        out->temporary, sizeof out->temporary, "." IMGFILE_NAME ".%d", (int)getpid());
    out->fd = openat(out->folder, out->temporary,
        O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out->fd < 0) {
        ret = -errno;
        imgfile_discard(out);
    }
    return ret;
}

static int
keep_head(struct imgfile_out *out, uint64_t hash)
{
    if (out->number == out->capacity) {
        size_t capacity = out->capacity ? 2 * out->capacity : 64;
        uint64_t *grown = realloc(out->heads, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        out->heads = grown;
        out->capacity = capacity;
    }
    out->heads[out->number++] = hash;
    return 0;
}

/* writev() takes back what it does not write at once; so does a full disk. */
static int
write_parts(int fd, struct iovec *v, unsigned n)
{
    while (n > 0) {
        ssize_t done = writev(fd, v, (int)n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        for (; n > 0 && (size_t)done >= v->iov_len; v++, n--)
            done -= (ssize_t)v->iov_len;
        if (n > 0) {
            v->iov_base = (char *)v->iov_base + done;
            v->iov_len -= (size_t)done;
        }
    }
    return 0;
}

int
imgfile_put(struct imgfile_out *out, enum imgfile_type type, uint32_t process,
    const struct iovec *parts, unsigned n)
{
    static uint8_t zeroes[IMGFILE_LINE];
    struct imgfile_record head = { .magic = IMGFILE_MAGIC,
        .type = type,
        .process = process,
        .number = out->number,
        .content_hash = filehash_parts(parts, n) };
    struct iovec v[IMGFILE_PARTS + 2] = { { &head, sizeof head } };
    int ret;

    if (n > IMGFILE_PARTS)
        return -E2BIG;
    for (unsigned i = 0; i < n; i++) {
        v[i + 1] = parts[i];
        head.size += parts[i].iov_len;
    }
    head.head_hash = filehash_parts(
        &(struct iovec){ &head, offsetof(struct imgfile_record, head_hash) }, 1);
    v[n + 1] = (struct iovec){ zeroes, imgfile_padding(head.size) };
    ret = keep_head(out, head.head_hash);
    if (ret == 0)
        ret = write_parts(out->fd, v, n + 2);
    if (ret == 0)
        out->bytes += sizeof head + head.size + imgfile_padding(head.size);
    return ret;
}

int
imgfile_flush(struct imgfile_out *out)
{
    return fdatasync(out->fd) < 0 ? -errno : 0;
}

int
imgfile_commit(struct imgfile_out *out)
{
    struct imgfile_end end = { .records = out->number };
    int ret;

    end.heads_hash = filehash_parts(
        &(struct iovec){ out->heads, out->number * sizeof *out->heads }, 1);
    ret = imgfile_put(out, IMGFILE_END, 0, &(struct iovec){ &end, sizeof end }, 1);
    if (ret == 0 && (fsync(out->fd) < 0 || renameat(out->folder, out->temporary,
                                               out->folder, IMGFILE_NAME) < 0))
        ret = -errno;
    if (ret == 0) {
        out->temporary[0] = '\0';
        ret = fsync(out->folder) < 0 ? -errno : 0;
    }
    return ret;
}

void
imgfile_discard(struct imgfile_out *out)
{
    if (out->folder >= 0 && out->temporary[0])
        unlinkat(out->folder, out->temporary, 0);
    fd_close(out->fd);
    fd_close(out->folder);
    free(out->heads);
    *out = (struct imgfile_out){ .fd = -1, .folder = -1 };
}
