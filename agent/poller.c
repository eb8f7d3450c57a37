/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * poller.c - bascule-poller: reads the MIBs of all nodes, one JSON line a node and
 * round.
 *
 * basculed starts it and reads its standard output; it ends when its standard input is
 * closed.  The lines are in doc/design/agent.md. */
#include "agent/core/snapshot.h"
#include "agent/manager.h"
#include "lib/conf.h"
#include "lib/fd.h"
#include "lib/jv.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
#define NPROBES 32 /* in one request */

#define NWANTED (sizeof wanted / sizeof wanted[0])
#define NSTANDBY (sizeof wanted_standby / sizeof wanted_standby[0])

_Static_assert(NHEAD + NWANTED + NSTANDBY * (CONF_MAX_NODES - 1) <= MANAGER_MAX_OBJECTS,
    "one request a service");

struct target {
    const struct conf *conf;      /* borrowed */
    const struct conf_node *node; /* borrowed */
    struct manager_session *session;
    unsigned waiting; /* requests of this round */
    char why[MANAGER_TEXT], reason[MANAGER_TEXT];
    int64_t health;
    int64_t load_permille;        /* -1: not known */
    struct jv *readings, *probes; /* owned: read so far in this round */
    struct jv *services;          /* owned: likewise */
};

enum about { A_SERVICE, THE_NODE, PROBES };

struct request { /* part of a round */
    struct target *target;
    enum about about;
    const struct conf_service *service; /* A_SERVICE */
    unsigned first, n;                  /* PROBES: of the configuration */
};

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

/* give_probes - the results of the probes of @service go with it. */
static void
give_probes(const struct target *t, const struct jv *service)
{
    struct jv *list = jv_array();

    for (size_t i = 0; i < jv_len(t->probes); i++) {
        const struct jv *p = jv_at(t->probes, i);
        struct jv *one;

        if (strcmp(jv_str(p, "service", ""), jv_str(service, "name", "?")) != 0)
            continue;
        one = jv_object();
        jv_set_str(one, "name", jv_str(p, "name", ""));
        jv_set_str(one, "state", jv_str(p, "state", "unknown"));
        jv_set_str(one, "text", jv_str(p, "text", ""));
        jv_push(list, one);
    }
    jv_set((struct jv *)(uintptr_t)service, "readings", list); /* of our own array */
}

static void
print(struct target *t)
{
    struct jv *line = jv_object();
    bool answers = !t->why[0];
    char *text;

    jv_set_str(line, "node", t->node->name);
    jv_set_bool(line, "answers", answers);
    jv_set_str(line, "health", word_text(&words_health, answers ? t->health : 0));
    jv_set_str(line, "reason", answers ? t->reason : t->why);
    if (answers && t->load_permille >= 0)
        jv_set_int(line, "load_permille", t->load_permille);
    for (size_t i = 0; i < jv_len(t->services); i++)
        give_probes(t, jv_at(t->services, i));
    jv_set(line, "readings", t->readings);
    jv_set(line, "services", t->services);
    jv_free(t->probes);
    t->services = t->readings = t->probes = NULL;
    text = jv_text(line, false);
    printf("%s\n", text);
    if (fflush(stdout) != 0)
        exit(0); /* nobody reads any more */
    free(text);
    jv_free(line);
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
    struct jv *s = jv_object(), *gate = jv_object(), *checkpoint = jv_object();
    struct jv *standbys = jv_array();

    jv_set_str(s, "name", r->service->name);
    for (unsigned i = 0; i < NWANTED; i++)
        put(!wanted[i].section                       ? s
            : strcmp(wanted[i].section, "gate") == 0 ? gate
                                                     : checkpoint,
            &wanted[i], v++);
    for (unsigned n = 0; n < conf->nnodes; n++) {
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
    jv_set(s, "gate", gate);
    jv_set(s, "checkpoint", checkpoint);
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

static unsigned
objects_of(const struct request *r)
{
    switch (r->about) {
    case THE_NODE:
        return NHEAD + 1 + 2 * NDRIVERS;
    case PROBES:
        return NHEAD + 2 * r->n;
    default:
        return NHEAD + NWANTED + NSTANDBY * (r->target->conf->nnodes - 1);
    }
}

static void
take(const struct request *r, const struct manager_value *v)
{
    struct target *t = r->target;

    t->health = number(&v[0]);
    snapshot_text(t->reason, sizeof t->reason, v[1].text);
    if (r->about == THE_NODE)
        take_node(t, v + NHEAD);
    else if (r->about == PROBES)
        take_probes(r, v + NHEAD);
    else
        jv_push(t->services, service_object(r, v + NHEAD));
}

static void
on_reply(const char *why, const struct manager_value *v, unsigned n, void *arg)
{
    struct request *r = arg;
    struct target *t = r->target;

    if (!why && (n != objects_of(r) || v[0].type == MANAGER_NO_OBJECT))
        why = "snmpd answers, but no bascule-agent is connected to it";
    if (why)
        snapshot_text(t->why, sizeof t->why, why);
    else
        take(r, v);
    free(r);
    if (--t->waiting == 0)
        print(t);
}

static unsigned
service_oids(const struct request *r, struct manager_oid *oids, unsigned at)
{
    const struct conf *conf = r->target->conf;

    for (unsigned i = 0; i < NWANTED; i++)
        oids[at++] = object(wanted[i].table, wanted[i].column, r->service->name, NULL);
    for (unsigned n = 0; n < conf->nnodes; n++)
        for (unsigned i = 0; i < NSTANDBY && &conf->nodes[n] != r->target->node; i++)
            oids[at++] = object(wanted_standby[i].table, wanted_standby[i].column,
                r->service->name, conf->nodes[n].name);
    return at;
}

static unsigned
fill_oids(const struct request *r, struct manager_oid *oids)
{
    const struct conf *conf = r->target->conf;
    unsigned at = 0;

    oids[at++] = object(SNAP_NODE_SCALARS, 3, NULL, NULL);
    oids[at++] = object(SNAP_NODE_SCALARS, 4, NULL, NULL);
    if (r->about == A_SERVICE)
        return service_oids(r, oids, at);
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

static void
ask(struct request what)
{
    static struct manager_oid oids[MANAGER_MAX_OBJECTS];
    struct request *r = malloc(sizeof *r);
    unsigned n;

    if (!r)
        log_fatal("out of memory");
    *r = what;
    n = fill_oids(r, oids);
    if (!manager_get(what.target->session, oids, n, on_reply, r))
        on_reply("the request could not be sent: is the network up?", NULL, 0, r);
}

/* begin - a round for @t, unless its last one is not finished. */
static void
begin(struct target *t)
{
    const struct conf *conf = t->conf;
    unsigned batches = (conf->nprobes + NPROBES - 1) / NPROBES;

    if (t->waiting)
        return;
    t->why[0] = t->reason[0] = '\0';
    t->health = 0;
    t->load_permille = -1;
    t->services = jv_array();
    t->readings = jv_array();
    t->probes = jv_array();
    t->waiting = 1 + conf->nservices + batches; /* before the first can fail */
    ask((struct request){ .target = t, .about = THE_NODE });
    for (unsigned i = 0; i < batches; i++) {
        unsigned first = i * NPROBES, left = conf->nprobes - first;

        ask((struct request){ .target = t,
            .about = PROBES,
            .first = first,
            .n = left < NPROBES ? left : NPROBES });
    }
    for (unsigned i = 0; i < conf->nservices; i++)
        ask((struct request){
            .target = t, .about = A_SERVICE, .service = &conf->services[i] });
}

static bool
still_wanted(const struct pollfd *in)
{
    char bytes[256];

    return !in->revents || read(in->fd, bytes, sizeof bytes) > 0;
}

static void
run(struct target *targets, unsigned n, unsigned period_ms)
{
    struct mono now = mono_clock(), next = now;
    struct pollfd fds[MANAGER_MAX_FDS + 1];
    unsigned nfds;
    int timeout;

    for (;;) {
        if (!mono_before(now, next)) {
            for (unsigned i = 0; i < n; i++)
                begin(&targets[i]);
            next = mono_add_ms(now, period_ms);
        }
        timeout = (int)(mono_us_between(now, next) / 1000) + 1;
        nfds = manager_poll(fds, &timeout);
        fds[nfds] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
        if (poll(fds, nfds + 1, timeout) < 0 && errno != EINTR)
            log_fatal("poll: %s", strerror(errno));
        if (!still_wanted(&fds[nfds]))
            return;
        manager_turn(fds, nfds);
        now = mono_clock();
    }
}

static void
read_phrase(const char *path, char *phrase, size_t size)
{
    ssize_t n = path[0] ? file_read(path, phrase, size) : -ENOENT;

    if (n < 0)
        log_fatal("%s: %s; snmp-secret-file in bascule.conf names the file with the "
                  "pass phrase of the poller",
            path, strerror((int)-n));
    phrase[strcspn(phrase, "\n")] = '\0';
}

int
main(int argc, char **argv)
{
    static struct target targets[CONF_MAX_NODES];
    char error[CONF_ERROR_LEN], phrase[128] = "";
    struct conf *conf;

    log_init("bascule-poller", LOG_LEVEL_INFO);
    if (argc != 3 || strcmp(argv[1], "-c") != 0) {
        fputs("usage: bascule-poller -c FILE\n", stderr);
        return 2;
    }
    if (!conf_load(argv[2], &conf, error))
        log_fatal("%s", error);
    read_phrase(conf->snmp_secret_file, phrase, sizeof phrase);
    if (!manager_init(conf->snmp_user, phrase))
        log_fatal(
            "%s: the pass phrase must have 8 to 64 bytes", conf->snmp_secret_file);
    explicit_bzero(phrase, sizeof phrase);
    /* both attempts fit into a round */
    manager_timeout(conf->poll_ms < 2000 ? conf->poll_ms * 2 / 5 : 800);
    for (unsigned i = 0; i < conf->nnodes; i++) {
        targets[i].conf = conf;
        targets[i].node = &conf->nodes[i];
        targets[i].session = manager_open(conf->nodes[i].snmp, conf->nodes[i].name);
        if (!targets[i].session)
            log_fatal("node %s: snmp address %s cannot be used", conf->nodes[i].name,
                conf->nodes[i].snmp);
    }
    run(targets, conf->nnodes, conf->poll_ms);
    for (unsigned i = 0; i < conf->nnodes; i++)
        manager_close(targets[i].session);
    manager_fini();
    conf_free(conf);
    return 0;
}
