/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orphan_test.c - the warm clone of a service whose processes outlive their parents: it
 * follows them from checkpoint to checkpoint, and when it is woken everyone has parent,
 * session and group as before.
 *
 *     orphan_test [SEED...]
 *
 * Needs root (77 otherwise). */
#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/tree.h"
#include "sockmig/ckpt/warm.h"
#include "sockmig/image_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENCODED_MAX (512u << 20)
#define CHECKPOINTS 8
#define TAKEOVERS 2
#define WAIT_MS 10000

struct lab {
    char folder[64], app[4096], hold[80];
    struct cell_conf cell;
    pid_t init, pid;
    struct tree tree;
    struct pages pages;
    struct parcels parcels;
    struct refusals why;
    uint8_t *encoded;
    struct family sides[2]; /* the last checkpoint, and the one before it */
    unsigned side;
    struct warm *warm;
    unsigned followed, anew, orphans, subreaped, leaderless;
};

static void
die(const struct lab *l, const char *what, int ret)
{
    printf("FAILED %s: %s\n", what, strerror(-ret));
    for (unsigned i = 0; i < l->why.n && i < REFUSALS_MAX; i++)
        printf(
            "  pid %d: %s; %s\n", l->why.v[i].pid, l->why.v[i].what, l->why.v[i].cure);
    cell_kill(l->init);
    exit(1);
}

static void
wait_ms(struct lab *l, int ms)
{
    if (tree_wait(&l->tree, mono_add_ms(mono_clock(), ms), -1) < 0)
        die(l, "the service ended", -ESRCH);
}

static unsigned long
turns(const struct lab *l)
{
    char path[96], text[64];

    snprintf(path, sizeof path, "%s/turns", l->folder);
    return file_read(path, text, sizeof text) > 0 ? strtoul(text, NULL, 10) : 0;
}

static void
await_turns(struct lab *l, bool traced)
{
    struct mono end = mono_add_ms(mono_clock(), WAIT_MS);
    unsigned long before = turns(l);

    while (turns(l) < before + 20) {
        if (!mono_before(mono_clock(), end))
            die(l, "they do not live on", -ETIME);
        if (traced)
            wait_ms(l, 2);
        else
            usleep(2000);
    }
}

/* ---- one checkpoint, over the wire format */

static int
take(struct lab *l)
{
    struct target_request req = { .stop_limit_ms = 1000, .settled = true };
    struct target_timing timing;
    int ret = -EAGAIN;

    for (unsigned tries = 0; tries < 100 && ret == -EAGAIN; tries++) {
        if (tries > 0)
            wait_ms(l, 2);
        pages_reset(&l->pages);
        parcels_reset(&l->parcels);
        ret = tree_checkpoint(&l->tree, &req, &l->pages, &l->parcels, &timing, &l->why);
    }
    if (ret < 0)
        die(l, "checkpoint", ret);
    return ret;
}

static struct family *
receive(struct lab *l)
{
    struct family *to = &l->sides[l->side ^= 1];
    size_t size = family_encode(&l->tree.family, l->encoded, ENCODED_MAX);
    const char *error = "encoding";

    if (size == 0 || family_alloc(to, family_count(l->encoded, size)) < 0 ||
        !family_decode(to, l->encoded, size, &error))
        die(l, error, -EBADMSG);
    return to;
}

static void
make_anew(struct lab *l)
{
    struct family *f;
    int ret;

    warm_free(l->warm);
    l->warm = NULL;
    tree_forget(&l->tree);
    take(l);
    f = receive(l);
    l->cell.clock_margin_ms = 2000;
    l->cell.image_at = mono_clock();
    ret = warm_new(&l->cell, f, &l->warm, &l->why);
    if (ret == 0)
        ret = warm_apply(l->warm, f, &l->pages, &l->parcels, &l->why);
    if (ret < 0)
        die(l, "a new clone", ret);
}

static void
count(struct lab *l)
{
    const struct family *f = &l->tree.family;

    for (uint32_t i = 1; i < f->n; i++) {
        const struct family_member *m = &f->members[i];
        bool led = false;

        for (uint32_t k = 0; k < f->n; k++)
            led |= f->members[k].pid == m->sid;
        l->orphans += m->parent < 0;
        l->leaderless += !led;
        l->subreaped += m->parent > 0 && m->sid != f->members[m->parent].sid &&
                        m->sid != m->pid;
    }
}

static void
follow(struct lab *l)
{
    int ret;

    take(l);
    count(l);
    ret = warm_apply(l->warm, receive(l), &l->pages, &l->parcels, &l->why);
    if (ret < 0 && ret != -EAGAIN)
        die(l, "clone", ret);
    if (ret == 0)
        l->followed++;
    else
        make_anew(l);
    l->anew += ret != 0;
}

/* ---- takeover */

static int
parent_pid(const struct family_member *all, const struct family_member *m)
{
    return m->parent < 0 ? 1 : all[m->parent].pid;
}

static const struct tree_member *
find(const struct tree *t, int32_t pid)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].info.pid == pid)
            return &t->members[i];
    return NULL;
}

/* As the last checkpoint has them? */
static void
compare(struct lab *l)
{
    const struct family *f = &l->sides[l->side];
    struct tree now;

    if (tree_find(&now, l->pid) < 0)
        die(l, "looking at them", -ESRCH);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct family_member *m = &f->members[i];
        const struct tree_member *is = find(&now, m->pid);
        int parent = 1;

        if (is && is->info.parent >= 0)
            parent = now.members[is->info.parent].info.pid;
        if (is && is->info.sid == m->sid && is->info.pgid == m->pgid &&
            parent == parent_pid(f->members, m) &&
            (is->info.flags & FAMILY_ZOMBIE) == (m->flags & FAMILY_ZOMBIE))
            continue;
        printf("%d: session %d, group %d, parent %d, flags %x; was session %d, group "
               "%d, parent %d, flags %x\n",
            m->pid, is ? is->info.sid : 0, is ? is->info.pgid : 0, is ? parent : 0,
            is ? is->info.flags : 0, m->sid, m->pgid, parent_pid(f->members, m),
            m->flags);
        die(l, "a process is not as it was", -EPROTO);
    }
    if (now.n != f->n)
        die(l, "another number of processes", -EPROTO);
    tree_close(&now);
}

static void
take_over(struct lab *l)
{
    struct clone_wake_request request = { .age_ms = 5, .tun = -1, .raw = -1 };
    struct clone_timing timing;
    unsigned lost = 0;
    pid_t old = l->init;
    int ret;

    close(open(l->hold, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    await_turns(l, true);
    follow(l);
    kill(old, SIGKILL);
    tree_close(&l->tree);
    cell_kill(old);
    ret = warm_wake(l->warm, &request, &l->pid, &lost, &timing, &l->why);
    if (ret < 0)
        die(l, "waking", ret);
    l->init = warm_release(l->warm);
    l->warm = NULL;
    await_turns(l, false);
    compare(l);
    unlink(l->hold);
}

static void
protect(struct lab *l)
{
    int ret = tree_track(&l->tree, l->init, l->pid, CONF_CHILDREN_KEPT, NULL, &l->why);

    if (ret == 0)
        ret = tree_precopy(&l->tree);
    if (ret < 0)
        die(l, "tracking", ret);
    make_anew(l);
    for (unsigned i = 0; i < CHECKPOINTS; i++) {
        wait_ms(l, 10);
        follow(l);
    }
}

/* ---- all of it */

static void
begin(struct lab *l, const char *seed)
{
    static char *command[4];
    char error[CELL_ERROR_LEN] = "";
    int ret;

    strcpy(l->folder, "/tmp/bascule-orphans-XXXXXX");
    if (!mkdtemp(l->folder))
        die(l, "folder", -errno);
    snprintf(l->hold, sizeof l->hold, "%s/hold", l->folder);
    command[0] = l->app;
    command[1] = l->folder;
    command[2] = (char *)(uintptr_t)seed;
    l->cell = (struct cell_conf){ .name = "orphans",
        .netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
        .command = command,
        .directory = "/",
        .log = "/dev/null" };
    ret = cell_start(&l->cell, &l->init, &l->pid, error);
    if (ret < 0)
        die(l, error, ret);
    await_turns(l, false);
}

static void
finish(struct lab *l)
{
    char path[96];

    cell_kill(l->init);
    fd_close(l->cell.netns);
    snprintf(path, sizeof path, "%s/turns", l->folder);
    unlink(path);
    rmdir(l->folder);
}

static void
run(struct lab *l, const char *seed)
{
    printf("seed %s\n", seed);
    fflush(stdout);
    begin(l, seed);
    for (unsigned i = 0; i < TAKEOVERS; i++) {
        protect(l);
        take_over(l);
    }
    finish(l);
}

int
main(int argc, char **argv)
{
    static const char *const usual[] = { "1", "2" };
    static struct lab l;
    char *slash;

    if (geteuid() != 0) {
        printf("skipped: not root\n");
        return 77;
    }
    alarm(240);
    signal(SIGPIPE, SIG_IGN);
    if (readlink("/proc/self/exe", l.app, sizeof l.app - 32) < 0 ||
        pages_init(&l.pages, (size_t)1 << 30, 0) < 0 ||
        parcels_init(&l.parcels, 64u << 20) < 0)
        return EXIT_FAILURE;
    slash = strrchr(l.app, '/');
    strcpy(slash + 1, "orphan_app");
    l.encoded = mmap(NULL, ENCODED_MAX, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    survey_load();
    for (int i = 1; i < argc; i++)
        run(&l, argv[i]);
    for (unsigned i = 0; argc < 2 && i < 2; i++)
        run(&l, usual[i]);
    printf("%u checkpoints followed, %u clones anew; %u orphans, %u with another "
           "reaper's session, %u without a session leader\n",
        l.followed, l.anew, l.orphans, l.subreaped, l.leaderless);
    if (argc < 2 && (l.orphans == 0 || l.leaderless == 0))
        die(&l, "nobody lost a parent or leader", -ENOENT);
    return EXIT_SUCCESS;
}
