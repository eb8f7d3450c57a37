/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/cells.h"

#include "agent/link.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000
#define PERIOD_MS 1000
#define MS_A_ROW 1 / 2 /* 10,000 rows are read every 5 s, not every second */
#define SILENT_MS 10000
#define ID_PROBE 1000 /* + number of the probe; below: 1 + place of the service */

struct asked {        /* of the connections of a service */
    struct mono next; /* to ask, or to give up waiting */
    bool waiting;
};

static struct {
    const struct conf *conf; /* borrowed */
    void (*result)(unsigned, int, const char *);
    struct link *link;
    struct mono now, retry;
    struct asked asked[CONF_MAX_SERVICES];
    struct connection_row *rows; /* owned; sorted by index */
    uint32_t n, counts[CONF_MAX_SERVICES];
    bool changed;
} cells;

void
cells_start(const struct conf *conf, const char *path,
    void (*result)(unsigned probe, int status, const char *text))
{
    cells.conf = conf;
    cells.result = result;
    cells.link = link_new(path);
}

struct pollfd
cells_poll(void)
{
    return (
        struct pollfd){ .fd = link_fd(cells.link), .events = link_events(cells.link) };
}

struct mono
cells_due(void)
{
    struct mono due = { INT64_MAX };

    if (link_fd(cells.link) < 0)
        return cells.retry;
    for (unsigned i = 0; i < cells.conf->nservices; i++)
        if (cells.asked[i].next.us && mono_before(cells.asked[i].next, due))
            due = cells.asked[i].next;
    return due;
}

/* ---- rows ---- */

static int
compare(const void *a, const void *b)
{
    const struct mib_row *x = a, *y = b;

    return mib_compare(x->index, x->nindex, y->index, y->nindex);
}

static uint32_t
add_address(uint32_t *index, uint32_t n, const char *text, int64_t port)
{
    uint8_t bytes[16];
    uint32_t size = 4;

    if (!text || port < 0 || port > UINT16_MAX)
        return MIB_INDEX_MAX + 1;
    if (inet_pton(AF_INET, text, bytes) != 1) {
        size = 16;
        if (inet_pton(AF_INET6, text, bytes) != 1)
            return MIB_INDEX_MAX + 1;
    }
    return mib_index_address(index, n, bytes, size, (uint16_t)port);
}

/* row_from - [ local, port, remote, port, state, in, out, idle_ms, unread, unsent,
 * rtt_us, retransmits ]; false: it is none. */
static bool
row_from(const struct jv *from, const char *service, struct connection_row *row)
{
    uint32_t n = mib_index_name(row->row.index, 0, service);

    n = add_address(row->row.index, n, jv_at_str(from, 0), jv_at_int(from, 1));
    if (n <= MIB_INDEX_MAX)
        n = add_address(row->row.index, n, jv_at_str(from, 2), jv_at_int(from, 3));
    if (n > MIB_INDEX_MAX || jv_len(from) < 12)
        return false;
    row->row.nindex = n;
    row->row.known = true;
    row->state = jv_at_int(from, 4);
    row->in_octets = jv_at_int(from, 5);
    row->out_octets = jv_at_int(from, 6);
    row->idle = jv_at_int(from, 7);
    row->unread = jv_at_int(from, 8);
    row->unsent = jv_at_int(from, 9);
    row->round_trip = jv_at_int(from, 10);
    row->retransmits = jv_at_int(from, 11);
    return true;
}

/* is_of - does this row belong to @service? */
static bool
is_of(const struct connection_row *row, const char *service)
{
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, service);

    return row->row.nindex > n && mib_compare(row->row.index, n, index, n) == 0;
}

/* age_from - the kernel does not tell the age of a connection: it is counted from when
 * it was first seen here. */
static void
age_from(struct connection_row *row)
{
    const struct connection_row *was = cells.n ? bsearch(row, cells.rows, cells.n,
                                                     sizeof *row, compare)
                                               : NULL;

    row->first_us = was ? was->first_us : cells.now.us;
    row->age = (cells.now.us - row->first_us) / 1000;
}

/* replace - the rows of service number @place by those of @list. */
static void
replace(unsigned place, const struct jv *list)
{
    const char *service = cells.conf->services[place].name;
    uint32_t room = cells.n + (uint32_t)jv_len(list), n = 0;
    struct connection_row *rows = room ? calloc(room, sizeof *rows) : NULL;

    if (room && !rows)
        log_fatal("connections: out of memory");
    for (uint32_t i = 0; i < cells.n; i++)
        if (!is_of(&cells.rows[i], service))
            rows[n++] = cells.rows[i];
    cells.counts[place] = 0;
    for (size_t i = 0; i < jv_len(list) && n < SNAP_CONNECTIONS; i++)
        if (row_from(jv_at(list, i), service, &rows[n])) {
            age_from(&rows[n]);
            cells.counts[place]++;
            n++;
        }
    if (n)
        qsort(rows, n, sizeof *rows, compare);
    free(cells.rows);
    cells.rows = rows;
    cells.n = n;
    cells.changed = true;
}

/* An answer that does not come any more is not waited for either. */
static void
forget(unsigned place)
{
    cells.asked[place] = (struct asked){ .waiting = false };
    if (cells.counts[place])
        replace(place, NULL);
}

/* ---- messages ---- */

static void
on_connections(unsigned place, const struct jv *msg)
{
    struct asked *a = &cells.asked[place];

    if (!a->waiting)
        return;
    a->waiting = false;
    if (jv_bool(msg, "ok", false))
        replace(place, jv_get(msg, "connections"));
    else
        forget(place);
    a->next = mono_add_ms(
        cells.now, PERIOD_MS + (int64_t)cells.counts[place] * MS_A_ROW);
}

static void
on_message(const struct jv *msg, void *arg)
{
    int64_t id = jv_int(msg, "id", 0);

    (void)arg;
    if (id >= ID_PROBE && id < ID_PROBE + CONF_MAX_PROBES)
        cells.result((unsigned)(id - ID_PROBE),
            jv_bool(msg, "ok", false) ? (int)jv_int(msg, "status", -1) : 3,
            jv_str(msg, jv_bool(msg, "ok", false) ? "output" : "error", ""));
    else if (id >= 1 && id <= (int64_t)cells.conf->nservices)
        on_connections((unsigned)id - 1, msg);
}

static void
ask(unsigned place)
{
    struct asked *a = &cells.asked[place];
    struct jv *msg = jv_object();

    jv_set_str(msg, "op", "connections");
    jv_set_str(msg, "service", cells.conf->services[place].name);
    jv_set_int(msg, "id", (int64_t)place + 1);
    a->waiting = true;
    a->next = mono_add_ms(cells.now, SILENT_MS);
    link_send(cells.link, msg);
}

static void
each_service(const bool *active)
{
    for (unsigned i = 0; i < cells.conf->nservices; i++) {
        struct asked *a = &cells.asked[i];

        if (!active[i]) {
            forget(i);
        } else if (mono_before(cells.now, a->next)) {
            continue;
        } else if (a->waiting) {
            log_warn("cells: no answer in %d s; connecting again", SILENT_MS / 1000);
            link_close(cells.link);
            return;
        } else {
            ask(i);
        }
    }
}

bool
cells_turn(const bool active[CONF_MAX_SERVICES], struct mono now)
{
    cells.now = now;
    cells.changed = false;
    if (link_fd(cells.link) < 0) {
        for (unsigned i = 0; i < cells.conf->nservices; i++)
            forget(i);
        if (mono_before(now, cells.retry))
            return cells.changed;
        cells.retry = mono_add_ms(now, RETRY_MS);
        if (link_open(cells.link) < 0)
            return cells.changed;
    }
    link_turn(cells.link, on_message, NULL);
    if (link_fd(cells.link) >= 0)
        each_service(active);
    return cells.changed;
}

bool
cells_probe(unsigned probe, const char *name)
{
    struct jv *msg;

    if (link_fd(cells.link) < 0)
        return false;
    msg = jv_object();
    jv_set_str(msg, "op", "probe");
    jv_set_str(msg, "probe", name);
    jv_set_int(msg, "id", ID_PROBE + (int64_t)probe);
    link_send(cells.link, msg);
    return true;
}

void
cells_show(struct snapshot *s)
{
    s->connections.v = cells.rows;
    s->connections.n = cells.n;
}
