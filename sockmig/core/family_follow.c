/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * family_follow.c - what becomes of the members of one checkpoint in the next one. */
#include "sockmig/core/family_plan.h"

static bool
is_below(const struct family *f, int32_t i, int32_t above)
{
    while (i >= 0 && i != above)
        i = f->members[i].parent;
    return i == above;
}

bool
family_can_become(
    const struct family *was, uint32_t i, const struct family *now, uint32_t k)
{
    const struct family_member *old = &was->members[i], *new = &now->members[k];
    int32_t before = old->parent, after = new->parent;
    int parent;

    if (new->pid != old->pid || new->exit_signal != old->exit_signal ||
        (family_is_zombie(old) && !family_is_zombie(new)) ||
        (new->sid != old->sid &&new->sid != new->pid) || (i == 0) != (k == 0))
        return false;
    if (before < 0 ||
        (after >= 0 && was->members[before].number == now->members[after].number))
        return (before < 0) == (after < 0);
    parent = family_place(now, was->members[before].number);
    if (parent >= 0 && (!family_is_zombie(&now->members[parent]) ||
                           family_is_zombie(&was->members[before])))
        return false; /* it is there as before */
    /* a zombie ends last, where it is now: what it leaves goes to who is above it */
    return after < 0 || (family_place(was, now->members[after].number) >= 0 &&
                            (parent < 0 || is_below(now, parent, after)));
}

int
family_heir(const struct family *was, uint32_t i, const struct family *now)
{
    for (uint32_t k = 0; k < now->n; k++) {
        int old = family_place(was, now->members[k].number);
        int32_t parent = now->members[k].parent;

        if (old >= 0 && was->members[old].parent == (int32_t)i && parent >= 0 &&
            now->members[parent].number != was->members[i].number)
            return family_place(was, now->members[parent].number);
    }
    return -1;
}
