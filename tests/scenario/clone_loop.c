/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clone_loop.c - services move back and forth between two hosts, again and again.
 *
 * clone_loop PROGRAM-OF-SELFCHECK [ROUNDS]
 *
 * selfcheck is killed at any moment and goes on from its last checkpoint.  redis has
 * clients; their packets are cut off before its last checkpoint (the gate that would
 * hold its output is not part of this test), and each reply is checked. */
#include "tests/scenario/clone_loop.h"

#include "sockmig/ckpt/clone.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/image_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENCODED_MAX (64u << 20)
#define MAX_ROUNDS 1000
#define CHECKPOINTS 8
#define ATTACH_TRIES 200
#define STOP_TRIES 100 /* of 100 ms: then something stands still */

struct side { /* what the standby knows */
    struct image image;
    struct pages pages;
    struct parcels parcels;
};

static struct netlab lab;
static struct side active, standby;
static uint8_t *encoded;
static int tun[2], raw[2];
static struct clone_timing timings[MAX_ROUNDS];
static char folder[] = "/tmp/bascule-clone-XXXXXX", log_path[64];

static void
die(const char *what, int ret, const struct refusals *why)
{
    printf("FAIL: %s: %s\n", what, strerror(-ret));
    for (unsigned i = 0; why && i < why->n && i < REFUSALS_MAX; i++)
        printf("  pid %d fd %d: %s; %s\n", why->v[i].pid, why->v[i].fd, why->v[i].what,
            why->v[i].cure);
    exit(1);
}

static struct mono
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct mono){ (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 };
}

static void
side_new(struct side *s)
{
    if (image_alloc(&s->image) < 0 || pages_init(&s->pages, 1u << 30, 160u << 20) < 0 ||
        parcels_init(&s->parcels, 256u << 20) < 0)
        die("memory", -ENOMEM, NULL);
}

static void
no_mark(void *arg)
{
    (void)arg;
}

/* One checkpoint, over the wire format, into the clone; makes it the first time. */
static void
checkpoint(struct target *t, struct cell_conf *conf, struct clone **c, bool last)
{
    struct target_request req = {
        .mark = no_mark, .stop_limit_ms = 100, .stay_stopped = last, .settled = true
    };
    struct target_timing timing;
    struct refusals why = { 0 };
    struct mono start = now();
    const char *error = "";
    unsigned tries = 0;
    size_t size;
    int ret;

    pages_reset(&active.pages);
    parcels_reset(&active.parcels);
    do {
        why.n = 0;
        ret = target_checkpoint(
            t, &req, &active.image, &active.pages, &active.parcels, &timing, &why);
        if (ret == -EAGAIN)
            target_serve(t, mono_add_ms(now(), 2), -1);
    } while (ret == -EAGAIN && ++tries < STOP_TRIES);
    if (ret < 0)
        die("checkpoint", ret, &why);
    size = image_encode(&active.image, encoded, ENCODED_MAX);
    if (size == 0 || !image_decode(&standby.image, encoded, size, &error))
        die(error, -EBADMSG, NULL);
    conf->clock_margin_ms = 1000 + (uint32_t)(mono_us_between(start, now()) / 1000);
    if (!*c)
        ret = clone_new(conf, &standby.image, c, &why);
    if (ret < 0)
        die("clone_new", ret, &why);
    ret = clone_apply(*c, &standby.image, &active.pages, &active.parcels);
    if (ret < 0)
        die("clone_apply", ret, NULL);
}

static void
serve(struct target *t, int ms)
{
    int ret = target_serve(t, mono_add_ms(now(), ms), -1);

    if (ret < 0)
        die("the service ended", ret, NULL);
}

/* Its tracer must see it go, or the namespace would wait for us and we for it. */
static void
kill_service(struct target *t, pid_t init)
{
    kill(init, SIGKILL);
    while (target_serve(t, mono_add_ms(now(), 1000), -1) == 0)
        ;
    target_detach(t);
    cell_kill(init);
}

static bool
has_child(pid_t pid)
{
    char path[64], text[16];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    f = fopen(path, "r");
    if (!f)
        die(path, -errno, NULL);
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    return n > 0;
}

/* A busy machine lets it wait before it heeds the disturbance. */
static void
disturb(const struct service *s, struct target *t, pid_t pid)
{
    if (!s->disturb())
        die("disturbing it", -EPROTO, NULL);
    for (unsigned i = 0; i < 1000 && !has_child(pid); i++)
        serve(t, 10);
    if (!has_child(pid))
        die("the disturbance", -ETIMEDOUT, NULL);
}

/* As the engine's thread: what it makes inherits this until it is woken. */
static void
set_realtime(bool on)
{
    struct sched_param p = { .sched_priority = on ? 10 : 0 };

    sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &p);
}

/* Checkpoints up to the last one; the clone that has them all. */
static struct clone *
follow(const struct service *s, struct target *t, struct cell_conf *conf,
    unsigned round, pid_t pid)
{
    struct clone *c = NULL;

    for (unsigned i = 0; i < CHECKPOINTS; i++) {
        checkpoint(t, conf, &c, false);
        if (i == 0 && round == 0) { /* one that is not needed goes without a trace */
            clone_free(c);
            c = NULL;
            target_forget(t);
            continue;
        }
        serve(t, 3 + (int)(random() % 20));
    }
    if (s->disturb && round % 4 == 1)
        disturb(s, t, pid);
    if (s->has_clients) {
        netlab_plug(&lab, "nobody");
        checkpoint(t, conf, &c, true);
    }
    return c;
}

static bool
is_alive(pid_t pid)
{
    char path[64], line[256], state = 'X';
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "State: %c", &state) != 1)
        ;
    if (f)
        fclose(f);
    return state != 'X' && state != 'Z';
}

/* With the patience of the engine (tree.c). */
static struct target *
attach(const struct service *s, unsigned round, pid_t pid)
{
    struct refusals why = { 0 };
    struct target *t = NULL;
    int ret = target_attach(pid, &t, &why);

    for (unsigned i = 0; ret == -ESRCH && is_alive(pid) && i < ATTACH_TRIES; i++) {
        printf("%s in round %u: not attached at once\n", s->name, round);
        usleep(500);
        ret = target_attach(pid, &t, &why);
    }
    if (ret == 0)
        return t;
    printf("FAIL: %s in round %u, process %d, %s\n", s->name, round, pid,
        is_alive(pid) ? "which is there" : "which has gone; the end of its log:");
    netlab_run(lab.client, "tail -n 5 %s | cut -c -200 | sed 's/^/FAIL: /'", log_path);
    die("target_attach", ret, &why);
    return NULL;
}

static void
takeover(const struct service *s, struct cell_conf *conf, unsigned round, pid_t *init,
    pid_t *pid)
{
    const char *const hosts[] = { "primary", "standby" };
    unsigned to = (round + 1) % 2;
    struct target *t = attach(s, round, *pid);
    struct refusals why = { 0 };
    struct clone *c = NULL;
    unsigned lost = 0;
    int ret;
    struct clone_wake_request request = {
        .im = &standby.image, .age_ms = 5, .tun = tun[to], .raw = raw[to]
    };

    conf->netns = to ? lab.standby : lab.primary;
    set_realtime(true);
    c = follow(s, t, conf, round, *pid);
    kill_service(t, *init);
    if (s->moves)
        s->moves(log_path);
    ret = clone_wake(c, &request, pid, &lost, &timings[round], &why);
    set_realtime(false);
    if (ret < 0 || lost > 0 || why.n > 0)
        die("clone_wake", ret, &why);
    if (getenv("VERBOSE"))
        printf("round %u: %u us, %u children\n", round, timings[round].total,
            standby.image.nchildren);
    *init = clone_release(c);
    netlab_plug(&lab, hosts[to]);
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t
median(unsigned rounds, size_t field)
{
    uint32_t v[MAX_ROUNDS];

    for (unsigned i = 0; i < rounds; i++)
        v[i] = *(const uint32_t *)((const char *)&timings[i] + field);
    qsort(v, rounds, sizeof v[0], compare);
    return v[rounds / 2];
}

static void
print_timings(const char *name, unsigned rounds)
{
    printf("%s: wake, median of %u: total %u us = listeners %u sockets %u protect %u "
           "process %u fds %u threads %u registers %u\n",
        name, rounds, median(rounds, offsetof(struct clone_timing, total)),
        median(rounds, offsetof(struct clone_timing, listeners)),
        median(rounds, offsetof(struct clone_timing, sockets)),
        median(rounds, offsetof(struct clone_timing, protect)),
        median(rounds, offsetof(struct clone_timing, process)),
        median(rounds, offsetof(struct clone_timing, fds)),
        median(rounds, offsetof(struct clone_timing, threads)),
        median(rounds, offsetof(struct clone_timing, registers)));
}

static void
run_service(const struct service *s, unsigned rounds)
{
    struct cell_conf conf = { .name = s->name,
        .netns = lab.primary,
        .command = s->command,
        .uid = 65534,
        .gid = 65534,
        .directory = folder,
        .log = log_path };
    char error[CELL_ERROR_LEN] = "";
    pid_t init, pid;

    truncate(log_path, 0);
    netlab_plug(&lab, "primary");
    if (cell_start(&conf, &init, &pid, error) < 0)
        die(error, -ECHILD, NULL);
    if (!s->begin(&lab, log_path))
        die("the service does not begin", -EPROTO, NULL);
    for (unsigned round = 0; round < rounds; round++) {
        takeover(s, &conf, round, &init, &pid);
        if (!s->goes_on(&lab, log_path)) {
            printf("%s: in round %u\n", s->name, round);
            die("the service does not go on", -EPROTO, NULL);
        }
    }
    for (unsigned i = 0; i < 15; i++) /* long enough to see what stands still */
        if (!s->goes_on(&lab, log_path))
            die("the service does not go on for long", -EPROTO, NULL);
    if (s->end)
        s->end();
    cell_kill(init);
    print_timings(s->name, rounds);
}

static const char *
beside_us(char path[4096])
{
    ssize_t n = readlink("/proc/self/exe", path, 4000);
    char *slash;

    path[n < 0 ? 0 : n] = '\0';
    slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "selfcheck");
    return path;
}

static void
clean(void)
{
    netlab_run(lab.client, "rm -rf %s", folder);
}

/* Where its user can get at it: the build tree need not be open to all. */
static const char *
copy_of(const char *program)
{
    static char path[64];

    snprintf(path, sizeof path, "%s/selfcheck", folder);
    if (!netlab_run(lab.client, "install -m 755 '%s' %s", program, path))
        die("copying selfcheck", -EACCES, NULL);
    return path;
}

int
main(int argc, char **argv)
{
    char own[4096];
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 20;
    const char *program = argc > 1 ? argv[1] : beside_us(own);
    const struct service *s;

    setvbuf(stdout, NULL, _IOLBF, 0);
    netlab_new(&lab);
    for (unsigned i = 0; i < 2; i++) {
        netlab_enter(i ? lab.standby : lab.primary);
        raw[i] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        tun[i] = netlab_tun(i ? lab.standby : lab.primary);
    }
    if (!mkdtemp(folder) || chmod(folder, 0777) < 0)
        return 1;
    atexit(clean);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    close(open(log_path, O_WRONLY | O_CREAT, 0666));
    side_new(&active);
    side_new(&standby);
    encoded = mmap(NULL, ENCODED_MAX, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (program && strcmp(program, "none") != 0)
        run_service(service_selfcheck(copy_of(program)), rounds);
    if ((s = service_redis()) && argc < 4)
        run_service(s, rounds);
    printf("PASS: %u takeovers of each service\n", rounds);
    return 0;
}
