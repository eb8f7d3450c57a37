/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_lines.c - difference of two encodings, in lines of 64 bytes.
 *
 *     u64 new size, u32 moves, each: u32 to, u32 from, u32 bytes
 *     runs: u32 first line, u32 lines, their bytes
 *
 * Moves are made first, in place, as if all at once; then the runs are written.  Both
 * are sorted and do not overlap, neither where moves come from nor where they go.  The
 * last line of the new encoding may be short. */
#include "sockmig/core/image.h"

#include "lib/core/buf.h"

#include <string.h>

#define LINE 64u
#define MOVES 256u /* more are not looked for, and not taken */
#define HEAD 12u
#define MOVE_BYTES 12u

struct move {
    uint32_t to, from, bytes;
};

static size_t
line_bytes(size_t size, size_t line)
{
    size_t left = size - line * LINE;

    return left < LINE ? left : LINE;
}

/* ---- encoding */

/* Where an element came or went, what follows it is as it was, but elsewhere. */
struct diff {
    const uint8_t *old, *now; /* borrowed */
    size_t old_size, now_size, lines;
    struct writer w;
    int64_t shift; /* of what is being compared: so far behind its old place */
    size_t since;  /* the first line of which that is so */
    struct move moves[MOVES];
    uint32_t nmoves;

    size_t run; /* first line of one that is not written yet; NONE */
    /* Lines that differ since the last ALIKE that did not.  Some between them may be
     * the same by chance: much of an encoding is zeroes. */
    size_t doubtful; /* the first one; NONE */
    size_t differ, alike;
    struct writer before; /* .w ahead of .doubtful */
};

#define NONE SIZE_MAX
#define RESYNC 32u   /* lines that differ, before a shift is looked for */
#define ALIKE 16u    /* lines that prove it, if there are as many */
#define STEP 4       /* elements are of as many bytes, or a multiple */
#define REACH 65536u /* bytes, at most, by which it may differ from the one before */
#define REACH_PER_LINE 512u

static bool
line_same(const struct diff *d, size_t line, int64_t shift)
{
    size_t n = line_bytes(d->now_size, line);
    int64_t from = (int64_t)(line * LINE) - shift;

    return from >= 0 && (size_t)from + n <= d->old_size &&
           !memcmp(d->old + from, d->now + line * LINE, n);
}

static bool
is_shift(const struct diff *d, size_t line, int64_t shift)
{
    size_t end = line + ALIKE < d->lines ? line + ALIKE : d->lines;

    while (line < end && line_same(d, line, shift))
        line++;
    return line == end;
}

/* What was in step ends before @line. */
static void
end_move(struct diff *d, size_t line)
{
    size_t end = line < d->lines ? line * LINE : d->now_size, begin = d->since * LINE;

    if ((int64_t)end - d->shift > (int64_t)d->old_size)
        end = (size_t)((int64_t)d->old_size + d->shift);
    if (d->shift != 0 && end > begin)
        d->moves[d->nmoves++] = (struct move){ (uint32_t)begin,
            (uint32_t)((int64_t)begin - d->shift), (uint32_t)(end - begin) };
}

static void
put_run(struct diff *d, size_t begin, size_t end)
{
    put_u32(&d->w, (uint32_t)begin);
    put_u32(&d->w, (uint32_t)(end - begin));
    put_bytes(&d->w, d->now + begin * LINE,
        (end * LINE < d->now_size ? end * LINE : d->now_size) - begin * LINE);
}

/* The shift that holds from @line on: the nearest is the likeliest.  None that grows by
 * more than lies in doubt: the move would come from where the one before does. */
static bool
find_shift(const struct diff *d, size_t line, int64_t *shift)
{
    int64_t doubt = (int64_t)((line - d->doubtful) * LINE), reach = REACH;

    if (d->differ < REACH / REACH_PER_LINE)
        reach = (int64_t)(d->differ * REACH_PER_LINE);
    for (int64_t by = STEP; by <= reach; by += STEP) {
        if (by <= doubt && is_shift(d, line, d->shift + by))
            *shift = d->shift + by;
        else if (is_shift(d, line, d->shift - by))
            *shift = d->shift - by;
        else
            continue;
        return true;
    }
    return false;
}

/* All in doubt is written, and from @line on another shift holds, if there is one.  The
 * longer it takes, the further apart are the tries and the further each looks.  Where
 * the size stays, hundreds of connections have moved on, in their places. */
static void
resync(struct diff *d, size_t line)
{
    int64_t shift;

    if (d->now_size == d->old_size || d->differ < RESYNC ||
        (d->differ & (d->differ - 1)) || line == d->lines || d->nmoves == MOVES - 1 ||
        !find_shift(d, line, &shift))
        return;
    end_move(d, d->doubtful);
    d->shift = shift;
    d->since = line;
    d->w = d->before;
    put_run(d, d->doubtful, line);
    d->run = d->doubtful = NONE;
}

static void
look_at_line(struct diff *d, size_t i)
{
    if (line_same(d, i, d->shift)) {
        if (d->run != NONE)
            put_run(d, d->run, i);
        d->run = NONE;
        if (++d->alike == ALIKE)
            d->doubtful = NONE;
        return;
    }
    if (d->doubtful == NONE) {
        d->doubtful = i;
        d->before = d->w;
        d->differ = 0;
    }
    if (d->run == NONE)
        d->run = i;
    d->differ++;
    d->alike = 0;
    resync(d, i + 1);
}

static void
put_runs(struct diff *d)
{
    d->run = d->doubtful = NONE;
    for (size_t i = 0; i < d->lines; i++)
        look_at_line(d, i);
    if (d->run != NONE)
        put_run(d, d->run, d->lines);
    end_move(d, d->lines);
}

size_t
image_lines_encode(const uint8_t *old, size_t old_size, const uint8_t *now,
    size_t now_size, uint8_t *out, size_t size)
{
    struct diff d = { .old = old,
        .now = now,
        .old_size = old_size,
        .now_size = now_size,
        .lines = (now_size + LINE - 1) / LINE };
    size_t room = HEAD + MOVES * MOVE_BYTES; /* they come first, and are known last */
    struct writer w;

    if (size < room || now_size > UINT32_MAX || old_size > UINT32_MAX)
        return 0;
    d.w = writer_init(out + room, size - room);
    put_runs(&d);
    if (d.w.bad)
        return 0;
    w = writer_init(out, room);
    put_u64(&w, now_size);
    put_u32(&w, d.nmoves);
    for (uint32_t i = 0; i < d.nmoves; i++) {
        put_u32(&w, d.moves[i].to);
        put_u32(&w, d.moves[i].from);
        put_u32(&w, d.moves[i].bytes);
    }
    memmove(out + w.pos, out + room, d.w.pos);
    return w.pos + d.w.pos;
}

/* ---- applying */

struct moves {
    struct move v[MOVES];
    uint32_t n;
};

static bool
get_moves(struct reader *r, struct moves *m, size_t old_size, size_t now_size)
{
    uint64_t to = 0, from = 0; /* where the one before ended */

    m->n = get_u32(r);
    if (r->bad || m->n > MOVES)
        return false;
    for (uint32_t i = 0; i < m->n; i++) {
        struct move *v = &m->v[i];

        v->to = get_u32(r);
        v->from = get_u32(r);
        v->bytes = get_u32(r);
        if (r->bad || v->bytes == 0 || v->to < to || v->from < from)
            return false;
        to = (uint64_t)v->to + v->bytes;
        from = (uint64_t)v->from + v->bytes;
        if (to > now_size || from > old_size)
            return false;
    }
    return true;
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

static void
cover(size_t *covered, size_t from, size_t bytes)
{
    if (from <= *covered && from + bytes > *covered)
        *covered = from + bytes;
}

/* Growth must be written, or old garbage would show: true if it is. */
static bool
covers(struct reader r, const struct moves *m, size_t old_size, size_t now_size)
{
    size_t next = 0, offset, bytes, covered = old_size < now_size ? old_size : now_size;
    const uint8_t *from;
    uint32_t i = 0;

    while (next_run(&r, now_size, &next, &offset, &bytes, &from)) {
        for (; i < m->n && m->v[i].to < offset; i++)
            cover(&covered, m->v[i].to, m->v[i].bytes);
        cover(&covered, offset, bytes);
    }
    for (; i < m->n; i++)
        cover(&covered, m->v[i].to, m->v[i].bytes);
    return !r.bad && covered == now_size;
}

/* None overwrites what another has still to move: those that go up begin with the last
 * of them, those that go down with the first.  One that goes up lies wholly before all
 * that comes after it, wherever that goes, and the other way round. */
static void
make_moves(uint8_t *base, const struct moves *m)
{
    for (uint32_t i = m->n; i-- > 0;)
        if (m->v[i].to > m->v[i].from)
            memmove(base + m->v[i].to, base + m->v[i].from, m->v[i].bytes);
    for (uint32_t i = 0; i < m->n; i++)
        if (m->v[i].to < m->v[i].from)
            memmove(base + m->v[i].to, base + m->v[i].from, m->v[i].bytes);
}

bool
image_lines_apply(
    uint8_t *base, size_t *size, size_t cap, const uint8_t *delta, size_t delta_size)
{
    struct reader r = reader_init(delta, delta_size);
    uint64_t now_size = get_u64(&r);
    size_t next = 0, offset, bytes;
    const uint8_t *from;
    struct moves moves;

    if (r.bad || now_size > cap || !get_moves(&r, &moves, *size, (size_t)now_size) ||
        !covers(r, &moves, *size, (size_t)now_size))
        return false;
    make_moves(base, &moves);
    while (next_run(&r, (size_t)now_size, &next, &offset, &bytes, &from))
        memcpy(base + offset, from, bytes);
    *size = (size_t)now_size;
    return true;
}
