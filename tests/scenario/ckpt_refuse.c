/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_refuse.c - what cannot be protected is refused by name, what can is not, and the
 * refused process runs on (promise P8): a row per kind (refuse_kinds.c); and a
 * checkpoint that is given up loses nothing (P4).  Needs root (77 otherwise). */
#include "lib/loop.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/image_alloc.h"
#include "tests/scenario/refuse_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t
start(void (*make)(void))
{
    int ready[2];
    char c;
    pid_t pid;

    if (pipe(ready) < 0)
        return -1;
    pid = fork();
    if (pid != 0) {
        close(ready[1]);
        if (read(ready[0], &c, 1) != 0) /* until it has closed its end */
            pid = -1;
        close(ready[0]);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(open("/dev/null", O_RDWR), 0);
    dup2(0, 1);
    dup2(0, 2);
    if (make != make_outside_pipe)
        close(outside[1]);
    dup2(ready[1], 100);
    for (int fd = 3; fd < 100; fd++)
        if (make != make_outside_pipe || fd != outside[1])
            close(fd);
    make();
    syscall(SYS_close_range, 100, ~0u, 0);
    for (;;)
        pause();
}

static bool
is_named(const struct refusals *why, const char *claim)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++)
        if (strstr(why->v[i].what, claim) && why->v[i].cure[0])
            return true;
    return false;
}

struct shot { /* a checkpoint and what it needs */
    struct image im;
    struct pages pages;
    struct parcels parcels;
    struct refusals why;
};

static bool
shot_open(struct shot *s)
{
    return image_alloc(&s->im) == 0 && pages_init(&s->pages, 1u << 30, 0) == 0 &&
           parcels_init(&s->parcels, 1u << 20) == 0;
}

static void
shot_close(struct shot *s)
{
    image_release(&s->im);
    pages_fini(&s->pages);
    parcels_fini(&s->parcels);
}

static int
shoot(struct shot *s, struct target *t)
{
    struct target_timing timing;
    struct target_request req = { .stop_limit_ms = 1000 };

    pages_reset(&s->pages);
    parcels_reset(&s->parcels);
    return target_checkpoint(t, &req, &s->im, &s->pages, &s->parcels, &timing, &s->why);
}

/* What is allowed must make a sound image, twice the same. */
static bool
image_is_sound(struct target *t)
{
    struct shot s = { 0 };
    bool ok = shot_open(&s);

    for (int i = 0; ok && i < 2; i++) {
        ok = shoot(&s, t) == 0 && !image_check(&s.im) && s.im.nitems == 1;
        /* the queue of the pipe travels once, since it does not change */
        ok = ok && (i == 0 ? s.parcels.size > 60000 : s.parcels.size == 0);
    }
    shot_close(&s);
    return ok;
}

/* The first checkpoint comes to nothing; the next one has the queue nevertheless. */
static bool
given_up_loses_nothing(void)
{
    struct target *t = NULL;
    struct refusals why;
    struct shot s = { 0 };
    pid_t pid = start(make_given_up);
    bool ok = shot_open(&s) && target_attach(pid, &t, &why) == 0 &&
              shoot(&s, t) == -EAGAIN;

    kill(pid, SIGUSR1);
    for (int i = 0, ret = -EAGAIN; ok && ret != 0; i++) {
        target_serve(t, mono_add_ms(mono_clock(), 10), -1);
        ret = shoot(&s, t);
        ok = ret == 0 || (ret == -EAGAIN && i < 500);
    }
    ok = ok && s.parcels.size > 60000;
    target_detach(t);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    shot_close(&s);
    return ok;
}

/* What a connection is told when it has long been known shows when it moves. */
static bool
refused_later(void)
{
    struct target *t = NULL;
    struct refusals why;
    struct shot s = { 0 };
    pid_t pid = start(make_connected);
    bool ok = shot_open(&s) && target_attach(pid, &t, &why) == 0;

    for (int i = 0; ok && i < 5; i++) {
        if (i < 2) /* known before it is looked at in full */
            target_ahead(t);
        else
            ok = shoot(&s, t) == 0 && s.im.ntcps == 2;
        target_serve(t, mono_add_ms(mono_clock(), 10), -1);
    }
    kill(pid, SIGUSR1);
    target_serve(t, mono_add_ms(mono_clock(), 100), -1);
    for (int i = 0; ok && i < 3; i++)
        ok = shoot(&s, t) == -EOPNOTSUPP && is_named(&s.why, "filter");
    target_detach(t);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    shot_close(&s);
    return ok;
}

static bool
row_holds(size_t i)
{
    struct target *t = NULL;
    struct refusals why;
    pid_t pid = start(kinds[i].make);
    int ret = target_attach(pid, &t, &why), status;
    bool ok;

    if (kinds[i].claim)
        ok = ret < 0 && is_named(&why, kinds[i].claim);
    else
        ok = ret == 0 && image_is_sound(t);
    if (!ok)
        for (unsigned k = 0; k < why.n && k < REFUSALS_MAX; k++)
            printf("  said: descriptor %d: %s\n", why.v[k].fd, why.v[k].what);
    target_detach(ret == 0 ? t : NULL);
    ok = ok && waitpid(pid, &status, WNOHANG) == 0; /* it runs on */
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    unlink(SCRATCH_FILE);
    return ok;
}

int
main(void)
{
    int failed = 0, reader;
    bool whole, later;

    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || pipe(outside) < 0) {
        printf("skipped: needs root\n");
        return 77;
    }
    unlink(SCRATCH_FIFO);
    mkfifo(SCRATCH_FIFO, 0600);
    reader = open(SCRATCH_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (size_t i = 0; i < nkinds; i++) {
        bool ok = row_holds(i);

        printf("%s: %s\n", kinds[i].claim ? kinds[i].claim : "what is allowed",
            ok ? "ok" : "FAILED");
        failed += !ok;
    }
    close(reader);
    unlink(SCRATCH_FIFO);
    semctl(semget(SCRATCH_KEY, 0, 0), 0, IPC_RMID);
    msgctl(msgget(SCRATCH_KEY, 0), IPC_RMID, NULL);
    whole = given_up_loses_nothing();
    printf("a checkpoint that is given up: %s\n", whole ? "ok" : "FAILED");
    later = refused_later();
    printf("an option that is set later: %s\n", later ? "ok" : "FAILED");
    return failed || !whole || !later ? 1 : 0;
}
