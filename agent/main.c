/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - bascule-agent: serves the MIB, turns SETs into orders, sends notifications.
 */
#include "agent/agentx.h"
#include "agent/core/health.h"
#include "agent/core/polled.h"
#include "agent/core/story.h"
#include "agent/feed.h"
#include "agent/fill.h"
#include "agent/options.h"
#include "agent/order.h"
#include "agent/readers.h"
#include "lib/conf.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define READ_MS 1000  /* the node itself is read this often */
#define ORDER_MS 5000 /* an order not answered by then is given up */
#define NOTICES_A_TURN 16
#define OWN_FDS (2 + READERS_FDS)
#define ID_ORDER 1000 /* + number of the order since the start */
#define ID_REFUSED 999

struct agent {
    struct conf *conf;             /* owned; an empty one while the file is no good */
    const struct options *options; /* borrowed */
    char conf_error[CONF_ERROR_LEN];
    char name[SNAP_NAME];
    struct feed *sockmigd, *basculed;
    enum liveness corosync;
    struct mono now, read_at;
    struct snapshot snaps[2];
    unsigned shown; /* which of them is served */
    struct notify notify;
    struct desk desk, desk_before; /* .desk_before: to undo a SET */
    uint32_t order_to_send;        /* serial of the order to forward, 0: none */
    bool stale;                    /* the snapshot must be made anew */
    bool fresh;                    /* it was, since the readers looked at it */
};

static volatile sig_atomic_t stopping;

static void
on_signal(int signo)
{
    (void)signo;
    stopping = 1;
}

static int64_t
wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct snapshot *
shown(struct agent *a)
{
    return &a->snaps[a->shown];
}

static int64_t
fails(enum liveness l)
{
    return l == LIVE_UNKNOWN ? -1 : l != LIVE_ANSWERING;
}

static void
show_program(struct snapshot *s, const char *name, enum liveness state, int64_t age_ms)
{
    struct program_row *row = snapshot_named(s, SNAP_PROGRAM, name);

    row->row.known = true;
    row->state = state;
    row->age_ms = age_ms;
}

static void
show_interfaces(struct agent *a, struct snapshot *s)
{
    for (unsigned i = 0; i < a->conf->nservices; i++) {
        const char *device = a->conf->services[i].device;
        struct interface_row *row = snapshot_named(s, SNAP_INTERFACE, device);

        if (!row)
            continue;
        if (!row->row.known)
            row->state = driver_interface(a->options->sys, device);
        row->row.known = true;
        row->services++;
    }
}

static void
show_node(struct agent *a, struct snapshot *s)
{
    struct node_row *row = snapshot_numbered(s, SNAP_NODE_SCALARS, 0);
    enum health health;
    struct health_facts f;

    row->row.known = true;
    snapshot_text(row->name, sizeof row->name, a->name);
    snapshot_text(row->version, sizeof row->version, VERSION);
    readers_show(s, a->now);
    show_interfaces(a, s);
    health_unknown(&f);
    f.reading[HEALTH_SOCKMIGD] = fails(feed_state(a->sockmigd));
    f.reading[HEALTH_BASCULED] = fails(feed_state(a->basculed));
    f.reading[HEALTH_COROSYNC] = fails(a->corosync);
    if (s->cluster.v[0].row.known)
        f.reading[HEALTH_JOURNAL] = s->cluster.v[0].journal_error[0] != '\0';
    f.broken = a->conf_error[0] ? a->conf_error : NULL;
    health = health_judge(&f, row->health_reason, sizeof row->health_reason);
    readers_judge(&health, row->health_reason, sizeof row->health_reason, a->now);
    row->health = health;
    show_program(
        s, "sockmigd", feed_state(a->sockmigd), feed_age_ms(a->sockmigd, a->now));
    show_program(
        s, "basculed", feed_state(a->basculed), feed_age_ms(a->basculed, a->now));
    show_program(s, "corosync", a->corosync, MIB_NONE);
    row->rows_dropped = s->rows_dropped;
    polled_digest(s, row->digest);
}

static void
show_sockmigd(struct agent *a, struct snapshot *s)
{
    const struct jv *status = feed_doc(a->sockmigd, FEED_STATUS);
    struct sockmig_row *row = snapshot_numbered(s, SNAP_SOCKMIG, 0);

    row->state = feed_state(a->sockmigd);
    row->row.known = status != NULL;
    row->age_ms = feed_age_ms(a->sockmigd, a->now);
    if (status)
        fill_engines(s, status, shown(a), a->now.us);
}

static void
show_basculed(struct agent *a, struct snapshot *s)
{
    const struct jv *status = feed_doc(a->basculed, FEED_STATUS);

    s->cluster.v[0].state = feed_state(a->basculed);
    s->cluster.v[0].age_ms = feed_age_ms(a->basculed, a->now);
    if (!status)
        return;
    fill_cluster(s, status);
    if (feed_doc(a->basculed, FEED_JOURNAL))
        fill_events(s, feed_doc(a->basculed, FEED_JOURNAL));
    if (feed_doc(a->basculed, FEED_ORDERS))
        fill_orders(s, feed_doc(a->basculed, FEED_ORDERS));
}

/* refresh - make a new snapshot of all that is known now, and serve it. */
static void
refresh(struct agent *a)
{
    struct snapshot *s = &a->snaps[!a->shown];

    snapshot_clear(s);
    fill_configured(s, a->conf);
    show_sockmigd(a, s);
    show_basculed(a, s);
    story_tell(s);
    show_node(a, s);
    desk_show(&a->desk, s);
    notify_compare(&a->notify, shown(a), s, a->desk.enable);
    notify_show(&a->notify, s);
    a->shown = !a->shown;
    a->stale = false;
    a->fresh = true;
    agentx_show(s);
}

/* start_readers - once the configuration is good: from then on it is not exchanged. */
static void
start_readers(const struct agent *a)
{
    const struct driver_context ctx = {
        .conf = a->conf, .state_dir = a->options->state_dir, .sys = a->options->sys
    };

    readers_start(&ctx, a->options->run_dir);
}

/* With a configuration that is no good there is no service to show, but the reason. */
static void
read_conf(struct agent *a)
{
    struct conf *conf = NULL;
    char error[CONF_ERROR_LEN] = "";

    if (!conf_load(a->options->conf, &conf, error)) {
        if (strcmp(error, a->conf_error) != 0)
            log_error("%s", error);
        memcpy(a->conf_error, error, sizeof error);
        return;
    }
    if (a->conf_error[0])
        log_info("%s is good now", a->options->conf);
    a->conf_error[0] = '\0';
    conf_free(a->conf);
    a->conf = conf;
    start_readers(a);
}

static void
read_node(struct agent *a)
{
    if (mono_before(a->now, a->read_at))
        return;
    a->read_at = mono_add_ms(a->now, READ_MS);
    if (a->conf_error[0])
        read_conf(a);
    a->corosync = driver_corosync();
    a->stale = true;
}

/* --- orders: called by agentx.c while it decides a SET --- */

static enum set_error
on_check(const struct desk_request *r, uint32_t *at, void *arg)
{
    struct agent *a = arg;

    return desk_check(&a->desk, shown(a), r, at);
}

/* Whoever may order and gets it wrong finds it in the journal, not only in the error of
 * the SET. */
static void
on_refused(const struct desk_request *r, enum set_error error, uint32_t at, void *arg)
{
    struct agent *a = arg;

    feed_ask(a->basculed, order_refusal(r, error, at), ID_REFUSED);
}

static void
on_take(const struct desk_request *r, void *arg)
{
    struct agent *a = arg;
    const struct desk_given *given;

    a->desk_before = a->desk;
    given = desk_take(&a->desk, r, mono_clock().us, wall_ms());
    a->order_to_send = given ? given->serial : 0;
}

static void
on_undo(void *arg)
{
    struct agent *a = arg;

    a->desk = a->desk_before;
    a->order_to_send = 0;
}

static void
forward(struct agent *a, const struct desk_given *g)
{
    struct jv *msg = order_message(g);

    log_info("order by SNMP: %s", order_text(g));
    if (!feed_ask(a->basculed, msg, ID_ORDER + g->serial))
        desk_answered(
            &a->desk, g->serial, false, 0, "basculed went away; is it running?");
}

static void
on_commit(void *arg)
{
    struct agent *a = arg;

    if (a->order_to_send)
        forward(a, desk_given(&a->desk, a->order_to_send));
    a->order_to_send = 0;
    refresh(a); /* the next GET must see the new lock */
}

static void
on_answer(const struct jv *msg, void *arg)
{
    struct agent *a = arg;
    bool ok = jv_bool(msg, "ok", false);
    int64_t serial = jv_int(msg, "id", 0) - ID_ORDER;
    const char *why = jv_str(msg, "error", "basculed gave no reason");

    if (serial <= 0 || serial > UINT32_MAX)
        return;
    desk_answered(&a->desk, (uint32_t)serial, ok, jv_int(msg, "order", 0), why);
    log_info("order by SNMP: %s", ok ? "accepted" : why);
    a->stale = true;
}

static void
check_order(struct agent *a)
{
    static const char why[] = "basculed did not answer; see the table of orders";
    bool answers = feed_state(a->basculed) == LIVE_ANSWERING;

    a->stale |= desk_give_up(
        &a->desk, answers ? a->now.us - ORDER_MS * 1000 : INT64_MAX, why);
}

/* --- the loop --- */

static int
until_ms(struct mono now, struct mono due, int most)
{
    int64_t ms = (mono_us_between(now, due) + 999) / 1000;

    return ms < 0 ? 0 : ms < most ? (int)ms : most;
}

static void
send_notices(struct agent *a)
{
    struct notice n;

    if (!agentx_connected())
        return;
    for (int i = 0; i < NOTICES_A_TURN && notify_take(&a->notify, a->now.us, &n); i++)
        agentx_notify(&n);
}

static int
timeout_of(const struct agent *a, struct mono readers)
{
    int timeout = READ_MS;

    timeout = until_ms(a->now, feed_due(a->sockmigd), timeout);
    timeout = until_ms(a->now, feed_due(a->basculed), timeout);
    timeout = until_ms(a->now, a->read_at, timeout);
    timeout = until_ms(a->now, readers, timeout);
    if (agentx_connected())
        timeout = until_ms(a->now, (struct mono){ notify_due(&a->notify) }, timeout);
    return timeout;
}

/* read_all - what is there to be read, by @fds.  Most turns only serve SNMP: those make
 * no system call here. */
static void
read_all(struct agent *a, const struct pollfd fds[OWN_FDS], struct mono readers)
{
    bool ready = a->fresh || !mono_before(a->now, readers);

    for (unsigned i = 2; i < OWN_FDS; i++)
        ready |= fds[i].revents != 0;
    a->stale |= feed_turn(a->sockmigd, fds[0].revents != 0, a->now);
    a->stale |= feed_turn(a->basculed, fds[1].revents != 0, a->now);
    a->fresh = false;
    if (ready)
        a->stale |= readers_turn(fds + 2, shown(a), a->now);
    read_node(a);
}

/* turn - wait, read the programs, then let the SNMP library work, which may block. */
static void
turn(struct agent *a)
{
    struct pollfd fds[AGENTX_MAX_FDS + OWN_FDS];
    struct mono readers = readers_due();
    int timeout = timeout_of(a, readers);
    unsigned n = agentx_poll(fds, &timeout);

    fds[n] = feed_poll(a->sockmigd);
    fds[n + 1] = feed_poll(a->basculed);
    readers_poll(fds + n + 2);
    if (poll(fds, n + OWN_FDS, timeout) < 0 && errno != EINTR)
        log_fatal("poll: %s", strerror(errno));
    a->now = mono_clock();
    read_all(a, fds + n, readers);
    check_order(a);
    if (a->stale)
        refresh(a);
    send_notices(a);
    agentx_turn(fds, n);
}

static void
drop_privileges(const char *user)
{
    const struct passwd *pw;

    if (geteuid() != 0)
        return;
    pw = getpwnam(user);
    if (!pw) {
        log_warn("there is no user %s: stays root; make it, or say --user", user);
        return;
    }
    if (pw->pw_uid == 0)
        return;
    if (initgroups(user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 ||
        setuid(pw->pw_uid) < 0)
        log_fatal("user %s: %s", user, strerror(errno));
}

static void
find_name(struct agent *a)
{
    const struct conf_node *self = conf_self(a->conf);

    if (self)
        snapshot_text(a->name, sizeof a->name, self->name);
    else if (gethostname(a->name, sizeof a->name - 1) < 0)
        a->name[0] = '\0';
}

static void
setup(struct agent *a, const struct options *o)
{
    char path[2][512];
    uint32_t seed = 0;

    a->options = o;
    read_conf(a);
    if (!a->conf)
        a->conf = calloc(1, sizeof *a->conf);
    if (!a->conf)
        log_fatal("out of memory");
    find_name(a);
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        log_fatal("no random numbers: %s", strerror(errno));
    desk_init(&a->desk, seed);
    snprintf(path[0], sizeof path[0], "%s/sockmigd.sock", o->run_dir);
    snprintf(path[1], sizeof path[1], "%s/basculed.sock", o->run_dir);
    a->sockmigd = feed_new("sockmigd", path[0], false, NULL, NULL);
    a->basculed = feed_new("basculed", path[1], true, on_answer, a);
    a->now = mono_clock();
    read_node(a);
    refresh(a);
}

int
main(int argc, char **argv)
{
    static struct agent agent; /* megabytes: not on the stack */
    struct options options;
    struct agentx_owner owner = { on_check, on_refused, on_take, on_undo, on_commit,
        mono_clock, &agent };
    struct sigaction sa = { .sa_handler = on_signal };

    /* a long table that was replaced goes back to the kernel: without this the limit
     * grows with the first one, and the heap is left with holes of its size */
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    options_parse(argc, argv, &options);
    log_init("bascule-agent", options.level);
    drop_privileges(options.user);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    setup(&agent, &options);
    agentx_init(options.agentx, &owner);
    while (!stopping)
        turn(&agent);
    agentx_fini();
    if (readers_stop())
        conf_free(agent.conf);
    feed_free(agent.sockmigd);
    feed_free(agent.basculed);
    return 0;
}
