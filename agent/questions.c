/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/questions.h"

#include "agent/core/polled.h"

#include <string.h>

/* objects of the node itself, in every message: health, why, digest, load */
#define NHEAD 4

/* An answer of this size is no more than a frame of Ethernet: no fragments that could
 * be lost or dropped.  A guess: identifiers without names, and values as they are. */
#define ANSWER_BYTES 1400
#define HEAD_BYTES 200 /* SNMPv3 and NHEAD */
#define OBJECT_BYTES 23
#define NAME_BYTES 8 /* of a driver */

/* The drivers of a node: each is a reading that bascule.conf may give a weight. */
static const char *const drivers[QUESTION_DRIVERS] = { "load", "cpu", "memory",
    "pressure", "disk", "sensor", "clock", "socket", "kernel", "process", "link",
    "build" };

static const char *const sections[] = { "gate", "checkpoint", "builds" };
#define NSECTIONS (sizeof sections / sizeof sections[0])

_Static_assert(
    NHEAD + POLLED_SERVICE + POLLED_ACTIVE + POLLED_STANDBY * (CONF_MAX_NODES - 1) <=
        MANAGER_MAX_OBJECTS,
    "one message a service");

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
put(struct jv *to, const struct polled *w, const struct manager_value *v)
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

/* standbys - what the active engine of the service says of them. */
static struct jv *
standbys(const struct target *t, const struct manager_value *v)
{
    const struct conf *conf = t->conf;
    struct jv *list = jv_array();

    for (unsigned n = 0; n < conf->nnodes; n++) {
        struct jv *one;

        if (&conf->nodes[n] == t->node)
            continue;
        one = jv_object();
        jv_set_str(one, "node", conf->nodes[n].name);
        for (unsigned i = 0; i < POLLED_STANDBY; i++)
            put(one, &polled_standby[i], v++);
        if (jv_has(one, "state"))
            jv_push(list, one);
        else
            jv_free(one); /* the node's engine is no active one */
    }
    return list;
}

static void
put_in(struct jv *service, const struct polled *w, const struct manager_value *v)
{
    const struct jv *section = w->section ? jv_get(service, w->section) : service;

    put((struct jv *)(uintptr_t)section, w, v); /* of an object of our own */
}

static struct jv *
service_object(
    struct target *t, const struct question *q, const struct manager_value *v)
{
    unsigned index = q->service->index;
    struct jv *s = jv_object();

    jv_set_str(s, "name", q->service->name);
    for (unsigned i = 0; i < NSECTIONS; i++)
        jv_set(s, sections[i], jv_object());
    for (unsigned i = 0; i < POLLED_SERVICE; i++)
        put_in(s, &polled_service[i], v++);
    for (unsigned i = 0; i < POLLED_ACTIVE && q->active; i++)
        put_in(s, &polled_active[i], v++);
    snapshot_text(t->digest[index], sizeof t->digest[0],
        jv_str(jv_get(s, "builds"), "digest", ""));
    t->active[index] = strcmp(jv_str(s, "role", ""), "active") == 0;
    jv_set(s, "standbys", q->active ? standbys(t, v) : jv_array());
    return s;
}

/* reading - a verdict and its text, as doc/protocol.md names them. */
static struct jv *
reading(const char *name, int64_t health, const char *text)
{
    static const char *const states[] = { "unknown", "ok", "warning", "critical" };
    struct jv *one = jv_object();

    jv_set_str(one, "name", name);
    jv_set_str(one, "state", states[health >= 0 && health <= 3 ? health : 0]);
    jv_set_str(one, "text", text);
    return one;
}

/* --- verdicts: of the drivers from 0, behind them of the probes --- */

static bool
is_about_verdicts(const struct question *q)
{
    return q->about == DRIVERS || q->about == PROBES;
}

static unsigned
first_verdict(const struct question *q)
{
    return q->about == PROBES ? QUESTION_DRIVERS + q->first : 0;
}

static unsigned
end_verdict(const struct question *q)
{
    return q->about == PROBES ? first_verdict(q) + q->n : QUESTION_DRIVERS;
}

static unsigned
verdict_objects(const struct target *t, const struct question *q)
{
    unsigned sum = 0;

    for (unsigned i = first_verdict(q); i < end_verdict(q); i++)
        sum += 1 + t->texts[i];
    return sum;
}

static unsigned
verdict_oids(const struct target *t, const struct question *q, struct manager_oid *oids)
{
    bool probes = q->about == PROBES;
    enum snapshot_table table = probes ? SNAP_PROBE : SNAP_DRIVER;
    uint32_t arc = probes ? POLLED_PROBE_VERDICT : POLLED_DRIVER_VERDICT;
    unsigned at = 0;

    for (unsigned i = first_verdict(q); i < end_verdict(q); i++) {
        const char *name = probes ? t->conf->probes[i - QUESTION_DRIVERS].name
                                  : drivers[i];

        oids[at++] = object(table, arc, name, NULL);
        if (t->texts[i])
            oids[at++] = object(table, arc + 1, name, NULL);
    }
    return at;
}

static bool
is_ok(const struct manager_value *v)
{
    return v->type != MANAGER_NUMBER ||
           v->number == 1; /* what is not there is not ill */
}

/* texts_missing - what is no longer ok: why is asked for now. */
static bool
texts_missing(struct target *t, const struct question *q, const struct manager_value *v)
{
    bool missing = false;

    for (unsigned i = first_verdict(q); i < end_verdict(q); i++) {
        bool asked = t->texts[i];

        if (!asked && !is_ok(v)) {
            missing = true;
            t->texts[i] = true;
        }
        v += 1 + asked;
    }
    return missing;
}

static void
take_verdict(struct target *t, unsigned i, const struct manager_value *v)
{
    const struct conf_probe *p = i < QUESTION_DRIVERS
                                     ? NULL
                                     : &t->conf->probes[i - QUESTION_DRIVERS];
    const char *text = t->texts[i] && v[1].type == MANAGER_BYTES ? v[1].text : "";
    struct jv *one;

    if (v->type != MANAGER_NUMBER)
        return;
    one = reading(p ? p->name : drivers[i], v->number, text);
    if (p)
        jv_set_str(one, "service", p->service);
    jv_push(p ? t->probes : t->readings, one);
}

static void
take_verdicts(struct target *t, const struct question *q, const struct manager_value *v)
{
    for (unsigned i = first_verdict(q); i < end_verdict(q); i++) {
        bool asked = t->texts[i];

        take_verdict(t, i, v);
        t->texts[i] = !is_ok(v);
        v += 1 + asked;
    }
}

/* take_head - what each message of a round says.  Two that differ are of two moments:
 * that is the digest of none. */
static void
take_head(struct target *t, const struct manager_value *v)
{
    const char *digest = v[2].type == MANAGER_BYTES ? v[2].text : "";

    t->health = number(&v[0]);
    snapshot_text(t->reason, sizeof t->reason, v[1].text);
    if (t->heads++ > 0 && strcmp(digest, t->now) != 0)
        digest = "";
    snapshot_text(t->now, sizeof t->now, digest);
    t->load_permille = v[3].type == MANAGER_NUMBER ? v[3].number / 10 : -1;
}

static void
take_files(struct target *t, const struct question *q, const struct manager_value *v)
{
    struct jv *one = jv_object(), *files = jv_array();

    for (unsigned i = 0; i < q->n; i++, v += 2) {
        struct jv *file;

        if (v[0].type != MANAGER_BYTES)
            continue;
        file = jv_object();
        jv_set_str(file, "file", v[0].text);
        jv_set_str(file, "identity", v[1].type == MANAGER_BYTES ? v[1].text : "");
        jv_push(files, file);
    }
    jv_set_str(one, "service", q->service->name);
    jv_set(one, "files", files);
    jv_push(t->files, one);
}

static unsigned
objects_of(const struct target *t, const struct question *q)
{
    switch (q->about) {
    case DRIVERS:
    case PROBES:
        return verdict_objects(t, q);
    case FILES:
        return 2 * q->n;
    default:
        return POLLED_SERVICE +
               (q->active ? POLLED_ACTIVE + POLLED_STANDBY * (t->conf->nnodes - 1) : 0);
    }
}

static unsigned
bytes_of(const struct target *t, const struct question *q)
{
    size_t name = q->service ? strlen(q->service->name) : NAME_BYTES;

    return objects_of(t, q) * (OBJECT_BYTES + (unsigned)name);
}

bool
question_add(struct request *r, struct question q)
{
    unsigned bytes = HEAD_BYTES + bytes_of(r->target, &q);

    if (r->nquestions == QUESTIONS_MAX)
        return false;
    for (unsigned i = 0; i < r->nquestions; i++)
        bytes += bytes_of(r->target, &r->questions[i]);
    if (r->nquestions && bytes > ANSWER_BYTES)
        return false;
    r->questions[r->nquestions++] = q;
    return true;
}

static void
take(struct target *t, const struct question *q, const struct manager_value *v)
{
    if (is_about_verdicts(q))
        take_verdicts(t, q, v);
    else if (q->about == FILES)
        take_files(t, q, v);
    else
        jv_push(t->services, service_object(t, q, v));
}

static bool
lacks(struct target *t, const struct question *q, const struct manager_value *v)
{
    return is_about_verdicts(q) && texts_missing(t, q, v);
}

bool
question_take(const struct request *r, const struct manager_value *v, unsigned n,
    struct request *again)
{
    struct target *t = r->target;
    unsigned objects = NHEAD;

    again->nquestions = 0;
    for (unsigned i = 0; i < r->nquestions; i++)
        objects += objects_of(t, &r->questions[i]);
    if (n != objects || v[0].type == MANAGER_NO_OBJECT)
        return false;
    take_head(t, v);
    v += NHEAD;
    for (unsigned i = 0; i < r->nquestions; i++) {
        const struct question *q = &r->questions[i];

        objects = objects_of(t, q); /* before what comes changes it */
        if (lacks(t, q, v))
            again->questions[again->nquestions++] = *q;
        else
            take(t, q, v);
        v += objects;
    }
    return true;
}

static unsigned
polled_oids(struct manager_oid *oids, const struct polled *w, size_t n,
    const char *service, const char *node)
{
    for (size_t i = 0; i < n; i++)
        oids[i] = object(w[i].table, w[i].column, service, node);
    return (unsigned)n;
}

static unsigned
service_oids(const struct target *t, const struct question *q, struct manager_oid *oids)
{
    const struct conf *conf = t->conf;
    const char *name = q->service->name;
    unsigned at = polled_oids(oids, polled_service, POLLED_SERVICE, name, NULL);

    if (!q->active)
        return at;
    at += polled_oids(oids + at, polled_active, POLLED_ACTIVE, name, NULL);
    for (unsigned n = 0; n < conf->nnodes; n++)
        if (&conf->nodes[n] != t->node)
            at += polled_oids(
                oids + at, polled_standby, POLLED_STANDBY, name, conf->nodes[n].name);
    return at;
}

static unsigned
file_oids(const struct question *q, struct manager_oid *oids)
{
    unsigned at = 0;

    for (unsigned i = 0; i < q->n; i++)
        for (uint32_t column = 3; column <= 4; column++) {
            struct manager_oid *o = &oids[at++];

            *o = object(SNAP_BUILD, column, q->service->name, NULL);
            o->part[o->n++] = i + 1;
        }
    return at;
}

static unsigned
oids_of(const struct target *t, const struct question *q, struct manager_oid *oids)
{
    switch (q->about) {
    case DRIVERS:
    case PROBES:
        return verdict_oids(t, q, oids);
    case FILES:
        return file_oids(q, oids);
    default:
        return service_oids(t, q, oids);
    }
}

unsigned
question_oids(const struct request *r, struct manager_oid *oids)
{
    unsigned at = NHEAD;

    oids[0] = object(SNAP_NODE_SCALARS, 3, NULL, NULL);
    oids[1] = object(SNAP_NODE_SCALARS, 4, NULL, NULL);
    oids[2] = object(SNAP_NODE_SCALARS, 14, NULL, NULL);
    oids[3] = object(SNAP_RESOURCE, 1, NULL, NULL);
    for (unsigned i = 0; i < r->nquestions; i++)
        at += oids_of(r->target, &r->questions[i], oids + at);
    return at;
}
