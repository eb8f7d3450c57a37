/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/proctext.h"

#include "lib/fd.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
proctext_init(struct proctext *t, size_t capacity)
{
    *t = (struct proctext){ .data = reserve(capacity), .capacity = capacity };
    return t->data ? 0 : -ENOMEM;
}

void
proctext_fini(struct proctext *t)
{
    reserve_end(t->data, t->capacity);
    *t = (struct proctext){ 0 };
}

int
proctext_pread(struct proctext *t, int fd)
{
    ssize_t n;

    t->size = 0;
    do {
        n = pread(fd, t->data + t->size, t->capacity - 1 - t->size, (off_t)t->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        t->size += (size_t)n;
    } while (n > 0 && t->size < t->capacity - 1);
    t->data[t->size] = '\0';
    return n > 0 ? -EFBIG : 0;
}

int
proctext_read(struct proctext *t, const char *fmt, ...)
{
    char path[128];
    va_list ap;
    int fd, ret;

    va_start(ap, fmt);
    vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ret = proctext_pread(t, fd);
    fd_close(fd);
    return ret;
}

const char *
proctext_field(const char *text, const char *name)
{
    size_t n = strlen(name);

    while (text && strncmp(text, name, n) != 0) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (!text)
        return NULL;
    text += n;
    return text + strspn(text, " \t");
}

static int
digit(char c, int base)
{
    int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

    return v < base ? v : -1;
}

bool
number_at(const char **at, int base, uint64_t *out)
{
    const char *p = *at;
    uint64_t v = 0;

    for (int d = digit(*p, base); d >= 0; d = digit(*++p, base))
        v = v * (uint64_t)base + (uint64_t)d;
    if (p == *at)
        return false;
    *at = p;
    *out = v;
    return true;
}

uint64_t
proctext_number(const char *text, const char *name, int base, uint64_t otherwise)
{
    const char *at = proctext_field(text, name);
    uint64_t v;

    return at && number_at(&at, base, &v) ? v : otherwise;
}

int
proctext_last_id(const char *status)
{
    const char *at = proctext_field(status, "NSpid:");
    uint64_t v = 0;

    while (at && number_at(&at, 10, &v))
        at += strspn(at, " \t");
    return (int)v;
}
