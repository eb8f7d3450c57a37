/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_make.c - a plan of family_plan.h carried out: stubs and helpers make what is
 * missing, as calls of their own, as many per stop as one after the other are of the
 * same process. */
#include "sockmig/ckpt/stubs_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY UINT32_MAX
#define NUMBER_TRIES 1000 /* ids that others have here */

struct helper {
    pid_t pid;      /* as the engine sees it; 0: none */
    int32_t number; /* as its parent does */
};

struct making {
    struct stubs *s;
    const struct family_plan *plan;
    struct helper *helpers; /* owned */
    uint32_t who;           /* whose calls have not been made yet */
    uint32_t born[BATCH_BORN];
    unsigned nborn;
    int32_t number; /* the last one given to a helper */
};

static struct helper *
helper_of(const struct making *m, uint32_t place)
{
    return place < FAMILY_MAX ? NULL : &m->helpers[place - FAMILY_MAX];
}

/* A helper has what the root's stub has, and no calls of its own. */
static struct batch *
batch_of(const struct making *m, uint32_t place)
{
    return &m->s->clones[place < FAMILY_MAX ? place : 0]->batch;
}

static pid_t
pid_of(const struct making *m, uint32_t place)
{
    const struct helper *h = helper_of(m, place);

    return h ? h->pid : m->s->clones[place]->pid;
}

/* ---- calls that wait */

static int
take_born(struct making *m, uint32_t place, pid_t pid)
{
    struct helper *h = helper_of(m, place);
    const struct image *im = h ? NULL : stub_image(m->s, place);
    int netns = m->s->clones[0]->netns;

    if (h) {
        h->pid = pid;
        return 0;
    }
    m->s->clones[place] = stub_allocate(m->s, netns, pid);
    if (!m->s->clones[place])
        return -ENOMEM;
    return im ? skeleton_clear(m->s->clones[place], im, m->s->why) : 0;
}

static int
flush(struct making *m)
{
    struct batch *b = m->who == NOBODY ? NULL : batch_of(m, m->who);
    const char *failed;
    pid_t born[BATCH_BORN];
    unsigned n;
    int ret;

    if (!b)
        return 0;
    b->nborn = 0;
    ret = batch_run(b, pid_of(m, m->who));
    failed = b->failed;
    n = b->nborn < m->nborn ? b->nborn : m->nborn;
    if (ret == 0 && n < m->nborn)
        ret = -EPROTO;
    for (unsigned i = 0; i < n; i++)
        born[i] = b->born[i];
    for (unsigned i = 0; i < n; i++) { /* they run calls, too */
        int one = take_born(m, m->born[i], born[i]);

        ret = ret == 0 ? one : ret;
    }
    m->who = NOBODY;
    m->nborn = 0;
    b->failed = failed;
    return ret;
}

/* Where @who can add calls: those of another one come first. */
static int
turn(struct making *m, uint32_t who, struct batch **b)
{
    int ret = m->who == who && m->nborn < BATCH_BORN ? 0 : flush(m);

    m->who = who;
    *b = batch_of(m, who);
    return ret;
}

/* ---- steps */

static void
add_child(struct making *m, struct batch *b, uint32_t whom, int32_t number)
{
    struct clone_args args = { .set_tid_size = 1 };

    if (whom < FAMILY_MAX) /* a helper's end is no signal to anybody */
        args.exit_signal = (uint64_t)m->s->family->members[whom].exit_signal;
    args.set_tid = batch_put(b, &number, sizeof number);
    batch_add(b, "make a child", SYS_clone3, batch_put(b, &args, sizeof args),
        sizeof args, 0, 0, 0, 0);
    m->born[m->nborn++] = whom;
}

static bool
is_used(const struct family *f, int32_t number)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct family_member *k = &f->members[i];

        if (k->pid == number || k->sid == number || k->pgid == number)
            return true;
        for (uint32_t t = 0; !family_is_zombie(k) && t < f->images[i]->nthreads; t++)
            if (f->images[i]->threads[t].tid == number)
                return true;
    }
    return false;
}

/* From the highest one down: none that the kernel would give soon. */
static int32_t
next_number(struct making *m)
{
    char text[32];

    if (m->number == 0) {
        m->number = 32768;
        if (file_read("/proc/sys/kernel/pid_max", text, sizeof text) > 0)
            m->number = (int32_t)strtol(text, NULL, 10);
        m->number--; /* arrive_cell.c may have that */
    }
    do
        m->number--;
    while (is_used(m->s->family, m->number));
    return m->number;
}

static int
bear_anyone(struct making *m, const struct family_step *step)
{
    struct batch *b;
    int ret = flush(m);

    for (unsigned i = 0; i < NUMBER_TRIES && ret == 0; i++) {
        int32_t number = next_number(m);

        turn(m, step->who, &b);
        add_child(m, b, step->whom, number);
        helper_of(m, step->whom)->number = number;
        ret = flush(m);
        if (ret != -EEXIST)
            return ret;
        ret = 0;
    }
    return ret == 0 ? -EAGAIN : ret;
}

static int
bear(struct making *m, const struct family_step *step)
{
    struct batch *b;
    int ret;

    if (step->number == 0)
        return bear_anyone(m, step);
    ret = turn(m, step->who, &b);
    if (ret < 0)
        return ret;
    add_child(m, b, step->whom, step->number);
    if (helper_of(m, step->whom))
        helper_of(m, step->whom)->number = step->number;
    return 0;
}

static int
lead(struct making *m, struct batch *b, uint32_t who)
{
    batch_add(b, "setsid", SYS_setsid, 0, 0, 0, 0, 0, 0);
    return helper_of(m, who) ? 0 : stubs_terminals_control(m->s, who);
}

static int
end(struct making *m, const struct family_step *step)
{
    struct helper *h = helper_of(m, step->whom);
    struct batch *b;
    int ret = turn(m, step->whom, &b);

    if (ret < 0)
        return ret;
    batch_add(b, "exit", SYS_exit_group, 0, 0, 0, 0, 0, 0);
    ret = flush(m);
    h->pid = 0;
    if (ret != -ESRCH)
        return ret < 0 ? ret : -EPROTO;
    ret = turn(m, step->who, &b);
    batch_add(b, "wait4", SYS_wait4, (uint64_t)h->number, 0, __WALL, 0, 0, 0);
    return ret;
}

static int
carry_out(struct making *m, const struct family_step *step)
{
    struct batch *b;
    int ret;

    if (step->kind == FAMILY_BEAR)
        return bear(m, step);
    if (step->kind == FAMILY_END)
        return end(m, step);
    ret = turn(m, step->who, &b);
    if (ret < 0)
        return ret;
    if (step->kind == FAMILY_LEAD)
        return lead(m, b, step->who);
    if (step->kind == FAMILY_JOIN)
        batch_add(b, "setpgid", SYS_setpgid, 0, (uint64_t)step->number, 0, 0, 0, 0);
    else
        stub_adopt(b, step->number);
    return 0;
}

void
stub_adopt(struct batch *b, bool on)
{
    batch_add(
        b, "PR_SET_CHILD_SUBREAPER", SYS_prctl, PR_SET_CHILD_SUBREAPER, on, 0, 0, 0, 0);
}

/* What is left of them if it failed. */
static void
kill_helpers(const struct making *m)
{
    for (uint32_t i = 0; i < m->plan->nhelpers; i++)
        if (m->helpers[i].pid > 0) {
            kill(m->helpers[i].pid, SIGKILL);
            waitpid(m->helpers[i].pid, NULL, __WALL);
        }
}

int
stubs_make(struct stubs *s, const struct family_plan *plan)
{
    struct making m = { .s = s, .plan = plan, .who = NOBODY };
    const struct family_step *step = plan->steps;
    uint32_t who = 0;
    int ret = 0;

    m.helpers = calloc(plan->nhelpers + 1, sizeof *m.helpers);
    if (!m.helpers)
        return -ENOMEM;
    for (; step < plan->steps + plan->n && ret == 0; step++) {
        who = m.who; /* it is that one's calls that fail */
        ret = carry_out(&m, step);
    }
    if (ret == 0) {
        who = m.who;
        ret = flush(&m);
    }
    if (ret < 0)
        kill_helpers(&m);
    free(m.helpers);
    who = who < FAMILY_MAX ? who : 0;
    return stub_say(s, who, s->clones[who]->batch.failed, ret);
}
