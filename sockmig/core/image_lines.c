/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_lines.c - difference of two encodings, in lines of 64 bytes.
 *
 *     u64 new size, then runs: u32 first line, u32 lines, their bytes
 *
 * The last line of the new encoding may be short. */
#include "sockmig/core/image.h"

#include "lib/core/buf.h"

#include <string.h>

#define LINE 64u

static size_t
line_bytes(size_t size, size_t line)
{
    size_t left = size - line * LINE;

    return left < LINE ? left : LINE;
}

static bool
line_same(const uint8_t *old, size_t old_size, const uint8_t *now, size_t now_size,
    size_t line)
{
    size_t n = line_bytes(now_size, line);

    return line * LINE + n <= old_size &&
           !memcmp(old + line * LINE, now + line * LINE, n);
}

size_t
image_lines_encode(const uint8_t *old, size_t old_size, const uint8_t *now,
    size_t now_size, uint8_t *out, size_t size)
{
    struct writer w = writer_init(out, size);
    size_t lines = (now_size + LINE - 1) / LINE, end;

    put_u64(&w, now_size);
    for (size_t i = 0; i < lines; i = end) {
        end = i + 1;
        if (line_same(old, old_size, now, now_size, i))
            continue;
        while (end < lines && !line_same(old, old_size, now, now_size, end))
            end++;
        put_u32(&w, (uint32_t)i);
        put_u32(&w, (uint32_t)(end - i));
        put_bytes(&w, now + i * LINE,
            (end * LINE < now_size ? end * LINE : now_size) - i * LINE);
    }
    return w.bad ? 0 : w.pos;
}

/* The next run of @r: false at the end and when it is malformed (r->bad). */
static bool
next_run(struct reader *r, size_t now_size, size_t *next_line, size_t *offset,
    size_t *bytes, const uint8_t **from)
{
    size_t lines = (now_size + LINE - 1) / LINE, first, count;

    if (reader_left(r) == 0)
        return false;
    first = get_u32(r);
    count = get_u32(r);
    if (r->bad || first < *next_line || count == 0 || first >= lines ||
        count > lines - first) {
        r->bad = true;
        return false;
    }
    *next_line = first + count;
    *offset = first * LINE;
    *bytes = (count - 1) * LINE + line_bytes(now_size, first + count - 1);
    *from = get_bytes(r, *bytes);
    return *from != NULL;
}

/* Growth must be written by runs, or old garbage would show: true if it is. */
static bool
runs_are_sound(struct reader r, size_t old_size, size_t now_size)
{
    size_t next = 0, offset, bytes, covered = old_size < now_size ? old_size : now_size;
    const uint8_t *from;

    while (next_run(&r, now_size, &next, &offset, &bytes, &from))
        if (offset <= covered && offset + bytes > covered)
            covered = offset + bytes;
    return !r.bad && covered == now_size;
}

bool
image_lines_apply(
    uint8_t *base, size_t *size, size_t cap, const uint8_t *delta, size_t delta_size)
{
    struct reader r = reader_init(delta, delta_size);
    uint64_t now_size = get_u64(&r);
    size_t next = 0, offset, bytes;
    const uint8_t *from;

    if (r.bad || now_size > cap || !runs_are_sound(r, *size, (size_t)now_size))
        return false;
    while (next_run(&r, (size_t)now_size, &next, &offset, &bytes, &from))
        memcpy(base + offset, from, bytes);
    *size = (size_t)now_size;
    return true;
}
