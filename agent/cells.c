/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/cells.h"

#include "agent/connections.h"
#include "agent/link.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <string.h>

#define RETRY_MS 1000
#define PERIOD_MS 1000
#define MS_A_ROW 1 / 2 /* 10,000 rows are read every 5 s, not every second */
#define SILENT_MS 10000
#define TURN_BYTES 8192 /* read in a turn: SNMP is not kept waiting by a long list */
#define ID_PROBE 1000   /* + number of the probe; below: 1 + place of the service */

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
    bool changed;
} cells;

void
cells_start(const struct conf *conf, const char *path,
    void (*result)(unsigned probe, int status, const char *text))
{
    cells.conf = conf;
    cells.result = result;
    cells.link = link_new(path, TURN_BYTES);
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

static void
replace(unsigned place)
{
    connections_replace(cells.conf, place);
    cells.changed = true;
}

/* An answer that does not come any more is not waited for either. */
static void
forget(unsigned place)
{
    cells.asked[place] = (struct asked){ .waiting = false };
    connections_drop(place);
    if (connections_of(place))
        replace(place);
}

/* ---- messages ---- */

static void
on_connections(unsigned place, const struct jv *msg)
{
    struct asked *a = &cells.asked[place];

    if (!a->waiting)
        return;
    connections_add(cells.conf, place, jv_get(msg, "connections"), cells.now);
    if (jv_bool(msg, "more", false))
        return;
    a->waiting = false;
    if (jv_bool(msg, "ok", false))
        replace(place);
    else
        forget(place);
    a->next = mono_add_ms(
        cells.now, PERIOD_MS + (int64_t)connections_of(place) * MS_A_ROW);
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
cells_turn(bool ready, const bool active[CONF_MAX_SERVICES], struct mono now)
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
    if (ready)
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
    connections_show(s);
}
