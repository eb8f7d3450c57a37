/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/probes.h"

#include "agent/cells.h"
#include "agent/core/plugin.h"
#include "agent/core/watch.h"
#include "agent/runner.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_GRACE_MS 1000 /* sockmigd kills it itself, and answers */

struct probe {
    const struct conf_probe *conf; /* borrowed */
    unsigned service;              /* its place in the configuration */
    struct watch_conf watch_conf;
    struct watch watch;
    struct runner *runner; /* one of ours while it runs on the node */
    bool any;              /* .result counts */
    struct plugin_result result;
    uint32_t failures, kills;
};

static struct {
    struct probe *v; /* owned */
    unsigned n;
    struct runner runners[PROBES_RUNNING];
    bool changed;
} probes;

void
probes_start(const struct conf *conf)
{
    probes.n = conf->nprobes;
    probes.v = calloc(conf->nprobes + 1, sizeof *probes.v);
    if (!probes.v)
        log_fatal("probes: out of memory");
    for (unsigned i = 0; i < probes.n; i++) {
        const struct conf_probe *c = &conf->probes[i];
        struct probe *p = &probes.v[i];
        bool cell = c->place == CONF_IN_CELL;

        p->conf = c;
        p->service = conf_service(conf, c->service)->index;
        p->watch_conf = (struct watch_conf){ c->period_ms,
            c->timeout_ms + (cell ? CELL_GRACE_MS : 0), c->attempts, c->attempts };
    }
}

void
probes_stop(void)
{
    for (unsigned i = 0; i < PROBES_RUNNING; i++)
        runner_kill(&probes.runners[i]);
    free(probes.v);
    probes.v = NULL;
    probes.n = 0;
}

void
probes_poll(struct pollfd fds[PROBES_FDS])
{
    for (unsigned i = 0; i < PROBES_RUNNING; i++)
        runner_poll(&probes.runners[i], fds + 2 * i);
}

struct mono
probes_due(void)
{
    struct mono due = { INT64_MAX };

    for (unsigned i = 0; i < probes.n; i++) {
        const struct probe *p = &probes.v[i];
        struct mono at = p->watch.running ? watch_limit(&p->watch, &p->watch_conf)
                                          : watch_due(&p->watch, &p->watch_conf);

        if (mono_before(at, due))
            due = at;
    }
    return due;
}

/* take - a result.  What says "unknown" is no verdict: the old one stays. */
static void
take(struct probe *p, int status, const char *text, size_t size, struct mono now)
{
    enum plugin_state before = p->any ? p->result.state : PLUGIN_UNKNOWN;

    plugin_read(status, text, size, &p->result);
    p->any = true;
    p->failures += p->result.state != PLUGIN_OK;
    p->kills += status < 0;
    watch_end(&p->watch, &p->watch_conf, now,
        p->result.state == PLUGIN_UNKNOWN ? WATCH_ERROR : WATCH_READ,
        plugin_health(p->result.state));
    if (p->result.state != before)
        log_info("probe %s: %d -> %d: %s", p->conf->name, before, p->result.state,
            p->result.output);
    probes.changed = true;
}

void
probes_result(unsigned probe, int status, const char *text)
{
    if (probe < probes.n && probes.v[probe].watch.running)
        take(&probes.v[probe], status, text, strlen(text), mono_clock());
}

static struct runner *
free_runner(void)
{
    for (unsigned i = 0; i < PROBES_RUNNING; i++)
        if (!probes.runners[i].pid)
            return &probes.runners[i];
    return NULL;
}

static void
start(struct probe *p, struct mono now)
{
    bool cell = p->conf->place == CONF_IN_CELL;
    struct runner *r = cell ? NULL : free_runner();
    char text[SNAP_TEXT];
    int ret = 0;

    if (!cell && !r)
        return; /* others run: its turn comes */
    watch_begin(&p->watch, now);
    if (cell) {
        if (!cells_probe((unsigned)(p - probes.v), p->conf->name))
            take(p, 3, "sockmigd does not answer", 24, now);
        return;
    }
    ret = runner_start(r, p->conf->command, mono_add_ms(now, p->conf->timeout_ms));
    if (ret == 0) {
        p->runner = r;
        return;
    }
    snprintf(text, sizeof text, "%s: %s", p->conf->command[0], strerror(-ret));
    take(p, 3, text, strlen(text), now);
}

static void
look(struct probe *p, struct mono now)
{
    int status;

    if (p->runner && runner_turn(p->runner, now, &status)) {
        struct runner *r = p->runner;

        p->runner = NULL;
        take(p, status, r->text, r->n, now);
    } else if (!p->runner && p->watch.running &&
               !mono_before(now, watch_limit(&p->watch, &p->watch_conf))) {
        take(p, -1, "", 0, now); /* sockmigd kept no word */
    }
}

bool
probes_turn(const bool active[CONF_MAX_SERVICES], struct mono now)
{
    bool changed;

    for (unsigned i = 0; i < probes.n; i++) {
        struct probe *p = &probes.v[i];
        bool rests = p->conf->place == CONF_IN_CELL && !active[p->service];

        look(p, now);
        if (rests && !p->watch.running && p->any) {
            p->any = false; /* of another reign */
            p->watch = (struct watch){ 0 };
            probes.changed = true;
        }
        if (!rests && !p->watch.running &&
            !mono_before(now, watch_due(&p->watch, &p->watch_conf)))
            start(p, now);
    }
    changed = probes.changed;
    probes.changed = false;
    return changed;
}

static void
show_data(struct snapshot *s, const struct probe *p)
{
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, p->conf->name);

    for (unsigned i = 0; i < p->result.ndata; i++) {
        const struct plugin_datum *d = &p->result.data[i];
        struct probe_data_row *row;

        index[n] = i + 1;
        row = snapshot_blank(s, SNAP_PROBE_DATA, index, n + 1);
        if (!row)
            return;
        memcpy(row->label, d->label, sizeof row->label);
        memcpy(row->value, d->value, sizeof row->value);
        memcpy(row->unit, d->unit, sizeof row->unit);
        memcpy(row->warning, d->warning, sizeof row->warning);
        memcpy(row->critical, d->critical, sizeof row->critical);
        memcpy(row->minimum, d->minimum, sizeof row->minimum);
        memcpy(row->maximum, d->maximum, sizeof row->maximum);
    }
}

static void
show_result(struct probe_row *row, const struct probe *p, struct mono now)
{
    int64_t age_ms = mono_us_between(p->watch.began, now) / 1000;

    snapshot_text(row->output, sizeof row->output, p->result.output);
    row->age = age_ms - (p->watch.running ? 0 : p->watch.duration_us / 1000);
    row->duration = p->watch.duration_us / 1000;
    if (age_ms > 3 * (int64_t)p->conf->period_ms + (int64_t)p->conf->timeout_ms)
        return; /* so old a result is none */
    row->state = p->result.state;
    row->health = p->watch.health;
}

void
probes_show(struct snapshot *s, struct mono now)
{
    for (unsigned i = 0; i < probes.n; i++) {
        const struct probe *p = &probes.v[i];
        uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, p->conf->name);
        struct probe_row *row = snapshot_blank(s, SNAP_PROBE, index, n);

        if (!row)
            return;
        snapshot_text(row->service, sizeof row->service, p->conf->service);
        row->place = p->conf->place == CONF_IN_CELL ? 2 : 1;
        row->state = row->health = 0;
        row->period = p->conf->period_ms;
        row->timeout = p->conf->timeout_ms;
        row->runs = p->watch.runs;
        row->failures = p->failures;
        row->timeouts = p->kills;
        if (p->any) {
            show_result(row, p, now);
            show_data(s, p);
        }
    }
}
