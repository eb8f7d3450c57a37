/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo.c - `bascule demo`: a redis server whose host fails four times, and clients that
 * do not notice.  What it does it does with this program's own commands. */
#include "lib/ctl.h"
#include "lib/fd.h"
#include "lib/loop.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/demo_client_link.h"
#include "supervisor/cli/lab.h"
#include "supervisor/cli/lab_programs.h"
#include "supervisor/cli/lab_wait.h"
#include "supervisor/cli/run.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAB "demo"
#define SERVICE "redis"
#define ADDRESS "10.77.1.100"
#define CONNECTIONS 20
#define MAX_EVENTS 8
#define AFTER_MS 1500   /* an event's gap is measured up to here */
#define SETTLE_MS 1500  /* of undisturbed load before it */
#define CHANGE_MS 15000 /* for another node to be active */
#define PROTECT_S 30

static const char conf_text[] =
    "service \"" SERVICE "\" {\n"
    "  addresses = { \"" ADDRESS "/24\" }\n"
    "  device    = \"eth0\"\n"
    "  command   = { \"redis-server\", \"--port\", \"6379\", \"--save\", \"\",\n"
    "                \"--protected-mode\", \"no\", \"--enable-debug-command\", \"yes\" "
    "}\n"
    "  user      = \"redis\"\n"
    "  policy    = \"commit\"\n"
    "  checkpoint-interval = 20\n"
    "  checkpoint-spacing  = 2\n"
    "}\n";

struct demo {
    const char *json_path; /* NULL: none */
    const char *bin;
    const char *self; /* path of this program */
    struct mono start;
    struct demo_client client;
    struct jv *events;  /* owned: what each one cost */
    char wait_for[300]; /* what was missing when time ran out */
    bool keep;          /* leave the lab up */
};

static void __attribute__((format(printf, 2, 3)))
tell(const struct demo *d, const char *fmt, ...)
{
    va_list ap;

    printf("[%6.2f s] ", (double)mono_us_between(d->start, mono_clock()) / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
}

/* ---- this program's own commands ---- */

#define MAX_WORDS 16

static int
bascule(const struct demo *d, const char *const words[])
{
    const char *argv[MAX_WORDS] = { d->self };
    int n = 1;

    while (n < MAX_WORDS - 1 && words[n - 1]) {
        argv[n] = words[n - 1];
        n++;
    }
    return run_program(argv, NULL, -1);
}

#define BASCULE(d, ...) bascule(d, (const char *const[]){ __VA_ARGS__, NULL })

static bool
load(struct lab *lab)
{
    return lab_load(lab, LAB) == 0;
}

/* ---- what the cluster says ---- */

static bool
active_node(const struct jv *status, char out[16])
{
    const struct jv *services = jv_get(status, "services");
    const char *active = jv_str(jv_at(services, 0), "active", "");

    snprintf(out, 16, "%s", active);
    return *active != '\0';
}

/* Waits for another active node than @before ("": any). */
static bool
wait_active(const char *before, char out[16])
{
    struct mono end = mono_add_ms(mono_clock(), CHANGE_MS);
    struct lab lab;

    while (load(&lab) && mono_before(mono_clock(), end)) {
        struct jv *status = lab_cluster_status(&lab);
        bool ok = jv_bool(status, "quorate", false) && active_node(status, out) &&
                  strcmp(out, before) != 0;

        jv_free(status);
        if (ok)
            return true;
        usleep(20000);
    }
    return false;
}

/* Every other node holds a clone that is ready: those that came back, too. */
static bool
all_ready(const struct jv *status)
{
    const struct jv *service = jv_at(jv_get(status, "services"), 0);
    const struct jv *standbys = jv_get(service, "standbys");
    size_t ready = 0;

    for (size_t i = 0; i < jv_len(standbys); i++)
        ready += !strcmp(jv_str(jv_at(standbys, i), "state", ""), "ready");
    return ready + 1 >= jv_len(jv_get(status, "nodes"));
}

static bool
wait_protected(struct demo *d)
{
    struct mono end = mono_add_ms(mono_clock(), PROTECT_S * 1000);
    struct lab lab;
    char where[16];

    while (load(&lab) && mono_before(mono_clock(), end)) {
        struct jv *status = lab_cluster_status(&lab);
        bool ok = !lab_missing(&lab, status, d->wait_for, sizeof d->wait_for);

        if (ok && !all_ready(status)) {
            snprintf(d->wait_for, sizeof d->wait_for, "a standby is not ready yet");
            ok = false;
        }
        if (ok && active_node(status, where))
            tell(d, "protected: active on %s, standbys ready", where);
        jv_free(status);
        if (ok)
            return true;
        usleep(50000);
    }
    tell(d, "not protected after %d s: %s", PROTECT_S, d->wait_for);
    return false;
}

/* ---- events ---- */

enum event_kind { SWITCH_OVER, CRASH, CUT };

static const struct {
    const char *name, *told;
} kinds[] = {
    [SWITCH_OVER] = { "switchover", "hands its service over" },
    [CRASH] = { "crash", "crashes: all of it gone, cables too" },
    [CUT] = { "cut", "is cut off from both networks" },
};

static int
inflict(struct demo *d, enum event_kind kind, const char *node)
{
    if (kind == CRASH)
        return BASCULE(d, "lab", "fault", "--name", LAB, "crash", node);
    if (kind == CUT)
        return BASCULE(d, "lab", "fault", "--name", LAB, "cut", node);
    return BASCULE(d, "lab", "exec", "--name", LAB, node, "--",
        "/run/bascule-lab/bin/bascule", "switchover", SERVICE);
}

static void
keep_result(struct demo *d, const char *name, const char *from, const char *to,
    const struct jv *seen)
{
    struct jv *e = jv_object();

    jv_set_str(e, "event", name);
    jv_set_str(e, "node", from);
    jv_set_str(e, "to", to);
    jv_set_double(e, "blackout_ms", jv_double(seen, "blackout_ms", -1));
    jv_set_int(e, "connections_kept", jv_int(seen, "connections_kept", 0));
    jv_set_int(e, "connections_broken",
        jv_int(seen, "connections_broken", CONNECTIONS) + jv_int(seen, "silent", 0));
    jv_set_int(e, "wrong_bytes", jv_int(seen, "wrong_bytes", -1));
    jv_push(d->events, e);
}

static bool
one_event(struct demo *d, enum event_kind kind)
{
    char from[16] = "?", to[16] = "?";
    struct jv *seen = NULL;
    bool ok = wait_active("", from);

    usleep(SETTLE_MS * 1000);
    tell(d, "%s %s", from, kinds[kind].told);
    ok = ok && demo_client_mark(&d->client, kinds[kind].name);
    ok = ok && inflict(d, kind, from) == 0;
    if (ok && !wait_active(from, to)) {
        tell(d, "no other node became active within %d s", CHANGE_MS / 1000);
        ok = false;
    }
    usleep(AFTER_MS * 1000);
    seen = demo_client_report(&d->client);
    keep_result(d, kinds[kind].name, from, to, seen);
    tell(d,
        "active on %s; the clients' longest wait: %.0f ms, %d of %d connections kept",
        to, jv_double(seen, "blackout_ms", -1),
        (int)(jv_int(seen, "connections_kept", 0) - jv_int(seen, "silent", 0)),
        CONNECTIONS);
    ok = ok && seen;
    jv_free(seen);
    if (kind == CRASH && ok) {
        tell(d, "%s is started again", from);
        ok = BASCULE(d, "lab", "fault", "--name", LAB, "restart", from) == 0;
    } else if (kind == CUT && ok) {
        tell(d, "%s is plugged in again", from);
        ok = BASCULE(d, "lab", "fault", "--name", LAB, "heal", from) == 0;
    }
    return ok && wait_protected(d);
}

/* ---- the result ---- */

static void
print_row(const struct jv *e)
{
    printf("%-12s %-6s %-6s %9.0f ms %6lld %8lld %8lld\n", jv_str(e, "event", "?"),
        jv_str(e, "node", "-"), jv_str(e, "to", "-"), jv_double(e, "blackout_ms", -1),
        (long long)jv_int(e, "connections_kept", 0),
        (long long)jv_int(e, "connections_broken", 0),
        (long long)jv_int(e, "wrong_bytes", 0));
}

/* True if no connection broke, and every acknowledged byte was there. */
static bool
print_result(struct demo *d, const struct jv *last)
{
    int64_t broken = 0, wrong = 0;
    bool ok;

    printf("\n%-12s %-6s %-6s %12s %6s %8s %8s\n", "EVENT", "FROM", "TO", "BLACKOUT",
        "KEPT", "BROKEN", "WRONG");
    for (size_t i = 0; i < jv_len(d->events); i++) {
        const struct jv *e = jv_at(d->events, i);

        print_row(e);
        broken += jv_int(e, "connections_broken", 0);
    }
    wrong = jv_int(last, "wrong_bytes", -1);
    if (jv_int(last, "connections_broken", CONNECTIONS) > broken)
        broken = jv_int(last, "connections_broken", CONNECTIONS);
    ok = last && !broken && !wrong && jv_int(last, "lost_writes", -1) == 0 &&
         jv_len(d->events) == 4;
    printf(
        "\n%lld requests, %lld connections broken, %lld wrong bytes, %lld acknowledged "
        "writes lost; latency %.1f ms (median)\n",
        (long long)jv_int(last, "requests", 0), (long long)broken, (long long)wrong,
        (long long)jv_int(last, "lost_writes", -1),
        jv_double(last, "median_latency_ms", -1));
    printf("%s\n", ok ? "Every client went on over its old connection."
                      : "The demo FAILED: see above.");
    return ok;
}

static bool
write_json(struct demo *d, const struct jv *last, bool ok)
{
    struct jv *j = jv_object();
    char *text;
    int ret;

    if (!d->json_path)
        return true;
    jv_set_bool(j, "ok", ok);
    jv_set(j, "events", jv_copy(d->events));
    if (last)
        jv_set(j, "client", jv_copy(last));
    text = jv_text(j, true);
    ret = file_write(d->json_path, text);
    if (ret < 0)
        cli_error("%s: %s", d->json_path, strerror(-ret));
    free(text);
    jv_free(j);
    return ret == 0;
}

/* ---- from beginning to end ---- */

static bool
bring_up(struct demo *d)
{
    const char *const with_bin[] = { "lab", "up", "--name", LAB, "--bindir", d->bin,
        d->wait_for, NULL };
    const char *const plain[] = { "lab", "up", "--name", LAB, d->wait_for, NULL };
    bool ok;

    snprintf(
        d->wait_for, sizeof d->wait_for, "/tmp/bascule-demo.%d.conf", (int)getpid());
    if (file_write(d->wait_for, conf_text) < 0)
        return false;
    tell(d, "a lab of three nodes, with %s on %s", SERVICE, ADDRESS);
    ok = bascule(d, d->bin ? with_bin : plain) == 0;
    unlink(d->wait_for);
    return ok;
}

static bool
fill(struct demo *d)
{
    tell(d, "100 MB of data go in (DEBUG POPULATE 100000 x 1000 bytes)");
    return BASCULE(d, "lab", "exec", "--name", LAB, "client", "--", "redis-cli", "-h",
               ADDRESS, "DEBUG", "POPULATE", "100000", "key", "1000") == 0;
}

static bool
run_events(struct demo *d)
{
    static const enum event_kind order[] = { SWITCH_OVER, CRASH, CRASH, CUT };

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (!one_event(d, order[i]))
            return false;
    return true;
}

static int
run(struct demo *d)
{
    struct jv *last = NULL;
    bool ok;

    ok = bring_up(d) && fill(d) && wait_protected(d);
    if (ok) {
        tell(d, "%d clients connect, write and read", CONNECTIONS);
        ok = demo_client_start(&d->client, d->self, LAB, ADDRESS, 6379, CONNECTIONS);
    }
    if (ok) {
        ok = run_events(d);
        tell(d, "last check: every acknowledged write is read back");
        last = demo_client_stop(&d->client);
        ok = print_result(d, last) && ok;
    }
    ok = write_json(d, last, ok) && ok;
    jv_free(last);
    if (d->keep)
        printf("The lab is left up: bascule lab status --name %s\n", LAB);
    else if (BASCULE(d, "lab", "down", "--name", LAB) != 0)
        ok = false;
    return ok ? CLI_OK : CLI_FAILED;
}

static bool
read_options(int argc, char **argv, struct demo *d)
{
    static const struct option options[] = {
        { "json", required_argument, NULL, 'j' },
        { "bindir", required_argument, NULL, 'b' },
        { "keep", no_argument, NULL, 'k' },
        { 0 },
    };
    int c;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j')
            d->json_path = optarg;
        else if (c == 'b')
            d->bin = optarg;
        else if (c == 'k')
            d->keep = true;
        else
            return false;
    }
    return optind == argc;
}

int
demo_cmd(const struct cli *cli, int argc, char **argv)
{
    struct demo d = { .client = DEMO_CLIENT_NONE };
    char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int code;

    (void)cli;
    if (!read_options(argc, argv, &d))
        return cli_usage("demo [--json FILE] [--keep]");
    self[n > 0 ? n : 0] = '\0';
    d.self = self;
    d.start = mono_clock();
    d.events = jv_array();
    signal(SIGPIPE, SIG_IGN);
    code = run(&d);
    jv_free(d.events);
    return code;
}
