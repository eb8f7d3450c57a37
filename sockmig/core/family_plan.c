/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/family_plan.h"

#include <string.h>

#define NOBODY UINT32_MAX

/* ---- sessions and groups as they will be */

static bool
leads_session(const struct family_member *m)
{
    return m->sid == m->pid;
}

static int
member_of(const struct family *f, int32_t pid)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->members[i].pid == pid)
            return (int)i;
    return -1;
}

int32_t
family_session(const struct family *f, uint32_t i)
{
    const struct family_member *m = &f->members[i], *root = &f->members[0];
    int leader;

    if (m->sid == root->sid || m->sid == 0) /* 0: outside of their pid namespace */
        return root->pid;
    leader = member_of(f, m->sid);
    return family_is_whole(f) || (leader >= 0 && leads_session(&f->members[leader]))
               ? m->sid
               : root->pid;
}

int32_t
family_group(const struct family *f, uint32_t i)
{
    const struct family_member *m = &f->members[i], *root = &f->members[0];

    if (m->pgid == root->pgid || m->pgid == 0)
        return root->pid;
    return family_is_whole(f) || member_of(f, m->pgid) >= 0 ? m->pgid : root->pid;
}

static bool
is_under(const struct family_plan *p, uint32_t place, int32_t above)
{
    int32_t at = (int32_t)place;

    while (at >= 0 && at != above)
        at = p->places[at].parent;
    return at == above;
}

static unsigned
depth(const struct family_plan *p, int32_t place)
{
    unsigned n = 0;

    for (; place >= 0; place = p->places[place].parent)
        n++;
    return n;
}

/* ---- the session that each is born in */

/* Was @i in session @sid before it had one of its own, since a child of it is? */
static bool
needs(const struct family *f, uint32_t i, int32_t sid)
{
    for (uint32_t k = i + 1; k < f->n; k++) {
        if (f->members[k].parent != (int32_t)i)
            continue;
        if (leads_session(&f->members[k]) ? needs(f, k, sid)
                                          : family_session(f, k) == sid)
            return true;
    }
    return false;
}

/* Is there one in session @sid that does not descend from @i? */
static bool
is_outside(const struct family_plan *p, int32_t sid, uint32_t i)
{
    for (uint32_t k = 0; k < p->family->n; k++)
        if (family_session(p->family, k) == sid && !is_under(p, k, (int32_t)i))
            return true;
    return false;
}

/* A session that leader @i has left and a child of it has not.  Only those that others
 * are in as well, and first of all those with a leader, must have been the one that it
 * was born in: the others may have come and gone below it.  0: any will do. */
static int32_t
birth_of_leader(const struct family_plan *p, uint32_t i)
{
    const struct family *f = p->family;
    int32_t without = 0;

    for (uint32_t k = i + 1; k < f->n; k++) {
        int32_t sid = family_session(f, k);
        int leader = member_of(f, sid);

        if (sid == f->members[i].pid || sid == without || !is_under(p, k, (int32_t)i) ||
            (leader >= 0 && is_under(p, (uint32_t)leader, (int32_t)i)) ||
            !is_outside(p, sid, i) || !needs(f, i, sid))
            continue;
        if (leader >= 0)
            return sid;
        without = sid;
    }
    return without;
}

static int32_t
birth_of(const struct family_plan *p, uint32_t i)
{
    const struct family *f = p->family;
    int32_t sid;

    if (i == 0 || !leads_session(&f->members[i]))
        return family_session(f, i);
    sid = birth_of_leader(p, i);
    return sid == 0 && f->members[i].parent < 0 ? f->members[0].pid : sid;
}

static void
begin(struct family_plan *p, const struct family *now, const struct family *was)
{
    p->n = p->nhelpers = 0;
    p->family = now;
    for (uint32_t i = 0; i < now->n; i++) {
        const struct family_member *m = &now->members[i];
        int old = was ? family_place(was, m->number) : -1;
        struct family_place *at = &p->places[i];

        *at = (struct family_place){ .pid = m->pid, .parent = m->parent };
        at->there = i == 0 || old >= 0;
        at->alive = at->there &&
                    (old < 0 || !family_is_zombie(&was->members[(uint32_t)old]));
        at->sid = old >= 0 ? family_session(was, (uint32_t)old) : m->pid;
        at->pgid = old >= 0 ? family_group(was, (uint32_t)old) : m->pid;
    }
    for (uint32_t i = 0; i < now->n; i++)
        p->births[i] = birth_of(p, i);
}

/* ---- steps */

static void
step(struct family_plan *p, enum family_step_kind kind, uint32_t who, uint32_t whom,
    int32_t number)
{
    if (p->n < FAMILY_PLAN_STEPS)
        p->steps[p->n] = (struct family_step){ kind, who, whom, number };
    p->n++;
}

static void
bear(struct family_plan *p, uint32_t who, uint32_t whom, int32_t parent, int32_t pid)
{
    const struct family_place *from = &p->places[who];

    step(p, FAMILY_BEAR, who, whom, pid);
    p->places[whom] = (struct family_place){ .pid = pid,
        .sid = from->sid,
        .pgid = from->pgid,
        .parent = parent,
        .there = true,
        .alive = true };
}

/* NOBODY: there are too many. */
static uint32_t
bear_helper(struct family_plan *p, uint32_t who, int32_t pid)
{
    uint32_t whom = FAMILY_MAX + p->nhelpers;

    if (p->nhelpers == FAMILY_PLAN_HELPERS)
        return NOBODY;
    p->nhelpers++;
    bear(p, who, whom, (int32_t)who, pid);
    return whom;
}

static void
lead(struct family_plan *p, uint32_t who)
{
    struct family_place *at = &p->places[who];

    step(p, FAMILY_LEAD, who, who, 0);
    at->sid = at->pgid = at->pid;
}

static void
join(struct family_plan *p, uint32_t who, int32_t group)
{
    step(p, FAMILY_JOIN, who, who, group);
    p->places[who].pgid = group;
}

static void
end(struct family_plan *p, uint32_t whom)
{
    step(p, FAMILY_END, (uint32_t)p->places[whom].parent, whom, 0);
    p->places[whom].there = p->places[whom].alive = false;
}

/* ---- one by one, as soon as it can be */

/* Its parent has, or had, the session that @i is born in. */
static bool
is_own_child(const struct family_plan *p, uint32_t i)
{
    int32_t parent = p->family->members[i].parent;

    return parent >= 0 &&
           (p->births[i] == 0 || p->births[i] == p->births[parent] ||
               p->births[i] == family_session(p->family, (uint32_t)parent));
}

static uint32_t
next_place(const struct family_plan *p, uint32_t i)
{
    return i + 1 == p->family->n ? FAMILY_MAX : i + 1;
}

/* One in session @sid whose orphans come to @reaper. */
static uint32_t
find_maker(const struct family_plan *p, int32_t sid, int32_t reaper)
{
    for (uint32_t i = 0; i < FAMILY_MAX + p->nhelpers; i = next_place(p, i))
        if (p->places[i].alive && p->places[i].sid == sid && is_under(p, i, reaper))
            return i;
    return NOBODY;
}

static bool
make_by_helper(struct family_plan *p, uint32_t i)
{
    int32_t reaper = p->family->members[i].parent;
    uint32_t maker = find_maker(p, p->births[i], reaper), helper;

    if (maker == NOBODY || (helper = bear_helper(p, maker, 0)) == NOBODY)
        return false;
    bear(p, helper, i, reaper, p->family->members[i].pid);
    if (reaper >= 0)
        step(p, FAMILY_ADOPT, (uint32_t)reaper, (uint32_t)reaper, 1);
    end(p, helper);
    if (reaper >= 0)
        step(p, FAMILY_ADOPT, (uint32_t)reaper, (uint32_t)reaper, 0);
    return true;
}

static bool
make(struct family_plan *p, uint32_t i)
{
    int32_t parent = p->family->members[i].parent;

    if (p->places[i].there ||
        (parent >= 0 && !p->places[parent].alive)) /* not yet, or it has ended */
        return false;
    if (!is_own_child(p, i))
        return make_by_helper(p, i);
    if (p->births[i] != 0 && p->births[i] != p->places[parent].sid)
        return false;
    bear(p, (uint32_t)parent, i, parent, p->family->members[i].pid);
    return true;
}

static bool
has_group(const struct family_plan *p, int32_t group)
{
    for (uint32_t i = 0; i < FAMILY_MAX + p->nhelpers; i = next_place(p, i))
        if (p->places[i].there && p->places[i].pgid == group)
            return true;
    return false;
}

/* Those of its children that are in its old session come first, and who is in a group
 * of its number leaves that. */
static bool
may_lead(const struct family_plan *p, uint32_t i)
{
    const struct family_place *at = &p->places[i];

    if (!at->alive || !leads_session(&p->family->members[i]) || at->sid == at->pid ||
        has_group(p, at->pid))
        return false;
    for (uint32_t k = i + 1; k < p->family->n; k++)
        if (p->family->members[k].parent == (int32_t)i && !p->places[k].there &&
            p->births[k] == at->sid)
            return false;
    return true;
}

static bool
make_some(struct family_plan *p)
{
    bool any = false;

    for (uint32_t i = 0; i < p->family->n; i++) {
        any |= make(p, i);
        if (may_lead(p, i)) {
            lead(p, i);
            any = true;
        }
    }
    return any;
}

/* ---- sessions whose leader is gone */

static bool
number_is_free(const struct family_plan *p, int32_t number)
{
    for (uint32_t i = 0; i < FAMILY_MAX + p->nhelpers; i = next_place(p, i))
        if (p->places[i].there &&
            (p->places[i].pid == number || p->places[i].sid == number ||
                p->places[i].pgid == number))
            return false;
    return true;
}

/* Is @i of such a one, and can be made by nobody who is there? */
static bool
lacks_leader(const struct family_plan *p, uint32_t i)
{
    return !p->places[i].there && !is_own_child(p, i) &&
           member_of(p->family, p->births[i]) < 0 &&
           find_maker(p, p->births[i], -1) == NOBODY;
}

/* Its leader is made where all of its children fall to who is to get them. */
static bool
make_leader(struct family_plan *p)
{
    for (uint32_t i = 1; i < p->family->n; i++) {
        int32_t above = p->family->members[i].parent;
        uint32_t helper;

        if (!lacks_leader(p, i))
            continue;
        for (uint32_t k = i + 1; k < p->family->n; k++)
            if (p->births[k] == p->births[i] && lacks_leader(p, k) &&
                depth(p, p->family->members[k].parent) > depth(p, above))
                above = p->family->members[k].parent;
        if (above >= 0 && !p->places[above].alive)
            continue;
        helper = number_is_free(p, p->births[i])
                     ? bear_helper(p, above < 0 ? 0 : (uint32_t)above, p->births[i])
                     : NOBODY;
        if (helper == NOBODY)
            return false;
        lead(p, helper);
        return true;
    }
    return false;
}

/* Each as it is to be? */
static bool
all_made(const struct family_plan *p)
{
    for (uint32_t i = 0; i < p->family->n; i++)
        if (!p->places[i].there ||
            (p->places[i].alive && p->places[i].sid != family_session(p->family, i)))
            return false;
    return true;
}

/* ---- process groups */

/* Those of the dead that nobody has waited for are in one, too. */
static unsigned
in_group(const struct family_plan *p, int32_t sid, int32_t group)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < FAMILY_MAX + p->nhelpers; i = next_place(p, i))
        n += p->places[i].there && p->places[i].pgid == group &&
             p->places[i].sid == sid;
    return n;
}

static bool
is_elsewhere(const struct family_plan *p, uint32_t i)
{
    const struct family_place *at = &p->places[i];

    return at->alive && at->sid != at->pid && at->pgid != family_group(p->family, i);
}

/* Would a group be gone with @i that others are to get into? */
static bool
must_wait(const struct family_plan *p, uint32_t i)
{
    const struct family_place *at = &p->places[i];

    if (in_group(p, at->sid, at->pgid) > 1)
        return false;
    for (uint32_t k = 1; k < p->family->n; k++)
        if (k != i && is_elsewhere(p, k) && p->places[k].sid == at->sid &&
            family_group(p->family, k) == at->pgid)
            return true;
    return false;
}

/* Its leader makes it, even if that has left it since. */
static bool
make_group(struct family_plan *p, int32_t sid, int32_t group)
{
    int leader = member_of(p->family, group);

    if (leader < 0 || !p->places[leader].alive || p->places[leader].sid != sid ||
        sid == group || must_wait(p, (uint32_t)leader))
        return false;
    join(p, (uint32_t)leader, group);
    return true;
}

static bool
join_some(struct family_plan *p)
{
    bool any = false;

    for (uint32_t i = 1; i < p->family->n && p->n <= FAMILY_PLAN_STEPS; i++) {
        int32_t group = family_group(p->family, i), sid = p->places[i].sid;

        if (!is_elsewhere(p, i))
            continue;
        if (in_group(p, sid, group) == 0 && !make_group(p, sid, group))
            continue;
        any = true;
        if (is_elsewhere(p, i) && !must_wait(p, i))
            join(p, i, group);
    }
    return any;
}

/* Its leader is gone: another one until @i is in. */
static bool
join_orphaned(struct family_plan *p, uint32_t i)
{
    int32_t group = family_group(p->family, i);
    uint32_t helper = number_is_free(p, group) ? bear_helper(p, i, group) : NOBODY;

    if (helper == NOBODY)
        return false;
    join(p, helper, group);
    join(p, i, group);
    end(p, helper);
    return true;
}

static bool
join_groups(struct family_plan *p)
{
    for (;;) {
        uint32_t i = 1;

        while (join_some(p))
            if (p->n > FAMILY_PLAN_STEPS)
                return false;
        while (i < p->family->n && !is_elsewhere(p, i))
            i++;
        /* what is not listed may be a process outside, which is not to be awaited */
        if (i >= p->family->n || !family_is_whole(p->family))
            return true;
        if (!join_orphaned(p, i))
            return false;
    }
}

/* ---- all of it */

bool
family_plan(
    const struct family *now, const struct family *was, struct family_plan *plan)
{
    begin(plan, now, was);
    while (!all_made(plan))
        if (plan->n > FAMILY_PLAN_STEPS || (!make_some(plan) && !make_leader(plan)))
            return false;
    if (!join_groups(plan))
        return false;
    for (uint32_t i = plan->nhelpers; i-- > 0;)
        if (plan->places[FAMILY_MAX + i].there)
            end(plan, FAMILY_MAX + i);
    return plan->n <= FAMILY_PLAN_STEPS;
}
