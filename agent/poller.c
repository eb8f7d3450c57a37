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

#define SERVICES_A_REQUEST 12 /* two objects each: an answer fits into one datagram */
#define NHEAD 2               /* objects of the node itself, in every request */

struct target {
    const struct conf *conf;      /* borrowed */
    const struct conf_node *node; /* borrowed */
    struct manager_session *session;
    unsigned waiting; /* requests of this round */
    char why[MANAGER_TEXT], reason[MANAGER_TEXT];
    int64_t health;
    int64_t role[CONF_MAX_SERVICES], state[CONF_MAX_SERVICES];
};

struct request { /* part of a round */
    struct target *target;
    unsigned first, n; /* services */
};

static struct manager_oid
object(enum snapshot_table table, uint32_t arc, const char *name)
{
    const struct mib_table *t = &snapshot_tables[table];
    struct manager_oid o = { .n = t->npath };

    memcpy(o.part, t->path, t->npath * sizeof *o.part);
    o.part[o.n++] = arc;
    if (name)
        o.n += mib_index_name(o.part + o.n, 0, name);
    else
        o.part[o.n++] = 0;
    return o;
}

static void
print(const struct target *t)
{
    struct jv *line = jv_object(), *services = jv_array();
    bool answers = !t->why[0];
    char *text;

    jv_set_str(line, "node", t->node->name);
    jv_set_bool(line, "answers", answers);
    jv_set_str(line, "health", word_text(&words_health, answers ? t->health : 0));
    jv_set_str(line, "reason", answers ? t->reason : t->why);
    for (unsigned i = 0; answers && i < t->conf->nservices; i++) {
        struct jv *s = jv_object();

        jv_set_str(s, "name", t->conf->services[i].name);
        jv_set_str(s, "role", word_text(&words_role, t->role[i]));
        jv_set_str(s, "state", word_text(&words_engine, t->state[i]));
        jv_push(services, s);
    }
    jv_set(line, "services", services);
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

static void
on_reply(const char *why, const struct manager_value *v, unsigned n, void *arg)
{
    struct request *r = arg;
    struct target *t = r->target;

    if (!why && (n != NHEAD + 2 * r->n || v[0].type == MANAGER_NO_OBJECT))
        why = "snmpd answers, but no bascule-agent is connected to it";
    if (why) {
        snapshot_text(t->why, sizeof t->why, why);
    } else {
        t->health = number(&v[0]);
        snapshot_text(t->reason, sizeof t->reason, v[1].text);
        for (unsigned i = 0; i < r->n; i++) {
            t->role[r->first + i] = number(&v[NHEAD + 2 * i]);
            t->state[r->first + i] = number(&v[NHEAD + 2 * i + 1]);
        }
    }
    free(r);
    if (--t->waiting == 0)
        print(t);
}

static void
ask(struct target *t, unsigned first, unsigned n)
{
    struct manager_oid oids[NHEAD + 2 * SERVICES_A_REQUEST];
    struct request *r = malloc(sizeof *r);

    if (!r)
        log_fatal("out of memory");
    *r = (struct request){ t, first, n };
    oids[0] = object(SNAP_NODE_SCALARS, 3, NULL);
    oids[1] = object(SNAP_NODE_SCALARS, 4, NULL);
    for (unsigned i = 0; i < n; i++) {
        const char *name = t->conf->services[first + i].name;

        oids[NHEAD + 2 * i] = object(SNAP_ENGINE, 2, name);
        oids[NHEAD + 2 * i + 1] = object(SNAP_ENGINE, 3, name);
    }
    if (!manager_get(t->session, oids, NHEAD + 2 * n, on_reply, r))
        on_reply("the request could not be sent: is the network up?", NULL, 0, r);
}

/* begin - a round for @t, unless its last one is not finished. */
static void
begin(struct target *t)
{
    unsigned n = t->conf->nservices, requests;

    if (t->waiting)
        return;
    requests = n ? (n + SERVICES_A_REQUEST - 1) / SERVICES_A_REQUEST : 1;
    t->why[0] = t->reason[0] = '\0';
    t->health = 0;
    t->waiting = requests; /* all of them before the first can fail */
    for (unsigned i = 0; i < requests; i++) {
        unsigned first = i * SERVICES_A_REQUEST;

        ask(t, first, n - first < SERVICES_A_REQUEST ? n - first : SERVICES_A_REQUEST);
    }
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
