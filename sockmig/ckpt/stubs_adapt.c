/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_adapt.c - processes come and go while their stubs wait for a takeover. */
#include "sockmig/ckpt/stubs_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GONE_TRIES 10000 /* of 0.1 ms */

static bool
is_unchanged(const struct family *a, const struct family *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!family_is_same(&a->members[i], &b->members[i]))
            return false;
    return true;
}

static bool
has_pid(const struct family *family, int32_t pid)
{
    for (uint32_t k = 0; k < family->n; k++)
        if (family->members[k].pid == pid)
            return true;
    return false;
}

static bool
all_can(const struct stubs *s, const struct family *family)
{
    for (uint32_t i = 0; i < s->family->n; i++) {
        int k = family_place(family, s->family->members[i].number);

        if (k >= 0 && !family_can_become(s->family, i, family, (uint32_t)k))
            return false;
    }
    for (unsigned i = 0; i < s->nterminals; i++) /* of a session that is over */
        if (s->terminals[i].session && !has_pid(family, s->terminals[i].session))
            return false;
    for (uint32_t k = 0; k < family->n; k++)
        if (!family_is_zombie(&family->members[k]) &&
            skeleton_highest(family->images[k]) >= s->number)
            return false;
    return family->members[0].number == s->family->members[0].number;
}

/* Its parent does what the process's own has done by now: it waits for it.  The cell's
 * first process does so by itself, soon. */
static void
wait_for(struct stubs *s, unsigned i, pid_t pid)
{
    const struct family_member *m = &s->family->members[i];
    struct clone *parent = m->parent >= 0 ? s->clones[m->parent] : NULL;

    for (unsigned tries = 0;
         m->parent < 0 && pid > 0 && tries < GONE_TRIES && kill(pid, 0) == 0; tries++)
        usleep(100);
    if (!parent)
        return;
    batch_add(&parent->batch, NULL, SYS_wait4, (uint64_t)m->pid, 0, WNOHANG | __WALL, 0,
        0, 0);
    batch_run(&parent->batch, parent->pid);
}

/* While a stub ends: where its children go. */
static int
adopt(struct stubs *s, int heir, bool on)
{
    struct clone *c = heir >= 0 ? s->clones[heir] : NULL;

    if (!c)
        return 0;
    stub_adopt(&c->batch, on);
    return stub_say(s, (unsigned)heir, c->batch.failed, batch_run(&c->batch, c->pid));
}

/* Children before their parents. */
static int
end_missing(struct stubs *s, const struct family *family)
{
    int ret = 0;

    for (unsigned i = s->n; i-- > 0 && ret == 0;) {
        struct clone *c = s->clones[i];
        pid_t pid = c ? c->pid : 0;
        int heir;

        if (family_place(family, s->family->members[i].number) >= 0)
            continue;
        heir = family_heir(s->family, i, family);
        ret = adopt(s, heir, true);
        if (c)
            stub_kill(c);
        stub_free(c);
        s->clones[i] = NULL;
        if (ret == 0)
            ret = adopt(s, heir, false);
        wait_for(s, i, pid);
    }
    return ret;
}

/* The same stubs, in the places that their processes have now. */
static int
move_places(struct stubs *s, const struct family *family)
{
    struct clone **clones = calloc(family->n, sizeof(struct clone *));
    struct wake *wakes = calloc(family->n, sizeof *wakes);

    if (!clones || !wakes) {
        free(clones);
        free(wakes);
        return -ENOMEM;
    }
    for (uint32_t k = 0; k < family->n; k++) {
        int i = family_place(s->family, family->members[k].number);

        clones[k] = i >= 0 ? s->clones[i] : NULL;
    }
    free(s->clones);
    free(s->wakes);
    s->clones = clones;
    s->wakes = wakes;
    s->n = family->n;
    s->family = family;
    return 0;
}

/* Who has ended, but has not been waited for.  @old: where its children were. */
static int
end_zombie(struct stubs *s, unsigned i, const struct family *old)
{
    int was = family_place(old, s->family->members[i].number);
    int heir = was < 0 ? -1 : family_heir(old, (uint32_t)was, s->family), ret;

    if (heir >= 0)
        heir = family_place(s->family, old->members[heir].number);
    ret = adopt(s, heir, true);
    if (ret == 0)
        ret = stub_end_zombie(s, i);
    return ret == 0 ? adopt(s, heir, false) : ret;
}

static int
make_new(struct stubs *s, const struct family_plan *plan, const struct family *old)
{
    int ret = stubs_terminals_new(s);

    if (ret == 0)
        ret = stubs_make(s, plan);
    for (unsigned i = 0; i < s->n && ret == 0; i++) {
        struct clone *c = s->clones[i];

        if (c && !stub_image(s, i))
            ret = end_zombie(s, i, old);
        else if (c && family_place(old, s->family->members[i].number) < 0)
            ret = stub_say(s, i, c->batch.failed, skeleton_settle(c, stub_image(s, i)));
    }
    return ret;
}

int
stubs_adapt(struct stubs *s, const struct family *family)
{
    const struct family *old = s->family;
    struct family_plan *plan;
    unsigned said;
    int ret = 0;

    if (is_unchanged(old, family)) {
        s->family = family;
        return 0;
    }
    plan = malloc(sizeof *plan);
    if (!plan)
        return -ENOMEM;
    if (!all_can(s, family) || !family_plan(family, old, plan))
        ret = -EAGAIN;
    if (ret == 0)
        ret = end_missing(s, family);
    if (ret == 0)
        ret = move_places(s, family);
    said = s->why->n;
    if (ret == 0)
        ret = make_new(s, plan, old);
    if (ret == -EEXIST) { /* the cell's first process has not waited for it yet */
        s->why->n = said;
        ret = -EAGAIN;
    }
    free(plan);
    return ret;
}

int
stubs_from_clone(
    struct stubs *s, struct clone *c, const struct family *family, struct refusals *why)
{
    *s = (struct stubs){ .family = family,
        .n = 1,
        .pidfd = -1,
        .number = c->parent_fd,
        .batch = c->batch,
        .segments = c->own_segments,
        .why = why };
    c->segments = &s->segments;
    s->clones = calloc(1, sizeof(struct clone *));
    s->wakes = calloc(1, sizeof *s->wakes);
    if (!s->clones || !s->wakes) {
        c->batch.base = NULL;
        clone_free(c);
        return -ENOMEM;
    }
    s->clones[0] = c;
    return stubs_adopt_objects(s, c);
}
