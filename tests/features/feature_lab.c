/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/feature_lab.h"

#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/cell_make.h"
#include "sockmig/ckpt/clone.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/image_alloc.h"
#include "tests/features/feature_host.h"
#include "tests/features/features.h"
#include "tests/features/restarts.h"
#include "tests/features/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENCODED_MAX (64u << 20)
#define PATIENCE 200   /* looks, */
#define PATIENCE_MS 50 /* each */

struct side { /* what an engine knows */
    struct image image;
    struct pages pages;
    struct parcels parcels;
};

static struct side active, standby;
static uint8_t *encoded;
static int hosts[2], tuns[2];
static char folder[] = "/tmp/bascule-features-XXXXXX", go_path[64], log_path[64];
static char app_path[4096];
static pid_t app;                     /* as we see it */
static int mounts_here, mounts_there; /* mount namespaces of both hosts */

static void
die(const char *what, int ret, const struct refusals *why)
{
    printf("WRONG %s: %s\n", what, strerror(-ret));
    for (unsigned i = 0; why && i < why->n && i < REFUSALS_MAX; i++)
        printf("  pid %d fd %d: %s; %s\n", why->v[i].pid, why->v[i].fd, why->v[i].what,
            why->v[i].cure);
    exit(1);
}

static void
clean(void)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        printf("%s stays behind\n", folder);
}

static void
side_new(struct side *s)
{
    if (image_alloc(&s->image) < 0 || pages_init(&s->pages, 1u << 30, 1u << 20) < 0 ||
        parcels_init(&s->parcels, 256u << 20) < 0)
        die("memory", -ENOMEM, NULL);
}

/* Numbers of terminals are the cell's alone. */
static void
terminals_new(void)
{
    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666") < 0)
        die("terminals", -errno, NULL);
}

static void
lab_new(void)
{
    terminals_new();
    for (int i = 0; i < 2; i++)
        if ((hosts[i] = feature_host(&tuns[i])) < 0)
            die("host", hosts[i], NULL);
    if (!mkdtemp(folder) || chmod(folder, 0777) < 0)
        die("folder", -errno, NULL);
    snprintf(go_path, sizeof go_path, "%s/go", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    close(open(go_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    atexit(clean);
    side_new(&active);
    side_new(&standby);
    encoded = mmap(NULL, ENCODED_MAX, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

bool
feature_lab_open(void)
{
    ssize_t n = readlink("/proc/self/exe", app_path, sizeof app_path - 32);
    char *slash = n > 0 ? strrchr(app_path, '/') : NULL;

    if (slash)
        strcpy(slash + 1, "feature_app");
    if (geteuid() != 0) {
        printf("skipped: taking checkpoints needs root\n");
        return false;
    }
    return slash != NULL;
}

int
feature_lab_log(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

/* As sockmigd's cells begin, but with all privileges: features take them away. */
static void
run_app(const struct cell_plan *plan, int report)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    report = fcntl(report, F_DUPFD_CLOEXEC, 100);
    null = fcntl(null, F_DUPFD_CLOEXEC, 100);
    log = fcntl(log, F_DUPFD_CLOEXEC, 100);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    close_range(3, (unsigned)report - 1, 0);
    close_range((unsigned)report + 1, ~0u, 0);
    umask(022);
    if (chdir(folder) < 0)
        cell_fail(report, CELL_STAGE_DIRECTORY, errno);
    execv(plan->conf->command[0], plan->conf->command);
    cell_fail(report, CELL_STAGE_EXEC, errno);
}

static void
start_app(const unsigned *numbers, unsigned n, bool late, struct cell_conf *conf,
    pid_t *init, pid_t *pid)
{
    static char texts[64][8];
    static char *argv[72];
    struct cell_plan plan = { .conf = conf, .run = run_app };
    char error[CELL_ERROR_LEN] = "";
    unsigned k = 0;

    argv[k++] = app_path;
    argv[k++] = (char *)"go";
    if (late)
        argv[k++] = (char *)"late";
    for (unsigned i = 0; i < n; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", numbers[i]);
        argv[k++] = texts[i];
    }
    argv[k] = NULL;
    *conf = (struct cell_conf){ .name = "features",
        .netns = hosts[0],
        .command = argv,
        .directory = folder,
        .log = log_path };
    if (cell_make(&plan, init, pid, error) < 0)
        die(error, -ECHILD, NULL);
    app = *pid;
}

static void
serve(struct target *t, int ms)
{
    struct timespec nap = { 0, ms * 1000000l };
    int ret = 0;

    if (t)
        ret = target_serve(t, mono_add_ms(mono_clock(), ms), -1);
    else
        nanosleep(&nap, NULL);
    if (ret == 0 && !t && kill(app, 0) < 0)
        ret = -errno;
    if (ret < 0)
        die("the process ended", ret, NULL);
}

/* Its log, up to "@word N": -1 while that is not there; else how many were wrong. */
static int
wrong_before(const char *word, long number)
{
    FILE *f = fopen(log_path, "r");
    char line[1024], end[64];
    int wrong = 0;
    bool there = false;

    snprintf(end, sizeof end, "%s %ld\n", word, number);
    while (f && !there && fgets(line, sizeof line, f)) {
        wrong += strncmp(line, "WRONG", 5) == 0;
        there = strcmp(line, end) == 0;
    }
    if (f)
        fclose(f);
    return there ? wrong : -1;
}

static void
say_log(void)
{
    FILE *f = fopen(log_path, "r");
    char line[1024];

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "ok", 2) != 0)
            printf("%s", line);
    if (f)
        fclose(f);
}

static bool
log_has(const char *word)
{
    FILE *f = fopen(log_path, "r");
    char line[1024];
    bool there = false;

    while (f && !there && fgets(line, sizeof line, f))
        there = strncmp(line, word, strlen(word)) == 0;
    if (f)
        fclose(f);
    return there;
}

static int
wait_for(struct target *t, const char *word, long number)
{
    int wrong;

    for (unsigned i = 0; i < PATIENCE * PATIENCE_MS / 2; i++) {
        wrong = wrong_before(word, number);
        if (wrong >= 0)
            return wrong;
        serve(t, 2);
    }
    say_log();
    die("feature_app stands still", -ETIME, NULL);
    return -1;
}

static void
order(void)
{
    int fd = open(go_path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0 || write(fd, "!", 1) != 1)
        die("order", -errno, NULL);
    close(fd);
}

static int
try_checkpoint(struct target *t, struct refusals *why)
{
    struct target_request req = { .stop_limit_ms = 100, .settled = true };
    struct target_timing timing;
    int ret;

    for (unsigned tries = 0; tries < 100; tries++) {
        why->n = 0;
        pages_reset(&active.pages);
        parcels_reset(&active.parcels);
        ret = target_checkpoint(
            t, &req, &active.image, &active.pages, &active.parcels, &timing, why);
        if (ret != -EAGAIN)
            break;
        serve(t, 2);
    }
    return ret;
}

static int
view(void)
{
    return open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

static void
look_at(int mounts)
{
    if (setns(mounts, CLONE_NEWNS) < 0)
        die("mount namespace", -errno, NULL);
}

/* The next host has shared memory of its own. */
static void
next_host(void)
{
    mounts_here = view();
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("shm", "/dev/shm", "tmpfs", 0, "mode=1777") < 0)
        die("shared memory", -errno, NULL);
    mounts_there = view();
    look_at(mounts_here);
}

/* One checkpoint, over the wire format, into the clone; makes it the first time. */
static void
checkpoint(struct target *t, struct cell_conf *conf, struct clone **c)
{
    struct refusals why = { 0 };
    const char *error = "";
    unsigned open_before = count_open();
    size_t size;
    int ret;

    conf->image_at = mono_clock();
    ret = try_checkpoint(t, &why);
    if (ret == 0 && count_open() != open_before)
        die("the engine keeps something open", -EMFILE, NULL);
    if (ret < 0)
        die("checkpoint", ret, &why);
    size = image_encode(&active.image, encoded, ENCODED_MAX);
    if (size == 0 || !image_decode(&standby.image, encoded, size, &error))
        die(error, -EBADMSG, NULL);
    conf->clock_margin_ms = 2000;
    look_at(mounts_there);
    if (!*c)
        ret = clone_new(conf, &standby.image, c, &why);
    if (ret < 0)
        die("clone_new", ret, &why);
    ret = clone_apply(*c, &standby.image, &active.pages, &active.parcels);
    if (ret < 0)
        die("clone_apply", ret, NULL);
    look_at(mounts_here);
}

static void
kill_app(struct target *t, pid_t init)
{
    kill(init, SIGKILL);
    while (t && target_serve(t, mono_add_ms(mono_clock(), 1000), -1) == 0)
        ;
    target_detach(t);
    cell_kill(init);
}

/* While it stands still. */
static void
happen(int tun, bool last)
{
    step_back(app);
    if (last)
        feature_host_answer(tun);
}

static void
takeover(struct cell_conf *conf, unsigned round, pid_t *init, pid_t *pid)
{
    unsigned to = (round + 1) % 2, lost = 0;
    struct refusals why = { 0 };
    struct target *t = NULL;
    struct clone *c = NULL;
    struct clone_timing timing;
    struct clone_wake_request request = {
        .im = &standby.image, .age_ms = 5, .tun = tuns[to], .raw = -1
    };
    int ret = target_attach(*pid, &t, &why);

    if (ret < 0)
        die("target_attach", ret, &why);
    conf->netns = hosts[to];
    next_host();
    for (unsigned i = 0; i < 1 + 3 * round; i++) {
        if (i % 3 == 0 && target_stop(t, 100) == 0)
            happen(tuns[round % 2], i == 3 * round);
        checkpoint(t, conf, &c);
        serve(t, 3);
    }
    kill_app(t, *init);
    look_at(mounts_there);
    close(mounts_here);
    close(mounts_there);
    ret = clone_wake(c, &request, pid, &lost, &timing, &why);
    if (ret < 0 || lost > 0 || why.n > 0)
        die("clone_wake", ret, &why);
    *init = clone_release(c);
    app = *pid;
}

int
feature_lab_kept(const unsigned *numbers, unsigned n, unsigned takeovers)
{
    struct cell_conf conf;
    pid_t init, pid;
    int wrong;

    lab_new();
    start_app(numbers, n, false, &conf, &init, &pid);
    wrong = wait_for(NULL, "ready", 0);
    for (unsigned round = 0; round < takeovers && wrong == 0; round++) {
        takeover(&conf, round, &init, &pid);
        order();
        wrong = wait_for(NULL, "checked", round + 1);
    }
    say_log();
    cell_kill(init);
    return wrong > 0;
}

static bool
is_named(const struct refusals *why, const char *claim)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++)
        if (strstr(why->v[i].what, claim) && why->v[i].cure[0])
            return true;
    return false;
}

/* It appears under protection: the next checkpoints name it. */
static void
refuse_late(unsigned number, const char *claim)
{
    struct refusals why = { 0 };
    struct target *t = NULL;
    struct cell_conf conf;
    pid_t init, pid;
    int ret;

    start_app(&number, 1, true, &conf, &init, &pid);
    wait_for(NULL, "ready", 0);
    ret = target_attach(pid, &t, &why);
    for (unsigned i = 0; i < 5 && ret == 0; i++) {
        ret = try_checkpoint(t, &why);
        serve(t, 2);
    }
    if (ret < 0)
        die("before it appears", ret, &why);
    order();
    wait_for(t, "ready", 1);
    for (unsigned i = 0; i < 300 && ret == 0;
         i++) { /* some things are seldom looked at */
        ret = try_checkpoint(t, &why);
        serve(t, 10);
    }
    if (ret != -EOPNOTSUPP || !is_named(&why, claim))
        die("not refused when it appears", ret, &why);
    order();
    wait_for(t, "checked", 2);
    kill_app(t, init);
    truncate(log_path, 0);
    truncate(go_path, 0);
}

int
feature_lab_refused(unsigned number)
{
    const struct feature *f = feature_at(number, NULL);
    struct refusals why = { 0 };
    struct target *t = NULL;
    struct cell_conf conf;
    pid_t init, pid;
    int ret;

    lab_new();
    start_app(&number, 1, false, &conf, &init, &pid);
    ret = wait_for(NULL, "ready", 0);
    if (ret > 0 || log_has("SKIP")) {
        say_log();
        kill_app(NULL, init);
        return ret > 0;
    }
    ret = target_attach(pid, &t, &why);
    if (ret != -EOPNOTSUPP || !is_named(&why, f->refused))
        die("not refused", ret, &why);
    order(); /* it runs on */
    wait_for(NULL, "checked", 1);
    kill_app(NULL, init);
    truncate(log_path, 0);
    truncate(go_path, 0);
    refuse_late(number, f->refused);
    return 0;
}
