/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * poller.c - bascule-poller: reads the MIBs of all nodes, one JSON line a node and
 * round.
 *
 * basculed starts it and reads its standard output; it ends when its standard input is
 * closed.  The lines are in doc/design/agent.md. */
#include "agent/questions.h"
#include "lib/conf.h"
#include "lib/fd.h"
#include "lib/jv.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DIFFERING 4 /* services whose files are read in a round */
#define GATHER_MS 10
#define TURNS 256    /* then the clock is looked at again, whatever still comes */
#define AGAIN_MS 250 /* from a reading that is worse to the one that confirms it */

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

/* give_files - which files the builds of @service are. */
static void
give_files(const struct target *t, const struct jv *service)
{
    for (size_t i = 0; i < jv_len(t->files); i++) {
        const struct jv *f = jv_at(t->files, i);

        if (strcmp(jv_str(f, "service", ""), jv_str(service, "name", "?")) == 0)
            jv_set((struct jv *)(uintptr_t)jv_get(service, "builds"), "files",
                jv_copy(jv_get(f, "files"))); /* of our own array */
    }
}

static unsigned
ill(const struct jv *readings)
{
    unsigned sum = 0;

    for (size_t i = 0; i < jv_len(readings); i++) {
        const char *state = jv_str(jv_at(readings, i), "state", "");

        sum += strcmp(state, "critical") == 0 || strcmp(state, "failed") == 0
                   ? 2
                   : strcmp(state, "warning") == 0 || strcmp(state, "degraded") == 0;
    }
    return sum;
}

/* confirm - a verdict gets worse when several readings in a row say so (health-fall):
 * after the first of them the others need not wait for their turn. */
static void
confirm(struct target *t)
{
    unsigned now;

    if (t->whole)
        t->ill_read = ill(t->readings) + ill(t->probes);
    now = t->ill_read;
    if (t->health > 1) /* not only unknown(0) or ok(1) */
        now += (unsigned)t->health;
    if (t->why[0]) { /* silent is not ill: that is for the membership */
        t->again = 0;
        return;
    }
    if (now > t->ill)
        t->again = t->conf->health_fall - 1;
    else if (now < t->ill)
        t->again = 0;
    else if (t->again)
        t->again--;
    t->ill = now;
    t->again_at = mono_add_ms(mono_clock(), AGAIN_MS);
}

/* set_head - what each round says of @t, in its line. */
static void
set_head(struct target *t)
{
    bool answers = !t->why[0];

    jv_set_bool(t->line, "answers", answers);
    jv_set_str(t->line, "health", word_text(&words_health, answers ? t->health : 0));
    jv_set_str(t->line, "reason", answers ? t->reason : t->why);
    if (answers && t->load_permille >= 0)
        jv_set_int(t->line, "load_permille", t->load_permille);
    else if (jv_has(t->line, "load_permille"))
        jv_set_str(t->line, "load_permille", NULL);
}

/* compose - what was read in this round becomes the line. */
static void
compose(struct target *t)
{
    for (size_t i = 0; i < jv_len(t->services); i++) {
        give_probes(t, jv_at(t->services, i));
        give_files(t, jv_at(t->services, i));
    }
    jv_free(t->line);
    t->line = jv_object();
    jv_set_str(t->line, "node", t->node->name);
    set_head(t);
    jv_set(t->line, "readings", t->readings);
    jv_set(t->line, "services", t->services);
    jv_free(t->probes);
    jv_free(t->files);
    t->services = t->readings = t->probes = t->files = NULL;
}

static void
print(struct target *t)
{
    char *text;

    if (t->whole)
        compose(t);
    else
        set_head(t);
    text = jv_text(t->line, false);
    printf("%s\n", text);
    free(text);
}

/* begin_whole - from here on this round reads everything. */
static void
begin_whole(struct target *t)
{
    t->whole = true;
    t->services = jv_array();
    t->readings = jv_array();
    t->probes = jv_array();
    t->files = jv_array();
}

static bool
is_changed(const struct target *t)
{
    return !t->now[0] || strcmp(t->now, t->seen) != 0;
}

/* remember - was everything read as it was the last time?  Then the digest will do
 * until it is another one; where a service is active it will not.  Who was silent is
 * asked for no more than that as well. */
static void
remember(struct target *t)
{
    bool calm = !is_changed(t);

    for (unsigned i = 0; i < t->conf->nservices; i++)
        calm = calm && !t->active[i];
    t->head_first = calm || t->why[0];
    snapshot_text(t->seen, sizeof t->seen, t->why[0] ? "" : t->now);
}

/* settle - one thing less that the round of @t waits for. */
static void
settle(struct target *t)
{
    if (--t->waiting)
        return;
    if (t->why[0] && !t->whole)
        begin_whole(t); /* nothing was read */
    confirm(t);
    print(t);
    remember(t);
}

static void dispatch(struct request *what);
static void ask_all(
    struct target *t, const struct conf_service *const *chosen, unsigned nchosen);

static void
on_reply(const char *why, const struct manager_value *v, unsigned n, void *arg)
{
    struct request *r = arg;
    struct target *t = r->target;
    struct request again = { .target = t };

    if (!why && !question_take(r, v, n, &again))
        why = "snmpd answers, but no bascule-agent is connected to it";
    if (why)
        snapshot_text(t->why, sizeof t->why, why);
    free(r);
    if (again.nquestions)
        dispatch(&again);
    if (!why && !t->whole && is_changed(t)) {
        begin_whole(t);
        ask_all(t, NULL, 0);
    }
    settle(t);
}

/* dispatch - what @what has gathered, which is then empty. */
static void
dispatch(struct request *what)
{
    static struct manager_oid oids[MANAGER_MAX_OBJECTS];
    struct request *r = malloc(sizeof *r);
    unsigned n;

    if (!r)
        log_fatal("out of memory");
    *r = *what;
    what->nquestions = 0;
    n = question_oids(r, oids);
    r->target->waiting++;
    if (!manager_get(r->target->session, oids, n, on_reply, r))
        on_reply("the request could not be sent: is the network up?", NULL, 0, r);
}

static void
ask(struct request *r, struct question q)
{
    if (question_add(r, q))
        return;
    dispatch(r);
    question_add(r, q); /* whatever it is, it fits alone */
}

/* differ - has any node other builds of service number @i than another one has? */
static bool
differ(const struct target *targets, unsigned n, unsigned i)
{
    const char *first = "";

    for (unsigned k = 0; k < n; k++) {
        const char *digest = targets[k].digest[i];

        if (*digest && *first && strcmp(digest, first) != 0)
            return true;
        if (*digest)
            first = digest;
    }
    return false;
}

/* choose - services whose files are read in round number @round: all in turn. */
static unsigned
choose(const struct target *targets, unsigned n, unsigned round,
    const struct conf_service *chosen[DIFFERING])
{
    const struct conf *conf = targets[0].conf;
    unsigned count = 0;

    for (unsigned k = 0; k < conf->nservices && count < DIFFERING; k++) {
        unsigned i = (round * DIFFERING + k) % conf->nservices;

        if (differ(targets, n, i))
            chosen[count++] = &conf->services[i];
    }
    return count;
}

static void
ask_all(struct target *t, const struct conf_service *const *chosen, unsigned nchosen)
{
    const struct conf *conf = t->conf;
    struct request r = { .target = t };

    ask(&r, (struct question){ .about = DRIVERS });
    for (unsigned i = 0; i < conf->nprobes; i += QUESTION_PROBES) {
        unsigned left = conf->nprobes - i;

        ask(&r, (struct question){ .about = PROBES,
                    .first = i,
                    .n = left < QUESTION_PROBES ? left : QUESTION_PROBES });
    }
    for (unsigned i = 0; i < conf->nservices; i++)
        ask(&r, (struct question){ .about = A_SERVICE,
                    .service = &conf->services[i],
                    .active = t->active[i] });
    for (unsigned i = 0; i < nchosen; i++)
        ask(&r, (struct question){
                    .about = FILES, .service = chosen[i], .n = QUESTION_FILES });
    dispatch(&r);
}

/* begin - a round for @t, unless its last one is not finished. */
static void
begin(struct target *t, const struct conf_service *const *chosen, unsigned nchosen)
{
    if (t->waiting)
        return;
    t->why[0] = t->reason[0] = '\0';
    t->health = 0;
    t->load_permille = -1;
    t->heads = 0;
    t->waiting = 1; /* for ask_all(): its first message may fail at once */
    t->whole = false;
    if (t->head_first && nchosen == 0) {
        dispatch(&(struct request){ .target = t });
    } else {
        begin_whole(t);
        ask_all(t, chosen, nchosen);
    }
    settle(t);
}

static void
begin_all(struct target *targets, unsigned n)
{
    static unsigned round;
    const struct conf_service *chosen[DIFFERING];
    unsigned nchosen = choose(targets, n, round++, chosen);

    for (unsigned i = 0; i < n; i++)
        begin(&targets[i], chosen, nchosen);
}

/* begin_again - who is to be read out of turn.  When the next one is due. */
static struct mono
begin_again(struct target *targets, unsigned n, struct mono now, struct mono next)
{
    for (struct target *t = targets; t < targets + n; t++) {
        if (!t->again || t->waiting)
            continue;
        if (!mono_before(now, t->again_at))
            begin(t, NULL, 0);
        else if (mono_before(t->again_at, next))
            next = t->again_at;
    }
    return next;
}

/* gather - answers come close together: those of the next milliseconds go with the
 * first, which costs less than a round of the loop for each. */
static void
gather(void)
{
    const struct timespec pause = { .tv_nsec = GATHER_MS * 1000000 };

    nanosleep(&pause, NULL);
}

/* take_all - what has come by now: a turn takes one answer of each node. */
static void
take_all(struct pollfd *fds)
{
    for (unsigned turn = 0; turn < TURNS; turn++) {
        int no_time = 0;
        unsigned n = manager_poll(fds, &no_time);

        if (poll(fds, n, 0) <= 0)
            return;
        manager_turn(fds, n);
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
    struct mono now = mono_clock(), next = now, due;
    struct pollfd fds[MANAGER_MAX_FDS + 1];
    unsigned nfds;
    int timeout, ready;

    for (;;) {
        if (!mono_before(now, next)) {
            begin_all(targets, n);
            next = mono_add_ms(now, period_ms);
        }
        due = begin_again(targets, n, now, next);
        timeout = (int)(mono_us_between(now, due) / 1000) + 1;
        nfds = manager_poll(fds, &timeout);
        fds[nfds] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
        ready = poll(fds, nfds + 1, timeout);
        if (ready < 0 && errno != EINTR)
            log_fatal("poll: %s", strerror(errno));
        if (ready > 0 && !fds[nfds].revents)
            gather();
        if (!still_wanted(&fds[nfds]))
            return;
        manager_turn(fds, nfds);
        take_all(fds);
        if (fflush(stdout) != 0)
            return; /* nobody reads any more */
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
    static char out[65536];
    char error[CONF_ERROR_LEN], phrase[128] = "";
    struct conf *conf;

    log_init("bascule-poller", LOG_LEVEL_INFO);
    setvbuf(stdout, out, _IOFBF, sizeof out); /* lines of a turn leave together */
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
    for (unsigned i = 0; i < conf->nnodes; i++) {
        manager_close(targets[i].session);
        jv_free(targets[i].line);
    }
    manager_fini();
    conf_free(conf);
    return 0;
}
