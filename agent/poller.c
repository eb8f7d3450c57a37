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
    struct jv *services; /* owned: read so far in this round */
};

struct request { /* part of a round */
    struct target *target;
    const struct conf_service *service; /* NULL: the configuration has none */
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
    jv_set(line, "services", t->services);
    t->services = NULL;
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
        jv_push(standbys, one);
    }
    jv_set(s, "gate", gate);
    jv_set(s, "checkpoint", checkpoint);
    jv_set(s, "standbys", standbys);
    return s;
}

static unsigned
objects_of(const struct request *r)
{
    if (!r->service)
        return NHEAD;
    return NHEAD + NWANTED + NSTANDBY * (r->target->conf->nnodes - 1);
}

static void
on_reply(const char *why, const struct manager_value *v, unsigned n, void *arg)
{
    struct request *r = arg;
    struct target *t = r->target;

    if (!why && (n != objects_of(r) || v[0].type == MANAGER_NO_OBJECT))
        why = "snmpd answers, but no bascule-agent is connected to it";
    if (why) {
        snapshot_text(t->why, sizeof t->why, why);
    } else {
        t->health = number(&v[0]);
        snapshot_text(t->reason, sizeof t->reason, v[1].text);
        if (r->service)
            jv_push(t->services, service_object(r, v + NHEAD));
    }
    free(r);
    if (--t->waiting == 0)
        print(t);
}

static unsigned
fill_oids(const struct request *r, struct manager_oid *oids)
{
    const struct conf *conf = r->target->conf;
    unsigned at = 0;

    oids[at++] = object(SNAP_NODE_SCALARS, 3, NULL, NULL);
    oids[at++] = object(SNAP_NODE_SCALARS, 4, NULL, NULL);
    if (!r->service)
        return at;
    for (unsigned i = 0; i < NWANTED; i++)
        oids[at++] = object(wanted[i].table, wanted[i].column, r->service->name, NULL);
    for (unsigned n = 0; n < conf->nnodes; n++)
        for (unsigned i = 0; i < NSTANDBY && &conf->nodes[n] != r->target->node; i++)
            oids[at++] = object(wanted_standby[i].table, wanted_standby[i].column,
                r->service->name, conf->nodes[n].name);
    return at;
}

static void
ask(struct target *t, const struct conf_service *service)
{
    static struct manager_oid oids[MANAGER_MAX_OBJECTS];
    struct request *r = malloc(sizeof *r);
    unsigned n;

    if (!r)
        log_fatal("out of memory");
    *r = (struct request){ t, service };
    n = fill_oids(r, oids);
    if (!manager_get(t->session, oids, n, on_reply, r))
        on_reply("the request could not be sent: is the network up?", NULL, 0, r);
}

/* begin - a round for @t, unless its last one is not finished. */
static void
begin(struct target *t)
{
    unsigned n = t->conf->nservices;

    if (t->waiting)
        return;
    t->why[0] = t->reason[0] = '\0';
    t->health = 0;
    t->services = jv_array();
    t->waiting = n ? n : 1; /* all of them before the first can fail */
    for (unsigned i = 0; i < n; i++)
        ask(t, &t->conf->services[i]);
    if (!n)
        ask(t, NULL);
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
