/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_adapt.c - processes come and go while their stubs wait for a takeover. */
#include "sockmig/ckpt/stubs_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* What a stub got with its birth cannot be changed. */
static bool
can_become(
    const struct family *old, uint32_t i, const struct family *family, uint32_t k)
{
    const struct family_member *was = &old->members[i], *is = &family->members[k];

    if (is->pid != was->pid || is->exit_signal != was->exit_signal ||
        (family_is_zombie(was) && !family_is_zombie(is)))
        return false;
    if ((is->parent < 0) != (was->parent < 0) ||
        (is->parent >= 0 &&
            family->members[is->parent].number != old->members[was->parent].number))
        return false;
    return is->sid == was->sid || is->sid == is->pid;
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

        if (k >= 0 && !can_become(s->family, i, family, (uint32_t)k))
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

/* Its parent does what the process's own has done by now: it waits for it. */
static void
wait_for(struct stubs *s, unsigned i)
{
    const struct family_member *m = &s->family->members[i];
    struct clone *parent = m->parent >= 0 ? s->clones[m->parent] : NULL;

    if (!parent)
        return;
    batch_add(&parent->batch, NULL, SYS_wait4, (uint64_t)m->pid, 0, WNOHANG | __WALL, 0,
        0, 0);
    batch_run(&parent->batch, parent->pid);
}

/* Children before their parents. */
static void
end_missing(struct stubs *s, const struct family *family)
{
    for (unsigned i = s->n; i-- > 0;) {
        if (family_place(family, s->family->members[i].number) >= 0)
            continue;
        if (s->clones[i])
            stub_kill(s->clones[i]);
        stub_free(s->clones[i]);
        s->clones[i] = NULL;
        wait_for(s, i);
    }
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

/* A session of its own: with its terminal, if it has one. */
static int
lead_session(struct stubs *s, unsigned i)
{
    struct clone *c = s->clones[i];
    int ret;

    batch_add(&c->batch, "setsid", SYS_setsid, 0, 0, 0, 0, 0, 0);
    ret = stubs_terminals_control(s, i);
    if (ret == 0)
        ret = batch_run(&c->batch, c->pid);
    return stub_say(s, i, c->batch.failed, ret);
}

/* What has become of one that was there. */
static int
follow(struct stubs *s, unsigned i, const struct family_member *was)
{
    const struct family_member *is = &s->family->members[i];
    int ret = 0;

    if (!s->clones[i])
        return 0;
    if (is->sid != was->sid)
        ret = lead_session(s, i);
    else if (is->pgid != was->pgid)
        ret = stub_join_group(s, i);
    if (ret == 0 && family_is_zombie(is))
        ret = stub_end_zombie(s, i);
    return ret;
}

static int
make_one(struct stubs *s, unsigned i)
{
    const struct family_member *m = &s->family->members[i];
    struct clone *parent = s->clones[m->parent], *c;
    int ret;

    if (!parent || stub_is_older(s->family, m))
        return -EAGAIN;
    parent->batch.nborn = 0;
    stub_child(s, parent, i);
    ret = batch_run(&parent->batch, parent->pid);
    if (ret == 0 && parent->batch.nborn != 1)
        ret = -EPROTO;
    if (ret < 0)
        return stub_say(s, i, parent->batch.failed, ret);
    c = s->clones[i] = stub_allocate(s, parent->netns, parent->batch.born[0]);
    if (!c)
        return -ENOMEM;
    if (family_is_zombie(m))
        return stub_end_zombie(s, i);
    ret = skeleton_clear(c, stub_image(s, i), s->why);
    if (ret == 0)
        ret = m->sid == m->pid ? lead_session(s, i) : stub_join_group(s, i);
    return ret == 0 ? skeleton_settle(c, stub_image(s, i)) : ret;
}

int
stubs_adapt(struct stubs *s, const struct family *family)
{
    const struct family *old = s->family;
    int ret;

    if (is_unchanged(old, family)) {
        s->family = family;
        return 0;
    }
    if (!all_can(s, family))
        return -EAGAIN;
    end_missing(s, family);
    ret = move_places(s, family);
    if (ret == 0)
        ret = stubs_terminals_new(s);
    for (unsigned i = 0; i < s->n && ret == 0; i++) {
        int was = family_place(old, family->members[i].number);

        ret = was >= 0 ? follow(s, i, &old->members[was]) : make_one(s, i);
    }
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
