/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/plugin.h"

#include <string.h>

struct in { /* what is left to read */
    const char *at, *end;
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_blanks(struct in *in)
{
    while (in->at < in->end && is_blank(*in->at))
        in->at++;
}

/* put - one character, if there is room; what is not printable becomes '?'. */
static void
put(char *out, size_t size, size_t *n, char c)
{
    if (*n + 1 < size)
        out[(*n)++] = (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
    out[*n] = '\0';
}

static void
copy(char *out, size_t size, struct in from)
{
    size_t n = 0;

    out[0] = '\0';
    while (from.end > from.at && is_blank(from.end[-1]))
        from.end--;
    for (; from.at < from.end; from.at++)
        put(out, size, &n, *from.at);
    for (size_t i = 0; i < n; i++) /* a cut or broken character of several bytes */
        if ((unsigned char)out[i] >= 0x80 && i + 1 == n)
            out[i] = '?';
}

/* label - up to '='; in quotes two quotes stand for one. */
static bool
label(struct in *in, char *out)
{
    bool quoted = in->at < in->end && *in->at == '\'';
    size_t n = 0;

    out[0] = '\0';
    in->at += quoted;
    for (; in->at < in->end; in->at++) {
        if (quoted && *in->at == '\'') {
            if (in->at + 1 < in->end && in->at[1] == '\'') {
                put(out, SNAP_WORD, &n, *in->at++);
                continue;
            }
            in->at++;
            break;
        }
        if (!quoted && (*in->at == '=' || is_blank(*in->at)))
            break;
        put(out, SNAP_WORD, &n, *in->at);
    }
    if (in->at == in->end || *in->at != '=' || n == 0)
        return false;
    in->at++;
    return true;
}

/* field - up to ';' or a blank. */
static void
field(struct in *in, char *out)
{
    size_t n = 0;

    out[0] = '\0';
    for (; in->at < in->end && *in->at != ';' && !is_blank(*in->at); in->at++)
        put(out, SNAP_WORD, &n, *in->at);
}

static bool
is_digit(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == ',';
}

/* value - a number, then its unit; "U" alone: not known. */
static bool
value(struct in *in, struct plugin_datum *d)
{
    char both[SNAP_WORD];
    size_t n = 0;

    field(in, both);
    if (strcmp(both, "U") == 0) {
        snapshot_text(d->value, sizeof d->value, both);
        d->unit[0] = '\0';
        return true;
    }
    while (is_digit(both[n]))
        n++;
    if ((both[n] == 'e' || both[n] == 'E') && is_digit(both[n + 1]))
        for (n++; is_digit(both[n]);)
            n++;
    memcpy(d->value, both, n);
    d->value[n] = '\0';
    snapshot_text(d->unit, sizeof d->unit, both + n);
    return n > 0;
}

static void
read_data(struct in in, struct plugin_result *out)
{
    for (skip_blanks(&in); in.at < in.end; skip_blanks(&in)) {
        struct plugin_datum d = { .label = "" };
        char *const rest[] = { d.warning, d.critical, d.minimum, d.maximum };
        bool good = label(&in, d.label) && value(&in, &d);

        for (size_t i = 0; good && i < 4 && in.at < in.end && *in.at == ';'; i++) {
            in.at++;
            field(&in, rest[i]);
        }
        while (in.at < in.end && !is_blank(*in.at))
            in.at++; /* what is left of a datum that cannot be read */
        if (good && out->ndata < PLUGIN_DATA)
            out->data[out->ndata++] = d;
    }
}

static struct in
until(struct in *in, char c)
{
    const char *at = in->at < in->end ? memchr(in->at, c, (size_t)(in->end - in->at))
                                      : NULL;
    struct in part = { in->at, at ? at : in->end };

    in->at = at ? at + 1 : in->end;
    return part;
}

static const char *
state_of(int status, enum plugin_state *state)
{
    static const enum plugin_state states[] = { PLUGIN_OK, PLUGIN_WARNING,
        PLUGIN_CRITICAL, PLUGIN_UNKNOWN };

    *state = status >= 0 && status <= 3 ? states[status] : PLUGIN_UNKNOWN;
    if (status < 0)
        return "did not end in time and was killed";
    return status > 3 ? "ended with a status that no monitoring plugin has" : NULL;
}

void
plugin_read(int status, const char *text, size_t size, struct plugin_result *out)
{
    struct in in = { text, text + size }, line, data;
    const char *why;

    memset(out, 0, sizeof *out);
    why = state_of(status, &out->state);
    line = until(&in, '\n');
    data = line;
    line = until(&data, '|');
    copy(out->output, sizeof out->output, line);
    read_data(data, out);
    until(&in, '|'); /* longer text, in which nobody is interested */
    read_data(in, out);
    if (why)
        snapshot_text(out->output, sizeof out->output, why);
    else if (!out->output[0])
        snapshot_text(out->output, sizeof out->output, "(no output)");
}

enum health
plugin_health(enum plugin_state state)
{
    static const enum health healths[] = { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_DEGRADED,
        HEALTH_FAILED };

    return healths[state];
}
