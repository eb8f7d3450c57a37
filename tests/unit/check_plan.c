/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_plan.c - whatever a family has come to by fork, setsid, setpgid, exit, wait and
 * subreapers, the plan makes the same again: of nothing, and of what was made before.
 *
 * Two models of what the kernel does with processes: in one they live as they like, in
 * the other the plan is carried out; then both must be alike. */
#include "sockmig/core/family_plan.h"
#include "tests/dice.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES 200
#define INIT 0
#define ROOT 1

struct proc {
    int pid, sid, pgid, parent; /* parent: its place in the kernel's list */
    uint32_t number;
    bool used, zombie, subreaper;
};

struct kernel {
    struct proc p[PROCESSES];
    int next_pid;
    uint32_t next_number;
};

/* ---- what the kernel does */

static bool
number_is_free(const struct kernel *k, int pid)
{
    for (int i = 0; i < PROCESSES; i++)
        if (k->p[i].used &&
            (k->p[i].pid == pid || k->p[i].sid == pid || k->p[i].pgid == pid))
            return false;
    return true;
}

static bool
group_in(const struct kernel *k, int pgid, int sid)
{
    for (int i = 0; i < PROCESSES; i++)
        if (k->p[i].used && k->p[i].pgid == pgid && (sid == 0 || k->p[i].sid == sid))
            return true;
    return false;
}

static int
do_fork(struct kernel *k, int by, int pid)
{
    int i = 1;

    while (i < PROCESSES && k->p[i].used)
        i++;
    if (i == PROCESSES || k->p[by].zombie || !k->p[by].used || !number_is_free(k, pid))
        return -1;
    k->p[i] = (struct proc){ .pid = pid,
        .sid = k->p[by].sid,
        .pgid = k->p[by].pgid,
        .parent = by,
        .number = k->next_number++,
        .used = true };
    return i;
}

static bool
do_setsid(struct kernel *k, int i)
{
    if (group_in(k, k->p[i].pid, 0))
        return false;
    k->p[i].sid = k->p[i].pgid = k->p[i].pid;
    return true;
}

static bool
do_setpgid(struct kernel *k, int i, int group)
{
    if (k->p[i].sid == k->p[i].pid ||
        (group != k->p[i].pid && !group_in(k, group, k->p[i].sid)))
        return false;
    k->p[i].pgid = group;
    return true;
}

static void
do_exit(struct kernel *k, int i)
{
    int reaper = k->p[i].parent;

    while (reaper != INIT && !k->p[reaper].subreaper)
        reaper = k->p[reaper].parent;
    for (int c = 1; c < PROCESSES; c++) {
        if (!k->p[c].used || k->p[c].parent != i)
            continue;
        k->p[c].parent = reaper;
        k->p[c].used = !k->p[c].zombie || reaper != INIT;
    }
    k->p[i].zombie = true;
    k->p[i].used = k->p[i].parent != INIT;
}

static void
start(struct kernel *k)
{
    memset(k, 0, sizeof *k);
    k->p[INIT] = (struct proc){ .pid = 1, .sid = 1, .pgid = 1, .used = true };
    k->p[ROOT] = (struct proc){
        .pid = 2, .sid = 2, .pgid = 2, .parent = INIT, .used = true
    };
    k->next_pid = 3;
    k->next_number = 1;
}

static int
find_pid(const struct kernel *k, int pid)
{
    for (int i = 0; i < PROCESSES; i++)
        if (k->p[i].used && k->p[i].pid == pid)
            return i;
    return -1;
}

/* ---- processes that live as they like */

static int
anybody(const struct kernel *k, uint64_t *seed)
{
    for (;;) {
        int i = 1 + (int)dice(seed, PROCESSES - 1);

        if (k->p[i].used)
            return i;
    }
}

static int
population(const struct kernel *k)
{
    int n = 0;

    for (int i = 1; i < PROCESSES; i++)
        n += k->p[i].used;
    return n;
}

static void
live(struct kernel *k, uint64_t *seed, int most)
{
    int i = anybody(k, seed), other = anybody(k, seed);
    uint32_t what = dice(seed, 12);

    if (k->p[i].zombie) {
        k->p[i].used = what >= 6; /* waited for */
        return;
    }
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (population(k) < most)
            do_fork(k, i, k->next_pid++);
        break;
    case 4:
    case 5:
        do_setsid(k, i);
        break;
    case 6:
        do_setpgid(k, i, k->p[i].pid);
        break;
    case 7:
        do_setpgid(k, i, k->p[other].pgid);
        break;
    case 8:
        k->p[i].subreaper = !k->p[i].subreaper;
        break;
    default:
        if (i != ROOT)
            do_exit(k, i);
    }
}

/* ---- what a checkpoint sees of them */

struct sight {
    struct family f;
    struct family_member members[PROCESSES];
};

static bool
is_listed(const struct sight *s, const struct proc *p)
{
    return family_place(&s->f, p->number) >= 0;
}

static int
parent_in(const struct sight *s, const struct kernel *k, const struct proc *p)
{
    return p->parent == INIT ? -1 : family_place(&s->f, k->p[p->parent].number);
}

static void
list(struct sight *s, const struct kernel *k, const struct proc *p)
{
    struct family_member *m = &s->members[s->f.n];

    *m = (struct family_member){ .pid = p->pid,
        .pgid = p->pgid,
        .sid = p->sid,
        .parent = parent_in(s, k, p),
        .number = p->number,
        .flags = (p->zombie ? FAMILY_ZOMBIE : 0) | (s->f.n == 0 ? FAMILY_WHOLE : 0),
        .exit_signal = 17 };
    s->f.n++;
}

/* Those of the last one in their order, then the new ones, parents first. */
static void
look(struct sight *now, const struct sight *was, const struct kernel *k)
{
    now->f = (struct family){ .members = now->members };
    for (uint32_t i = 0; i < was->f.n; i++)
        for (int p = 1; p < PROCESSES; p++)
            if (k->p[p].used && k->p[p].number == was->members[i].number)
                list(now, k, &k->p[p]);
    for (int tries = 0; tries < PROCESSES; tries++)
        for (int p = 1; p < PROCESSES; p++)
            if (k->p[p].used && !is_listed(now, &k->p[p]) &&
                (k->p[p].parent == INIT || is_listed(now, &k->p[k->p[p].parent])))
                list(now, k, &k->p[p]);
    ck_assert_ptr_null(family_check_members(now->members, now->f.n));
}

/* ---- the plan, carried out */

struct worker {
    struct kernel k;
    int places[FAMILY_MAX + FAMILY_PLAN_HELPERS]; /* in the kernel's list */
};

static struct family_plan plan;

static bool
carry_out(struct worker *w, const struct family_step *s)
{
    int who = w->places[s->who];

    switch (s->kind) {
    case FAMILY_BEAR:
        w->places[s->whom] = do_fork(
            &w->k, who, s->number ? s->number : 100000 + (int)s->whom);
        return w->places[s->whom] > 0;
    case FAMILY_LEAD:
        return do_setsid(&w->k, who);
    case FAMILY_JOIN:
        return do_setpgid(&w->k, who, s->number);
    case FAMILY_ADOPT:
        w->k.p[who].subreaper = s->number;
        return true;
    case FAMILY_END:
        ck_assert_int_eq(w->k.p[w->places[s->whom]].parent, who);
        do_exit(&w->k, w->places[s->whom]);
        w->k.p[w->places[s->whom]].used = false;
        return true;
    }
    return false;
}

static void
end_with_heir(struct worker *w, int i, int heir)
{
    if (heir >= 0)
        w->k.p[heir].subreaper = true;
    do_exit(&w->k, i);
    if (heir >= 0)
        w->k.p[heir].subreaper = false;
}

static void
end_zombies(struct worker *w, const struct sight *now, const struct sight *was)
{
    for (uint32_t i = 0; i < now->f.n; i++) {
        int p = w->places[i], old = family_place(&was->f, now->members[i].number);
        int heir = old < 0 ? -1 : family_heir(&was->f, (uint32_t)old, &now->f);

        if (!family_is_zombie(&now->members[i]) || w->k.p[p].zombie)
            continue;
        if (heir >= 0)
            heir = find_pid(&w->k, was->members[heir].pid);
        end_with_heir(w, p, heir);
    }
}

static bool
run(struct worker *w, const struct sight *now, const struct sight *was)
{
    for (uint32_t i = 0; i < now->f.n; i++)
        w->places[i] = i == 0 || family_place(&was->f, now->members[i].number) >= 0
                           ? find_pid(&w->k, now->members[i].pid)
                           : 0;
    for (uint32_t i = 0; i < plan.n; i++)
        if (!carry_out(w, &plan.steps[i]))
            return false;
    end_zombies(w, now, was);
    return true;
}

static void
compare(const struct worker *w, const struct sight *s, const struct kernel *life)
{
    ck_assert_int_eq(population(&w->k), population(life));
    for (uint32_t i = 0; i < s->f.n; i++) {
        int a = find_pid(life, s->members[i].pid),
            b = find_pid(&w->k, s->members[i].pid);

        ck_assert_int_ge(b, 0);
        ck_assert_int_eq(w->k.p[b].sid, life->p[a].sid);
        ck_assert_int_eq(w->k.p[b].pgid, life->p[a].pgid);
        ck_assert_int_eq(w->k.p[b].zombie, life->p[a].zombie);
        ck_assert_int_eq(w->k.p[w->k.p[b].parent].pid, life->p[life->p[a].parent].pid);
    }
}

/* ---- the tests */

static const struct sight nothing;

static void
make_anew(struct worker *w, const struct sight *now, const struct kernel *life)
{
    start(&w->k);
    ck_assert_msg(family_plan(&now->f, NULL, &plan), "no plan");
    ck_assert_msg(run(w, now, &nothing), "a step of the plan fails");
    compare(w, now, life);
}

/* False: not by what is there. */
static bool
adapt(struct worker *w, const struct sight *now, const struct sight *was)
{
    for (uint32_t i = 0; i < was->f.n; i++) {
        int k = family_place(&now->f, was->members[i].number);

        if (k >= 0 && !family_can_become(&was->f, i, &now->f, (uint32_t)k))
            return false;
    }
    for (uint32_t i = was->f.n; i-- > 0;) {
        int heir = family_heir(&was->f, i, &now->f), p;

        if (family_place(&now->f, was->members[i].number) >= 0)
            continue;
        p = find_pid(&w->k, was->members[i].pid);
        if (heir >= 0)
            heir = find_pid(&w->k, was->members[heir].pid);
        if (p >= 0 && !w->k.p[p].zombie)
            end_with_heir(w, p, heir);
        if (p >= 0)
            w->k.p[p].used = false;
    }
    if (!family_plan(&now->f, &was->f, &plan))
        return false;
    ck_assert_msg(run(w, now, was), "a step of the plan fails");
    return true;
}

/* A few, of whom one changes now and then; a crowd that nobody can keep up with. */
static const struct {
    int most;
    uint32_t events;
    uint64_t seeds;
} lives[] = { { 12, 9, 2000 }, { 40, 60, 200 } };

START_TEST(life)
{
    const typeof(lives[0]) *how = &lives[_i];
    static struct sight sights[2];
    static struct kernel k;
    static struct worker w;
    unsigned anew = 0, kept = 0;

    for (uint64_t from = 1; from <= how->seeds; from++) {
        uint64_t seed = from * 0x9e3779b97f4a7c15ull;
        struct sight *now = &sights[0], *was = &sights[1], *next;

        start(&k);
        look(was, &nothing, &k);
        make_anew(&w, was, &k);
        for (int round = 0; round < 12; round++) {
            for (uint32_t n = dice(&seed, how->events); n > 0; n--)
                live(&k, &seed, how->most);
            look(now, was, &k);
            if (adapt(&w, now, was)) {
                compare(&w, now, &k);
                kept++;
            } else {
                make_anew(&w, now, &k);
                anew++;
            }
            next = was;
            was = now;
            now = next;
        }
    }
    ck_assert_uint_gt(kept, 0);
    ck_assert_uint_lt(anew, kept / 20);
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("plan");

    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, life, 0, 2);
    return suite_run("plan", c, NULL);
}
