/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_loop.c - checkpoints of running programs, verified page by page; and the
 * engine's death at random moments, which they must survive.
 *
 *     ckpt_loop [SCENARIO [CHECKPOINTS or KILLS [INTERVAL_MS]]]
 *
 * kill-APP, heal-APP: the engine dies, at any moment, amid an injected call; each-APP:
 * every descriptor is looked at, as on a kernel without the survey.
 *
 * Without arguments all scenarios run, as "make check" wants it.  Needs root (77
 * otherwise); everything happens in a network namespace of its own. */
#include "lib/loop.h"
#include "sockmig/ckpt/inject.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/image_alloc.h"
#include "tests/scenario/ckpt_shadow.h"
#include "tests/scenario/ckpt_targets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ROWS 10000
#define ENCODED (64u << 20)
#define PRECOPY_BYTES (8u << 20)

struct run {
    struct target *target;
    struct image im;
    struct pages pages;
    struct parcels parcels;
    struct shadow *shadow; /* NULL: not verified */
    struct target_timing *rows;
    size_t *bytes;
    unsigned nrows, given_up;
    uint8_t *encoded;
};

static void
say_refusals(const struct refusals *why)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++)
        fprintf(stderr, "refused: descriptor %d: %s; %s\n", why->v[i].fd,
            why->v[i].what, why->v[i].cure);
}

static struct run *
run_new(pid_t pid, bool verify)
{
    struct run *r = calloc(1, sizeof *r);
    struct refusals why;
    int ret;

    if (!r || image_alloc(&r->im) < 0 ||
        pages_init(&r->pages, 4ull << 30, 64 << 20) < 0 ||
        parcels_init(&r->parcels, 256 << 20) < 0)
        abort();
    r->rows = calloc(MAX_ROWS, sizeof *r->rows);
    r->bytes = calloc(MAX_ROWS, sizeof *r->bytes);
    r->encoded = malloc(ENCODED);
    r->shadow = verify ? shadow_new() : NULL;
    ret = target_attach(pid, &r->target, &why);
    if (ret < 0) {
        say_refusals(&why);
        fprintf(stderr, "attach: %s\n", strerror(-ret));
        exit(1);
    }
    return r;
}

static void
run_free(struct run *r)
{
    target_detach(r->target);
    shadow_free(r->shadow);
    image_release(&r->im);
    pages_fini(&r->pages);
    parcels_fini(&r->parcels);
    free(r->rows);
    free(r->bytes);
    free(r->encoded);
    free(r);
}

/* Through a buffer that is too small for it, which must lose nothing. */
static void
precopy(struct run *r)
{
    struct pages small;
    int ret = pages_init(&small, PRECOPY_BYTES, 0);

    do {
        pages_reset(&small);
        ret = ret < 0 && ret != -ENOSPC ? ret : target_precopy(r->target, &small);
        if (r->shadow)
            shadow_apply(r->shadow, NULL, &small);
    } while (ret == -ENOSPC);
    pages_fini(&small);
    if (ret < 0) {
        fprintf(stderr, "precopy: %s\n", strerror(-ret));
        exit(1);
    }
}

static void
mark(void *arg)
{
    ++*(unsigned *)arg;
}

/* One checkpoint; as often as it takes. */
static void
checkpoint(struct run *r, bool stay_stopped)
{
    unsigned marks = 0;
    /* Now and then somebody else reads its pages for a while. */
    struct target_request req = { .mark = mark,
        .arg = &marks,
        .stop_limit_ms = 50,
        .stay_stopped = stay_stopped,
        .settled = r->nrows % 64 < 60 };
    struct target_timing timing;
    struct refusals why;
    const char *broken;
    int ret;

    do {
        pages_reset(&r->pages);
        parcels_reset(&r->parcels);
        ret = target_checkpoint(
            r->target, &req, &r->im, &r->pages, &r->parcels, &timing, &why);
        r->given_up += ret == -EAGAIN;
        if (ret == -EAGAIN)
            target_serve(r->target, mono_add_ms(mono_clock(), 5), -1);
    } while (ret == -EAGAIN);
    if (ret < 0) {
        say_refusals(&why);
        fprintf(stderr, "checkpoint: %s\n", strerror(-ret));
        exit(1);
    }
    broken = image_check(&r->im);
    if (broken || image_encode(&r->im, r->encoded, ENCODED) == 0) {
        fprintf(stderr, "image: %s\n", broken ? broken : "does not fit");
        exit(1);
    }
    if (r->shadow)
        shadow_apply(r->shadow, &r->im, &r->pages);
    if (r->nrows < MAX_ROWS) {
        r->bytes[r->nrows] = r->pages.size;
        r->rows[r->nrows++] = timing;
    }
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Median of the member at @offset of rows 1.. (the first one reads more). */
static uint32_t
median(const struct run *r, size_t offset, double at)
{
    static uint32_t v[MAX_ROWS];
    unsigned n = 0;

    for (unsigned i = 1; i + 1 < r->nrows; i++)
        memcpy(&v[n++], (const char *)&r->rows[i] + offset, sizeof v[0]);
    qsort(v, n, sizeof v[0], by_value);
    return n ? v[(unsigned)((n - 1) * at)] : 0;
}

static void
say_medians(const struct run *r, const char *name)
{
    static const struct {
        const char *name;
        size_t offset;
    } columns[] = {
        { "stop", offsetof(struct target_timing, stop) },
        { "threads", offsetof(struct target_timing, threads) },
        { "fds", offsetof(struct target_timing, fds) },
        { "sockets", offsetof(struct target_timing, sockets) },
        { "maps", offsetof(struct target_timing, maps) },
        { "scan", offsetof(struct target_timing, scan) },
        { "read", offsetof(struct target_timing, read) },
        { "resume", offsetof(struct target_timing, resume) },
    };
    size_t bytes = 0, pause = offsetof(struct target_timing, pause);

    for (unsigned i = 1; i < r->nrows; i++)
        bytes += r->bytes[i];
    printf("%s: %u checkpoints, %u threads, %u mappings, %u descriptors, %zu kB each; "
           "pause us median %u p99 %u:",
        name, r->nrows, r->im.nthreads, r->im.nvmas, r->im.nfds,
        bytes / 1000 / (r->nrows > 1 ? r->nrows - 1 : 1), median(r, pause, 0.5),
        median(r, pause, 0.99));
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        printf(" %s %u", columns[i].name, median(r, columns[i].offset, 0.5));
    printf("; given up %u times\n", r->given_up);
    fflush(stdout);
}

/* Checkpoints of @app, the sum of them compared with the stopped process. */
static int
scenario_loop(const struct app *app, unsigned count, unsigned interval_ms)
{
    struct app_state st;
    struct run *r;
    long compared = 0, bad;
    int ret = app_start(app, &st);

    if (ret != 0)
        return ret;
    r = run_new(st.pid, true);
    precopy(r);
    precopy(r);
    for (unsigned i = 0; i < count; i++) {
        struct mono next = mono_add_ms(mono_clock(), interval_ms);

        checkpoint(r, i == count - 1);
        if (i == count / 2)
            app_halfway(app, &st);
        if (i < count - 1 && target_serve(r->target, next, -1) < 0) {
            fprintf(stderr, "%s ended with status %d\n", app->name,
                target_exit_status(r->target));
            return 1;
        }
    }
    bad = shadow_compare(r->shadow, st.pid, &r->im, &compared);
    target_resume(r->target);
    say_medians(r, app->name);
    printf("%s: %ld pages compared, %ld differ\n", app->name, compared, bad);
    run_free(r);
    ret = app_check(app, &st);
    app_stop(app, &st);
    return bad != 0 || compared < 100 || ret != 0;
}

static int ready[2] = { -1, -1 }; /* pipe: the engine is at work */

static void
say_ready(void)
{
    if (ready[1] >= 0 && write(ready[1], "r", 1) == 1) {
        close(ready[1]);
        ready[1] = -1;
    }
}

/* Start an engine; every other time wait until it is at work. */
static pid_t
start_engine(pid_t pid, void (*engine_is)(pid_t), bool wait)
{
    pid_t engine;
    char c;

    if (pipe(ready) < 0)
        abort();
    engine = fork();
    if (engine == 0)
        engine_is(pid);
    close(ready[1]);
    if (wait && read(ready[0], &c, 1) != 1)
        fprintf(stderr, "the engine did not start\n");
    close(ready[0]);
    return engine;
}

static int
open_mem(pid_t pid)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The engine, until it is killed. */
static void
engine_main(pid_t pid)
{
    struct run *r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    r = run_new(pid, false);
    precopy(r);
    for (;;) {
        checkpoint(r, false);
        say_ready();
        if (target_serve(r->target, mono_add_ms(mono_clock(), 3), -1) < 0)
            exit(0);
    }
}

/* An engine that does nothing but injecting calls, until it is killed: with luck, in
 * the middle. */
static void
injector_main(pid_t pid)
{
    const struct inject_call call = { .nr = SYS_getppid };
    struct trace trace;
    struct inject inject;
    int mem, ret;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    mem = open_mem(pid);
    ret = mem < 0 ? mem : trace_open(&trace, pid);
    while (ret == 0 || ret == -EAGAIN)
        if ((ret = trace_stop(&trace, 100000)) == 0)
            break;
    if (ret == 0)
        ret = inject_open(&inject, &trace, mem, NULL, 0);
    say_ready();
    while (ret == 0) {
        for (unsigned i = 0; i < trace.nthreads && ret == 0; i++)
            ret = inject_run(&inject, &trace.threads[i], &call, 1, NULL, NULL);
        trace_resume(&trace);
        if (ret == 0)
            ret = trace_serve(&trace, mono_add_us(mono_clock(), 200), -1);
        while (ret == 0 && (ret = trace_stop(&trace, 100000)) == -EAGAIN)
            ret = 0;
    }
    fprintf(stderr, "injector: %s\n", strerror(-ret));
    exit(1);
}

/* Shared with the engines, so that what a killed one left can be undone. */
static volatile struct repair_note *
note_new(void)
{
    void *p = mmap(NULL, sizeof *repair_note, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        abort();
    ((struct repair_note *)p)->fd = -1;
    return p;
}

/* Kill the engine @count times at random moments after its start. */
static int
scenario_kill(const struct app *app, unsigned count, void (*engine_is)(pid_t))
{
    struct app_state st;
    unsigned aborted = 0;
    int ret = app_start(app, &st), status;

    if (ret != 0)
        return ret;
    srandom((unsigned)getpid());
    repair_note = note_new();
    for (unsigned i = 0; i < count && ret == 0; i++) {
        pid_t engine = start_engine(st.pid, engine_is, i % 2);

        usleep((useconds_t)(random() % (i % 2 ? 3000 : 60000)));
        kill(engine, SIGKILL);
        waitpid(engine, &status, 0);
        repair_leave(st.pid, repair_note);
        repair_note->fd = -1;
        aborted += WIFEXITED(status);
        if (!app_lives(app, &st)) {
            fprintf(stderr, "%s died with engine %u\n", app->name, i + 1);
            ret = 1;
        }
    }
    if (ret == 0)
        ret = app_check(app, &st);
    printf("%s: engine killed %u times, gave up by itself %u times: target %s\n",
        app->name, count, aborted, ret ? "is harmed" : "unharmed");
    app_stop(app, &st);
    return ret != 0 || aborted > 0;
}

static int
run_one(const char *name, unsigned count, unsigned interval_ms)
{
    bool kill_it = !strncmp(name, "kill-", 5), heal_it = !strncmp(name, "heal-", 5);
    bool each = !strncmp(name, "each-", 5);
    const struct app *app = app_find(kill_it || heal_it || each ? name + 5 : name);

    if (!app) {
        fprintf(stderr, "no scenario %s\n", name);
        return 2;
    }
    survey_allow(!each);
    if (kill_it || heal_it)
        return scenario_kill(app, count, kill_it ? engine_main : injector_main);
    return scenario_loop(app, count, interval_ms);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned count, interval_ms;
    } all[] = { { "app", 200, 5 }, { "churn", 100, 5 }, { "kill-app", 30, 0 },
        { "kill-churn", 15, 0 }, { "heal-app", 30, 0 }, { "redis", 200, 10 },
        { "growth", 200, 10 }, { "each-app", 50, 5 }, { "each-redis-load", 50, 10 },
        { "redis-rest", 30, 20 }, { "redis-load", 100, 20 }, { "redis-save", 60, 20 },
        { "kill-redis", 15, 0 } };
    int failed = 0;

    if (!apps_prepare())
        return 77;
    if (argc > 1)
        return run_one(argv[1], argc > 2 ? (unsigned)atoi(argv[2]) : 200,
            argc > 3 ? (unsigned)atoi(argv[3]) : 20);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int ret = run_one(all[i].name, all[i].count, all[i].interval_ms);

        if (ret == 77)
            printf("%s: skipped, its program is not installed\n", all[i].name);
        else if (ret != 0)
            printf("%s: FAILED\n", all[i].name);
        failed += ret != 0 && ret != 77;
    }
    return failed ? 1 : 0;
}
