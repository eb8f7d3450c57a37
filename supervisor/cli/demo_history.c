/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/demo_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64 /* longest first line of a reply that is expected */

void
history_init(struct history *h, unsigned id, uint64_t run)
{
    memset(h, 0, sizeof *h);
    h->id = id;
    h->run = run;
}

size_t
history_value(uint32_t seed, char *out)
{
    /* Small enough for one segment, about one, and several. */
    static const size_t sizes[] = { 1, 64, 64, 500, 1500, 4000, 20000,
        HISTORY_MAX_VALUE };
    size_t n = sizes[seed % 8];
    uint32_t s = seed | 1;

    for (size_t i = 0; i < n; i++) {
        s ^= s << 13;
        s ^= s >> 17;
        s ^= s << 5;
        out[i] = (char)s; /* any byte */
    }
    return n;
}

static size_t
put_set(struct history *h, char *out, size_t size)
{
    static char value[HISTORY_MAX_VALUE];
    char key[64];
    size_t len = history_value(h->sent, value);
    int n;

    snprintf(
        key, sizeof key, "v:%llu:%u:%u", (unsigned long long)h->run, h->id, h->key);
    n = snprintf(
        out, size, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(key), key, len);
    memcpy(out + n, value, len);
    memcpy(out + n + len, "\r\n", 2);
    return (size_t)n + len + 2;
}

static size_t
put_get(struct history *h, char *out, size_t size)
{
    return (size_t)snprintf(
        out, size, "GET v:%llu:%u:%u\r\n", (unsigned long long)h->run, h->id, h->key);
}

static size_t
put_final(struct history *h, char *out, size_t size)
{
    while (h->final < HISTORY_KEYS && !h->value[h->final])
        h->final++;
    h->key = h->final++;
    if (h->key < HISTORY_KEYS) {
        h->asked = HISTORY_GET;
        return put_get(h, out, size);
    }
    h->asked = HISTORY_CHECK;
    return (size_t)snprintf(
        out, size, "GET c:%llu:%u\r\n", (unsigned long long)h->run, h->id);
}

size_t
history_next(struct history *h, uint64_t random, char *out, size_t size)
{
    if (h->in_final)
        return put_final(h, out, size);
    h->key = (unsigned)(random >> 8) % HISTORY_KEYS;
    switch (random % 4) {
    case 0:
    case 1:
        h->asked = HISTORY_INCR;
        return (size_t)snprintf(
            out, size, "INCR c:%llu:%u\r\n", (unsigned long long)h->run, h->id);
    case 2:
        h->asked = HISTORY_SET;
        h->sent = (uint32_t)(random >> 16) | 8; /* never 0 */
        return put_set(h, out, size);
    default:
        h->asked = HISTORY_GET;
        return put_get(h, out, size);
    }
}

static void
judge(struct history *h, bool right, size_t bytes, const char *what, const char *got,
    size_t got_size)
{
    if (right)
        return;
    h->wrong_bytes += bytes ? bytes : 1;
    h->lost += h->in_final;
    fprintf(stderr, "connection %u: %s: wrong answer \"", h->id, what);
    for (size_t i = 0; i < got_size && i < 40; i++)
        fputc(got[i] >= ' ' && got[i] <= '~' ? got[i] : '.', stderr);
    fprintf(stderr, "\" (%zu wrong bytes)\n", bytes);
}

static void
judge_number(struct history *h, const char *line, size_t size, uint64_t got)
{
    char what[64];

    snprintf(
        what, sizeof what, "counter expected at %llu", (unsigned long long)h->counter);
    judge(h, got == h->counter, size, what, line, size);
    h->counter = got; /* one fault is counted once */
}

static void
judge_value(struct history *h, const char *data, long size)
{
    static char value[HISTORY_MAX_VALUE];
    uint32_t seed = h->value[h->key];
    size_t want = seed ? history_value(seed, value) : 0, different = 0;

    if (!seed) {
        judge(h, size == -1, 1, "a value never set", "", 0);
        return;
    }
    for (size_t i = 0; i < want && (long)i < size; i++)
        different += data[i] != value[i];
    if (size < 0 || (size_t)size != want)
        different += size < 0 ? want : (size_t)labs(size - (long)want);
    judge(h, different == 0, different, "a value", size > 0 ? data : "(none)",
        size > 0 ? (size_t)size : 6);
}

/* "$-1\r\n" is none; false: not complete yet. */
static bool
read_bulk(const char *line, size_t head, size_t size, long *len, size_t *used)
{
    *len = strtol(line + 1, NULL, 10);
    *used = head;
    if (*len < 0)
        return true;
    *used = head + (size_t)*len + 2;
    return *len <= HISTORY_MAX_VALUE && size >= *used;
}

size_t
history_reply(struct history *h, const char *data, size_t size)
{
    const char *end = memmem(data, size, "\r\n", 2);
    char line[LINE] = "";
    size_t head, used;
    long len = -1;

    if (!end)
        return 0;
    head = used = (size_t)(end - data) + 2;
    memcpy(line, data, head - 2 < LINE - 1 ? head - 2 : LINE - 1);
    if (line[0] == '$' && !read_bulk(line, head, size, &len, &used))
        return 0;
    if (h->asked == HISTORY_INCR) {
        h->counter++;
        if (line[0] == ':')
            judge_number(h, line, strlen(line), strtoull(line + 1, NULL, 10));
        else
            judge(h, false, head, "INCR", line, strlen(line));
    } else if (h->asked == HISTORY_SET) {
        judge(h, !strcmp(line, "+OK"), head, "SET", line, strlen(line));
        h->value[h->key] = h->sent;
    } else if (line[0] != '$') {
        judge(h, false, head, "GET", line, strlen(line));
    } else if (h->asked == HISTORY_GET) {
        judge_value(h, data + head, len);
    } else if (h->counter || len >= 0) {
        judge_number(h, data + head, len < 0 ? 0 : (size_t)len,
            len < 0 ? 0 : strtoull(data + head, NULL, 10));
    }
    return used;
}

void
history_final_begin(struct history *h)
{
    h->in_final = true;
    h->final = 0;
}

bool
history_final_done(const struct history *h)
{
    return h->final > HISTORY_KEYS;
}
