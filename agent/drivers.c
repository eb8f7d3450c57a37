/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A driver owns the back copy of its readings while it runs; when it is done, the loop
 * exchanges front and back.  So neither waits for the other, and of a driver that
 * never comes back nothing is lost but its thread. */
#include "agent/drivers.h"

#include "lib/log.h"
#include "lib/loop.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)

static const struct driver *const all[] = { &driver_load, &driver_cpu, &driver_memory,
    &driver_pressure, &driver_disk, &driver_sensor, &driver_clock, &driver_socket,
    &driver_kernel, &driver_process, &driver_link, &driver_build };
#define NDRIVERS (sizeof all / sizeof all[0])

struct slot {
    const struct driver *driver;
    struct watch watch;
    sem_t go;
    atomic_bool done;
    unsigned front;            /* which copy the loop reads */
    struct driver_context ctx; /* of the run */
    enum watch_result result;  /* of the run */
    char said[SNAP_TEXT];      /* of the run */
    char text[SNAP_TEXT];      /* what goes with the shown verdict */
    enum watch_state state;    /* as last logged */
};

/* The two copies: a driver touches its own part only. */
static struct readings copies[2];
static struct slot slots[NDRIVERS];
static struct driver_context context;
static int wake = -1, changes = -1;

static void *
run(void *arg)
{
    struct slot *s = arg;

    for (;;) {
        while (sem_wait(&s->go) < 0)
            ;
        s->said[0] = '\0';
        s->result = s->driver->read(&copies[!s->front], &s->ctx, s->said);
        atomic_store(&s->done, true);
        if (eventfd_write(wake, 1) < 0)
            log_warn("driver %s: cannot tell that it is done", s->driver->name);
    }
    return NULL;
}

static void
start_thread(struct slot *s)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t mask, before;
    int ret;

    sigfillset(&mask); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    ret = pthread_create(&thread, &attr, run, s);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ret)
        log_fatal("driver %s: no thread: %s", s->driver->name, strerror(ret));
}

void
drivers_start(const struct driver_context *ctx)
{
    context = *ctx;
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0)
        log_fatal("eventfd: %s", strerror(errno));
    changes = driver_link_fd();
    for (unsigned i = 0; i < NDRIVERS; i++) {
        slots[i].driver = all[i];
        sem_init(&slots[i].go, 0, 0);
        start_thread(&slots[i]);
    }
}

void
drivers_pids(const pid_t pids[CONF_MAX_SERVICES])
{
    memcpy(context.pids, pids, sizeof context.pids);
}

void
drivers_poll(struct pollfd fds[DRIVERS_FDS])
{
    fds[0] = (struct pollfd){ .fd = wake, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = changes, .events = POLLIN };
}

struct mono
drivers_due(void)
{
    struct mono due = { INT64_MAX };

    for (unsigned i = 0; i < NDRIVERS; i++) {
        const struct watch_conf *c = &slots[i].driver->watch;
        struct mono at = watch_due(&slots[i].watch, c);
        struct mono limit = watch_limit(&slots[i].watch, c);

        if (mono_before(at, due))
            due = at;
        if (mono_before(limit, due))
            due = limit;
    }
    return due;
}

/* take - a run ended: its copy is the front one from now on. */
static void
take(struct slot *s, struct mono now)
{
    struct health_facts facts;
    enum health health = HEALTH_OK;
    char reason[SNAP_TEXT] = "";

    atomic_store(&s->done, false);
    s->front = !s->front;
    health_unknown(&facts);
    if (s->result == WATCH_READ && s->driver->facts) {
        s->driver->facts(&copies[s->front], &facts);
        health = health_judge(&facts, reason, sizeof reason);
    }
    watch_end(&s->watch, &s->driver->watch, now, s->result, health);
    if (s->result != WATCH_READ)
        snapshot_text(s->text, sizeof s->text, s->said);
    else if (health ==
             s->watch.health) /* else the old text goes with the old verdict */
        snapshot_text(s->text, sizeof s->text, reason);
}

static void
drain(void)
{
    char bytes[8192];
    eventfd_t n;

    if (eventfd_read(wake, &n) < 0 && errno != EAGAIN)
        log_warn("drivers: %s", strerror(errno));
    while (changes >= 0 && recv(changes, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

static bool
note_state(struct slot *s, struct mono now)
{
    static const char *const words[] = { "unknown", "ok", "stale", "hung", "failed",
        "off" };
    enum watch_state state = watch_look(&s->watch, &s->driver->watch, now);

    if (state == s->state)
        return false;
    log_info("driver %s: %s -> %s%s%s", s->driver->name, words[s->state], words[state],
        s->text[0] ? ": " : "", s->text);
    s->state = state;
    return true;
}

bool
drivers_turn(const struct pollfd fds[DRIVERS_FDS], struct mono now)
{
    bool hasty = fds[1].revents != 0, changed = false;

    drain();
    for (unsigned i = 0; i < NDRIVERS; i++) {
        struct slot *s = &slots[i];
        struct mono due;

        if (atomic_load(&s->done)) {
            take(s, now);
            changed = true;
        }
        changed |= note_state(s, now);
        due = watch_due(&s->watch, &s->driver->watch);
        if (mono_before(now, due) && !(hasty && s->driver->hasty && !s->watch.running))
            continue;
        s->ctx = context;
        watch_begin(&s->watch, now);
        sem_post(&s->go);
    }
    return changed;
}

static bool
one_runs(void)
{
    for (unsigned i = 0; i < NDRIVERS; i++)
        if (slots[i].watch.running && !atomic_load(&slots[i].done))
            return true;
    return false;
}

bool
drivers_stop(int64_t most_ms)
{
    struct mono now = mono_clock(), limit = mono_add_ms(now, most_ms);
    struct pollfd fd = { .fd = wake, .events = POLLIN };

    while (one_runs() && mono_before(now, limit)) {
        poll(&fd, 1, (int)(mono_us_between(now, limit) / 1000) + 1);
        drain();
        now = mono_clock();
    }
    return !one_runs();
}

/* fresh - the readings of @driver, if they may be believed. */
static const struct readings *
fresh(const struct driver *driver, struct mono now)
{
    for (unsigned i = 0; i < NDRIVERS; i++)
        if (slots[i].driver == driver) {
            enum watch_state state = watch_look(&slots[i].watch, &driver->watch, now);

            return state == WATCH_OK ? &copies[slots[i].front] : NULL;
        }
    return NULL;
}

/* copy_rows - @n rows of @table, each with its index. */
static void
copy_rows(struct snapshot *s, enum snapshot_table table, const void *rows, uint32_t n)
{
    const struct mib_table *t = &snapshot_tables[table];

    for (uint32_t i = 0; i < n; i++) {
        const struct mib_row *from = (const void *)((const char *)rows + i * t->size);
        void *to = snapshot_row(s, table, from->index, from->nindex);

        if (to)
            memcpy(to, from, t->size);
    }
}

static void
show_node(struct node_row *row, struct mono now)
{
    const struct readings *r = fresh(&driver_load, now);

    row->load1 = r ? r->load.average[0] : MIB_NONE;
    row->load5 = r ? r->load.average[1] : MIB_NONE;
    row->load15 = r ? r->load.average[2] : MIB_NONE;
    row->processors = r ? r->load.processors : MIB_NONE;
    r = fresh(&driver_memory, now);
    row->memory_total = r ? r->memory.total : MIB_NONE;
    row->memory_available = r ? r->memory.available : MIB_NONE;
    r = fresh(&driver_disk, now);
    row->disk_total = r && r->disk.n ? r->disk.v[0].total : MIB_NONE;
    row->disk_free = r && r->disk.n ? r->disk.v[0].free : MIB_NONE;
}

static void
show_load(struct resource_row *row, struct mono now)
{
    const struct readings *r = fresh(&driver_cpu, now);

    if (r) {
        row->cpu_busy = r->cpu.busy;
        row->cpu_user = r->cpu.user;
        row->cpu_system = r->cpu.system;
        row->cpu_iowait = r->cpu.iowait;
        row->cpu_steal = r->cpu.steal;
    }
    r = fresh(&driver_memory, now);
    if (r) {
        row->swap_total = r->memory.swap_total;
        row->swap_free = r->memory.swap_free;
    }
    r = fresh(&driver_pressure, now);
    if (r) {
        row->pressure_cpu = r->pressure.cpu;
        row->pressure_memory = r->pressure.memory;
        row->pressure_memory_full = r->pressure.memory_full;
        row->pressure_io = r->pressure.io;
        row->pressure_io_full = r->pressure.io_full;
    }
}

static void
show_rest(struct resource_row *row, struct mono now)
{
    const struct readings *r = fresh(&driver_clock, now);

    row->clock_state = 0;
    if (r) {
        row->clock_state = r->clock.state;
        row->clock_offset = r->clock.offset_us;
        row->clock_max_error = r->clock.max_error_us;
    }
    r = fresh(&driver_socket, now);
    if (r) {
        row->sockets_established = r->socket.established;
        row->sockets_listening = r->socket.listening;
        row->sockets_time_wait = r->socket.time_wait;
        row->sockets_other = r->socket.other;
        row->socket_memory = r->socket.memory_kib;
    }
    r = fresh(&driver_kernel, now);
    if (r) {
        row->hardware_errors = r->kernel.errors;
        memcpy(row->hardware_last, r->kernel.last, sizeof row->hardware_last);
    }
}

/* show_builds - what is here, and which nodes have something else: that is what the
 * supervisor says. */
static void
show_builds(struct snapshot *s, const struct readings *r)
{
    copy_rows(s, SNAP_BUILD, r->build.v, r->build.n);
    copy_rows(s, SNAP_BUILD_SET, r->build.sets, r->build.nsets);
    for (uint32_t i = 0; i < s->build_sets.n; i++) {
        struct build_set_row *set = &s->build_sets.v[i];
        const struct service_row *service = mib_find(
            &snapshot_tables[SNAP_SERVICE], s, set->row.index, set->row.nindex);

        if (service)
            memcpy(set->differs, service->differs, sizeof set->differs);
    }
}

static void
show_rows(struct snapshot *s, struct mono now)
{
    const struct readings *r;

    if ((r = fresh(&driver_disk, now)))
        copy_rows(s, SNAP_DISK, r->disk.v, r->disk.n);
    if ((r = fresh(&driver_sensor, now)))
        copy_rows(s, SNAP_SENSOR, r->sensor.v, r->sensor.n);
    if ((r = fresh(&driver_process, now)))
        copy_rows(s, SNAP_PROCESS, r->process.v, r->process.n);
    if ((r = fresh(&driver_link, now)))
        copy_rows(s, SNAP_LINK, r->link.v, r->link.n);
    if ((r = fresh(&driver_build, now)))
        show_builds(s, r);
}

/* show_loads - what the processes of each service use, of all processors. */
static void
show_loads(struct snapshot *s)
{
    const struct node_row *node = &s->node.v[0];

    for (uint32_t i = 0; i < s->processes.n && node->processors > 0; i++) {
        const struct process_row *p = &s->processes.v[i];
        struct engine_row *e = mib_find(
            &snapshot_tables[SNAP_ENGINE], s, p->row.index, p->row.nindex - 1);

        if (!e || !e->row.known || p->cpu_load < 0)
            continue;
        e->load = (e->load < 0 ? 0 : e->load) + p->cpu_load / 10 / node->processors;
    }
}

static void
show_driver(struct snapshot *s, struct slot *slot, struct mono now)
{
    uint32_t index[MIB_INDEX_MAX];
    uint32_t n = mib_index_name(index, 0, slot->driver->name);
    const struct watch *w = &slot->watch;
    struct driver_row *row = snapshot_blank(s, SNAP_DRIVER, index, n);

    if (!row)
        return;
    row->state = watch_look(&slot->watch, &slot->driver->watch, now);
    row->health = row->state == WATCH_OK ? w->health : HEALTH_UNKNOWN;
    snapshot_text(row->text, sizeof row->text,
        row->state == WATCH_HUNG ? "has not come back in time" : slot->text);
    row->period = slot->driver->watch.period_ms;
    row->timeout = slot->driver->watch.timeout_ms;
    row->age = w->any ? mono_us_between(w->ended, now) / 1000 : MIB_NONE;
    row->duration = w->any ? w->duration_us : MIB_NONE;
    row->runs = w->runs;
    row->failures = w->failures;
    row->timeouts = w->timeouts;
}

void
drivers_show(struct snapshot *s, struct mono now)
{
    static const uint32_t zero = 0;
    struct resource_row *row = snapshot_blank(s, SNAP_RESOURCE, &zero, 1);

    show_node(snapshot_numbered(s, SNAP_NODE_SCALARS, 0), now);
    show_load(row, now);
    show_rest(row, now);
    show_rows(s, now);
    show_loads(s);
    for (unsigned i = 0; i < NDRIVERS; i++)
        show_driver(s, &slots[i], now);
}

void
drivers_judge(enum health *verdict, char *reason, size_t size, struct mono now)
{
    char text[SNAP_TEXT];

    for (unsigned i = 0; i < NDRIVERS; i++) {
        struct slot *s = &slots[i];

        switch (watch_look(&s->watch, &s->driver->watch, now)) {
        case WATCH_HUNG:
        case WATCH_STALE:
            snprintf(text, sizeof text, "driver %s hangs", s->driver->name);
            health_add(verdict, reason, size, HEALTH_DEGRADED, text);
            break;
        case WATCH_OK:
            if (s->driver->counts)
                health_add(verdict, reason, size, s->watch.health, s->text);
            break;
        default:
            break;
        }
    }
}
