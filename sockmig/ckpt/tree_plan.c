/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree_plan.c - what cannot be made again is refused while it still runs here, and not
 * when its host is gone. */
#include "sockmig/ckpt/tree.h"

#include "lib/core/fnv.h"
#include "sockmig/core/family_plan.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t
mix(uint64_t hash, int64_t value)
{
    return fnv_mix(hash, (uint64_t)value);
}

static uint64_t
hash_of(const struct tree *t)
{
    uint64_t hash = FNV_BASIS;

    for (unsigned i = 0; i < t->n; i++) {
        const struct family_member *m = &t->members[i].info;

        hash = mix(mix(mix(hash, m->pid), m->pgid), m->sid);
        hash = mix(mix(hash, m->parent), m->flags);
    }
    return hash;
}

int
tree_check_plan(struct tree *t, struct refusals *why)
{
    uint64_t hash = hash_of(t);
    struct family family = { .n = t->n };
    struct family_plan *plan;
    int ret = 0;

    if (t->planned == hash || t->n == 1)
        return 0;
    plan = malloc(sizeof *plan);
    family.members = calloc(t->n, sizeof *family.members);
    if (!plan || !family.members)
        ret = -ENOMEM;
    for (unsigned i = 0; i < t->n && ret == 0; i++)
        family.members[i] = t->members[i].info;
    if (ret == 0 && !family_plan(&family, NULL, plan)) {
        refuse(why, tree_pid(t, 0), -1,
            "let the service wait for the end of its children, or use one subreaper",
            "its sessions and process groups cannot be made again");
        ret = -EOPNOTSUPP;
    }
    if (ret == 0)
        t->planned = hash;
    free(plan);
    free(family.members);
    return ret;
}
