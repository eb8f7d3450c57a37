/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/questions.h"

#include <string.h>

#define NHEAD 2 /* objects of the node itself, in every request */

/* What is read of a service, and where it stands in the line: as in the status of
 * sockmigd, so that whoever reads it need not know where it came from. */
static const struct wanted {
    enum snapshot_table table;
    uint32_t column;
    const char *section, *key; /* section NULL: the service itself */
    const struct words *words; /* NULL: a number, a truth value or a text */
    bool truth;
} wanted[] = {
    { SNAP_ENGINE, 2, NULL, "role", &words_role, false },
    { SNAP_ENGINE, 3, NULL, "state", &words_engine, false },
    { SNAP_ENGINE, 4, NULL, "epoch", NULL, false },
    { SNAP_ENGINE, 7, NULL, "connections", NULL, false },
    { SNAP_ENGINE, 8, NULL, "protected", NULL, true },
    { SNAP_ENGINE, 9, NULL, "last_error", NULL, false },
    { SNAP_ENGINE, 10, NULL, "last_blackout_ms", NULL, false },
    { SNAP_ENGINE, 12, NULL, "cpu_permille", NULL, false },
    { SNAP_GATE, 1, "gate", "open", NULL, true },
    { SNAP_GATE, 2, "gate", "held", NULL, false },
    { SNAP_GATE, 4, "gate", "released", NULL, false },
    { SNAP_GATE, 5, "gate", "dropped", NULL, false },
    { SNAP_CHECKPOINT, 1, "checkpoint", "count", NULL, false },
    { SNAP_CHECKPOINT, 2, "checkpoint", "last_pause_us", NULL, false },
    { SNAP_CHECKPOINT, 3, "checkpoint", "max_pause_us", NULL, false },
    { SNAP_CHECKPOINT, 4, "checkpoint", "last_bytes", NULL, false },
    { SNAP_CHECKPOINT, 6, "checkpoint", "interval_ms", NULL, false },
    { SNAP_CHECKPOINT, 8, "checkpoint", "age_ms", NULL, false },
    { SNAP_BUILD_SET, 1, "builds", "digest", NULL, false },
};

/* And of each of its standbys. */
static const struct wanted wanted_standby[] = {
    { SNAP_ENGINE_STANDBY, 2, NULL, "state", &words_standby, false },
    { SNAP_ENGINE_STANDBY, 3, NULL, "in_set", NULL, true },
    { SNAP_ENGINE_STANDBY, 5, NULL, "lag", NULL, false },
};

/* The drivers of a node: each is a reading that bascule.conf may give a weight. */
static const char *const drivers[] = { "load", "cpu", "memory", "pressure", "disk",
    "sensor", "clock", "socket", "kernel", "process", "link", "build" };

#define NDRIVERS (sizeof drivers / sizeof drivers[0])

static const char *const sections[] = { "gate", "checkpoint", "builds" };
#define NSECTIONS (sizeof sections / sizeof sections[0])
#define NWANTED (sizeof wanted / sizeof wanted[0])
#define NSTANDBY (sizeof wanted_standby / sizeof wanted_standby[0])

_Static_assert(NHEAD + NWANTED + NSTANDBY * (CONF_MAX_NODES - 1) <= MANAGER_MAX_OBJECTS,
    "one request a service");

static struct manager_oid
object(enum snapshot_table table, uint32_t arc, const char *name, const char *name2)
{
    const struct mib_table *t = &snapshot_tables[table];
    struct manager_oid o = { .n = t->npath };

    memcpy(o.part, t->path, t->npath * sizeof *o.part);
    o.part[o.n++] = arc;
    if (name)
        o.n += mib_index_name(o.part + o.n, 0, name);
    if (name2)
        o.n += mib_index_name(o.part + o.n, 0, name2);
    if (!name)
        o.part[o.n++] = 0;
    return o;
}

static int64_t
number(const struct manager_value *v)
{
    return v->type == MANAGER_NUMBER ? v->number : 0;
}

/* An object that is not there stays away from the line too. */
static void
put(struct jv *to, const struct wanted *w, const struct manager_value *v)
{
    if (v->type == MANAGER_BYTES)
        jv_set_str(to, w->key, v->text);
    else if (v->type != MANAGER_NUMBER)
        return;
    else if (w->words)
        jv_set_str(to, w->key, word_text(w->words, v->number));
    else if (w->truth)
        jv_set_bool(to, w->key, v->number == 1);
    else
        jv_set_int(to, w->key, v->number);
}

static struct jv *
service_object(const struct request *r, const struct manager_value *v)
{
    const struct conf *conf = r->target->conf;
    struct jv *s = jv_object(), *standbys = jv_array();

    jv_set_str(s, "name", r->service->name);
    for (unsigned i = 0; i < NSECTIONS; i++)
        jv_set(s, sections[i], jv_object());
    for (unsigned i = 0; i < NWANTED; i++)
        put(wanted[i].section ? (struct jv *)(uintptr_t)jv_get(s, wanted[i].section)
                              : s,
            &wanted[i], v++);
    snapshot_text(r->target->digest[r->service->index], sizeof r->target->digest[0],
        jv_str(jv_get(s, "builds"), "digest", ""));
    r->target->active[r->service->index] = strcmp(jv_str(s, "role", ""), "active") == 0;
    for (unsigned n = 0; n < conf->nnodes && r->standbys; n++) {
        struct jv *one;

        if (&conf->nodes[n] == r->target->node)
            continue;
        one = jv_object();
        jv_set_str(one, "node", conf->nodes[n].name);
        for (unsigned i = 0; i < NSTANDBY; i++)
            put(one, &wanted_standby[i], v++);
        if (jv_has(one, "state"))
            jv_push(standbys, one);
        else
            jv_free(one); /* the node's engine is no active one */
    }
    jv_set(s, "standbys", standbys);
    return s;
}

/* reading - a verdict and its text, as doc/protocol.md names them. */
static struct jv *
reading(const char *name, const struct manager_value *v)
{
    static const char *const states[] = { "unknown", "ok", "warning", "critical" };
    int64_t health = v[0].type == MANAGER_NUMBER ? v[0].number : 0;
    struct jv *one = jv_object();

    jv_set_str(one, "name", name);
    jv_set_str(one, "state", states[health >= 0 && health <= 3 ? health : 0]);
    jv_set_str(one, "text", v[1].type == MANAGER_BYTES ? v[1].text : "");
    return one;
}

static void
take_node(struct target *t, const struct manager_value *v)
{
    t->load_permille = v[0].type == MANAGER_NUMBER ? v[0].number / 10 : -1;
    for (size_t i = 0; i < NDRIVERS; i++)
        if (v[1 + 2 * i].type == MANAGER_NUMBER)
            jv_push(t->readings, reading(drivers[i], v + 1 + 2 * i));
}

static void
take_probes(const struct request *r, const struct manager_value *v)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct conf_probe *p = &r->target->conf->probes[r->first + i];
        struct jv *one;

        if (v[2 * i].type != MANAGER_NUMBER)
            continue;
        one = reading(p->name, v + 2 * i);
        jv_set_str(one, "service", p->service);
        jv_push(r->target->probes, one);
    }
}

static void
take_files(const struct request *r, const struct manager_value *v)
{
    struct jv *one = jv_object(), *files = jv_array();

    for (unsigned i = 0; i < r->n; i++, v += 2) {
        struct jv *file;

        if (v[0].type != MANAGER_BYTES)
            continue;
        file = jv_object();
        jv_set_str(file, "file", v[0].text);
        jv_set_str(file, "identity", v[1].type == MANAGER_BYTES ? v[1].text : "");
        jv_push(files, file);
    }
    jv_set_str(one, "service", r->service->name);
    jv_set(one, "files", files);
    jv_push(r->target->files, one);
}

static unsigned
objects_of(const struct request *r)
{
    switch (r->about) {
    case THE_NODE:
        return NHEAD + 1 + 2 * NDRIVERS;
    case PROBES:
    case FILES:
        return NHEAD + 2 * r->n;
    default:
        return NHEAD + NWANTED +
               (r->standbys ? NSTANDBY * (r->target->conf->nnodes - 1) : 0);
    }
}

bool
question_take(const struct request *r, const struct manager_value *v, unsigned n)
{
    struct target *t = r->target;

    if (n != objects_of(r) || v[0].type == MANAGER_NO_OBJECT)
        return false;
    t->health = number(&v[0]);
    snapshot_text(t->reason, sizeof t->reason, v[1].text);
    if (r->about == THE_NODE)
        take_node(t, v + NHEAD);
    else if (r->about == PROBES)
        take_probes(r, v + NHEAD);
    else if (r->about == FILES)
        take_files(r, v + NHEAD);
    else
        jv_push(t->services, service_object(r, v + NHEAD));
    return true;
}

static unsigned
service_oids(const struct request *r, struct manager_oid *oids, unsigned at)
{
    const struct conf *conf = r->target->conf;

    for (unsigned i = 0; i < NWANTED; i++)
        oids[at++] = object(wanted[i].table, wanted[i].column, r->service->name, NULL);
    for (unsigned n = 0; n < conf->nnodes && r->standbys; n++)
        for (unsigned i = 0; i < NSTANDBY && &conf->nodes[n] != r->target->node; i++)
            oids[at++] = object(wanted_standby[i].table, wanted_standby[i].column,
                r->service->name, conf->nodes[n].name);
    return at;
}

static unsigned
file_oids(const struct request *r, struct manager_oid *oids, unsigned at)
{
    for (unsigned i = 0; i < r->n; i++)
        for (uint32_t column = 3; column <= 4; column++) {
            struct manager_oid *o = &oids[at++];

            *o = object(SNAP_BUILD, column, r->service->name, NULL);
            o->part[o->n++] = i + 1;
        }
    return at;
}

unsigned
question_oids(const struct request *r, struct manager_oid *oids)
{
    const struct conf *conf = r->target->conf;
    unsigned at = 0;

    oids[at++] = object(SNAP_NODE_SCALARS, 3, NULL, NULL);
    oids[at++] = object(SNAP_NODE_SCALARS, 4, NULL, NULL);
    if (r->about == A_SERVICE)
        return service_oids(r, oids, at);
    if (r->about == FILES)
        return file_oids(r, oids, at);
    if (r->about == THE_NODE)
        oids[at++] = object(SNAP_RESOURCE, 1, NULL, NULL);
    for (size_t i = 0; i < NDRIVERS && r->about == THE_NODE; i++) {
        oids[at++] = object(SNAP_DRIVER, 3, drivers[i], NULL);
        oids[at++] = object(SNAP_DRIVER, 4, drivers[i], NULL);
    }
    for (unsigned i = 0; i < r->n; i++) {
        oids[at++] = object(SNAP_PROBE, 5, conf->probes[r->first + i].name, NULL);
        oids[at++] = object(SNAP_PROBE, 6, conf->probes[r->first + i].name, NULL);
    }
    return at;
}
