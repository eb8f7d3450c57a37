/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "bascule-recording 1 "
#define NTABLES (N_CLUSTER_TABLES + MODEL_AGENTS * N_NODE_TABLES)

/* ---- writing ---- */

struct recorder {
    FILE *file; /* owned */
    struct source *source;
    int64_t began_ms, written_ms;
    int primary;
    GString *filling[NTABLES]; /* owned; NULL: not begun */
    char *last[NTABLES];       /* owned; as written last */
};

static int64_t
mono_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static unsigned
table_index(int slot, unsigned which)
{
    return slot < 0 ? which : N_CLUSTER_TABLES + (unsigned)slot * N_NODE_TABLES + which;
}

static void
escape(GString *s, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c == '%' || c == 0x7f || c >= 0x80)
            g_string_append_printf(s, "%%%02x", c);
        else
            g_string_append_c(s, (char)c);
    }
}

static void
write_time(struct recorder *r)
{
    const struct model *m = source_model(r->source);
    int64_t now = mono_ms() - r->began_ms;

    if (now != r->written_ms)
        fprintf(r->file, "@ %lld\n", (long long)now);
    r->written_ms = now;
    if (m->primary != r->primary)
        fprintf(r->file, "P %d\n", m->primary);
    r->primary = m->primary;
}

static void
put(GString *s, const struct table_def *def, const struct plan_answer *o)
{
    g_string_append_c(s, o->value.kind);
    for (size_t i = def->npath; i < o->oid.n; i++)
        g_string_append_printf(s, "%c%u", i == def->npath ? ' ' : '.', o->oid.part[i]);
    if (o->value.kind == 's') {
        g_string_append_c(s, ' ');
        escape(s, o->value.text, o->value.size);
    } else {
        g_string_append_printf(s, " %" G_GINT64_FORMAT, o->value.number);
    }
    g_string_append_c(s, '\n');
}

static void
tap_cb(void *arg, enum plan_event event, int slot, unsigned which,
    const struct plan_answer *object)
{
    struct recorder *r = arg;
    const struct table_def *def = slot < 0 ? &objects_cluster[which]
                                           : &objects_node[which];
    unsigned at = table_index(slot, which);

    if (event == PLAN_BEGIN) {
        if (!r->filling[at])
            r->filling[at] = g_string_new(NULL);
        g_string_printf(r->filling[at], "T %d %s\n", slot, def->name);
    } else if (event == PLAN_PUT && r->filling[at]) {
        put(r->filling[at], def, object);
    } else if (event == PLAN_COMMIT && r->filling[at]) {
        if (!g_strcmp0(r->last[at], r->filling[at]->str))
            return;
        write_time(r);
        fprintf(r->file, "%sE\n", r->filling[at]->str);
        g_free(r->last[at]);
        r->last[at] = g_strdup(r->filling[at]->str);
        if (which == OF_CLUSTER && slot < 0)
            fflush(r->file);
    }
}

static void
agent_cb(void *arg, int slot, const struct agent *a)
{
    struct recorder *r = arg;
    GString *s = g_string_new(NULL);

    write_time(r);
    escape(s, a->address, strlen(a->address));
    g_string_append_c(s, ' ');
    escape(s, a->why, strlen(a->why));
    fprintf(r->file, "A %d %d %s\n", slot, (int)a->state, s->str);
    g_string_free(s, TRUE);
}

struct recorder *
recorder_open(const char *path, struct source *source, GError **error)
{
    struct recorder *r = g_new0(struct recorder, 1);
    struct plan_tap tap = { tap_cb, r };

    r->file = fopen(path, "we");
    if (!r->file) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", path,
            g_strerror(errno));
        g_free(r);
        return NULL;
    }
    r->source = source;
    r->began_ms = mono_ms();
    r->written_ms = -1;
    r->primary = -1;
    fprintf(r->file, MAGIC "%lld\n", (long long)(g_get_real_time() / 1000));
    source_tap(source, &tap, agent_cb);
    for (int i = 0; i < MODEL_AGENTS; i++) /* who is asked already */
        if (source_model(source)->agents[i].state != AGENT_NONE)
            agent_cb(r, i, &source_model(source)->agents[i]);
    return r;
}

void
recorder_close(struct recorder *r)
{
    if (!r)
        return;
    source_tap(r->source, NULL, NULL);
    write_time(r);
    fclose(r->file);
    for (unsigned i = 0; i < NTABLES; i++) {
        if (r->filling[i])
            g_string_free(r->filling[i], TRUE);
        g_free(r->last[i]);
    }
    g_free(r);
}

/* ---- reading ---- */

struct entry {
    int64_t ms;
    char kind; /* T, A, P */
    int slot;
    unsigned which;
    const char *at; /* of its first line */
};

struct player {
    struct source *source;
    char *text; /* owned */
    GArray *entries;
    int64_t began_ms, length_ms, position_ms;
    guint next; /* entry that was not applied yet */
};

static int
table_named(const char *name, size_t n, bool cluster)
{
    const struct table_def *defs = cluster ? objects_cluster : objects_node;
    int count = cluster ? (int)N_CLUSTER_TABLES : (int)N_NODE_TABLES;

    for (int i = 0; i < count; i++)
        if (strlen(defs[i].name) == n && !strncmp(defs[i].name, name, n))
            return i;
    return -1;
}

static void
index_line(struct player *p, const char *line)
{
    struct entry e = { .ms = p->length_ms, .kind = line[0], .at = line, .slot = -1 };
    char name[32];
    int which;

    if (line[0] == '@') {
        int64_t ms = g_ascii_strtoll(line + 1, NULL, 10);

        if (ms >= p->length_ms)
            p->length_ms = ms;
    } else if (line[0] == 'T' && sscanf(line, "T %d %31s", &e.slot, name) == 2 &&
               e.slot < MODEL_AGENTS && e.slot >= -1) {
        which = table_named(name, strlen(name), e.slot < 0);
        e.which = (unsigned)which;
        if (which >= 0) /* else: written by a newer version */
            g_array_append_val(p->entries, e);
    } else if ((line[0] == 'A' || line[0] == 'P') &&
               sscanf(line + 1, " %d", &e.slot) == 1 && e.slot < MODEL_AGENTS &&
               e.slot >= -1) {
        g_array_append_val(p->entries, e);
    }
}

static void
index_all(struct player *p)
{
    for (char *line = p->text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end)
            break; /* the recorder was killed in mid-line */
        *end = '\0';
        index_line(p, line);
    }
}

static size_t
unescape(char *out, size_t size, const char *in)
{
    size_t n = 0;

    while (*in && *in != ' ' && n + 1 < size) {
        if (in[0] == '%' && g_ascii_isxdigit(in[1]) && g_ascii_isxdigit(in[2])) {
            out[n++] = (char)(g_ascii_xdigit_value(in[1]) * 16 +
                              g_ascii_xdigit_value(in[2]));
            in += 3;
        } else {
            out[n++] = *in++;
        }
    }
    out[n] = '\0';
    return n;
}

/* A table of connections has a million of them: strtoul() takes most of the time. */
static uint32_t
number(const char **at)
{
    uint32_t n = 0;

    for (; g_ascii_isdigit(**at); (*at)++)
        n = n * 10 + (uint32_t)(**at - '0');
    return n;
}

static void
apply_object(struct table *t, const char *line)
{
    static char text[65536];
    struct table_value value = { .kind = line[0] };
    uint32_t oid[TABLE_OID];
    size_t n = 0;
    const char *at = line + 1;

    while (*at && (n == 0 || *at == '.')) {
        if (n == TABLE_OID)
            return;
        at++;
        oid[n++] = number(&at);
    }
    if (*at == ' ')
        at++;
    if (value.kind == 's') {
        value.text = text;
        value.size = unescape(text, sizeof text, at);
    } else {
        value.number = g_ascii_strtoll(at, NULL, 10);
    }
    table_put(t, oid, n, &value);
}

static void
apply_table(struct player *p, const struct entry *e)
{
    struct table *t = model_table(source_model(p->source), e->slot, e->which);
    const char *line = e->at;

    table_begin(t, false);
    for (;;) {
        line += strlen(line) + 1;
        if (line[0] != 'n' && line[0] != 's')
            break;
        apply_object(t, line);
    }
    table_commit(t);
}

static void
apply_agent(struct player *p, const struct entry *e)
{
    struct agent *a = &source_model(p->source)->agents[e->slot];
    const char *address = strchr(e->at + 2, ' '), *why;

    address = address ? strchr(address + 1, ' ') : NULL;
    if (!address)
        return;
    a->state = (enum agent_state)CLAMP(atoi(strchr(e->at + 2, ' ')), 0, AGENT_REFUSED);
    unescape(a->address, sizeof a->address, address + 1);
    why = strchr(address + 1, ' ');
    unescape(a->why, sizeof a->why, why ? why + 1 : "");
    if (a->state == AGENT_SILENT)
        for (unsigned i = ON_NODE + 1; i < N_NODE_TABLES; i++)
            table_forget(&a->tables[i]);
}

static void
apply(struct player *p, const struct entry *e)
{
    if (e->kind == 'T')
        apply_table(p, e);
    else if (e->kind == 'A' && e->slot >= 0)
        apply_agent(p, e);
    else if (e->kind == 'P')
        source_model(p->source)->primary = e->slot;
}

static void
forget_all(struct player *p)
{
    struct model *m = source_model(p->source);

    for (unsigned i = 0; i < N_CLUSTER_TABLES; i++)
        table_forget(&m->cluster[i]);
    for (int s = 0; s < MODEL_AGENTS; s++) {
        m->agents[s].state = AGENT_NONE;
        for (unsigned i = 0; i < N_NODE_TABLES; i++)
            table_forget(&m->agents[s].tables[i]);
    }
    m->primary = -1;
    p->next = 0;
}

/* Only the last of each table up to @ms counts. */
static void
catch_up(struct player *p, int64_t ms)
{
    static guint last[NTABLES];
    guint end = p->next;

    memset(last, 0, sizeof last);
    for (; end < p->entries->len; end++) {
        const struct entry *e = &g_array_index(p->entries, struct entry, end);

        if (e->ms > ms)
            break;
        if (e->kind == 'T')
            last[table_index(e->slot, e->which)] = end;
    }
    for (; p->next < end; p->next++) {
        const struct entry *e = &g_array_index(p->entries, struct entry, p->next);

        if (e->kind != 'T' || last[table_index(e->slot, e->which)] == p->next)
            apply(p, e);
    }
}

bool
player_seek(struct player *p, int64_t ms)
{
    bool back = ms < p->position_ms;
    guint before;

    ms = CLAMP(ms, 0, p->length_ms);
    if (back)
        forget_all(p);
    p->position_ms = ms;
    before = p->next;
    catch_up(p, ms);
    if (back || p->next != before)
        source_fed(p->source);
    return back;
}

int64_t
player_length_ms(const struct player *p)
{
    return p->length_ms;
}

int64_t
player_position_ms(const struct player *p)
{
    return p->position_ms;
}

int64_t
player_began_ms(const struct player *p)
{
    return p->began_ms;
}

struct player *
player_open(const char *path, struct source *source, GError **error)
{
    struct player *p = g_new0(struct player, 1);

    p->entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    if (!g_file_get_contents(path, &p->text, NULL, error)) {
        player_close(p);
        return NULL;
    }
    if (!g_str_has_prefix(p->text, MAGIC)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
            "%s: this is not a recorded run of the console", path);
        player_close(p);
        return NULL;
    }
    p->began_ms = g_ascii_strtoll(p->text + strlen(MAGIC), NULL, 10);
    p->source = source;
    index_all(p);
    source_play(source);
    player_seek(p, 0);
    return p;
}

void
player_close(struct player *p)
{
    if (!p)
        return;
    g_array_unref(p->entries);
    g_free(p->text);
    g_free(p);
}
