/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/commit.h"

#include <assert.h>

void
commit_init(struct commit *c)
{
    *c = (struct commit){ 0 };
}

bool
commit_full(const struct commit *c)
{
    return c->taken - c->stable >= COMMIT_WINDOW;
}

void
commit_taken(struct commit *c, uint64_t number, uint32_t mark, struct mono at)
{
    unsigned slot = number % COMMIT_WINDOW;

    assert(number == c->taken + 1 && !commit_full(c));
    c->taken = number;
    c->window[slot].number = number;
    c->window[slot].mark = mark;
    c->window[slot].at = at;
}

void
commit_acked(struct commit *c, unsigned node, uint64_t number)
{
    if (node < COMMIT_MAX_NODES && number <= c->taken && number > c->acked[node])
        c->acked[node] = number;
}

void
commit_forget(struct commit *c, unsigned node)
{
    if (node < COMMIT_MAX_NODES)
        c->acked[node] = 0;
}

void
commit_set(struct commit *c, uint32_t set)
{
    c->set = set;
}

bool
commit_covered(const struct commit *c, uint32_t set, uint64_t released)
{
    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++)
        if (set & 1u << i && c->acked[i] < released)
            return false;
    return true;
}

bool
commit_release(struct commit *c, uint32_t *mark)
{
    uint64_t stable = c->taken;

    for (unsigned i = 0; i < COMMIT_MAX_NODES; i++)
        if (c->set & 1u << i && c->acked[i] < stable)
            stable = c->acked[i];
    if (stable <= c->stable)
        return false;
    c->stable = stable;
    assert(c->window[stable % COMMIT_WINDOW].number == stable);
    *mark = c->window[stable % COMMIT_WINDOW].mark;
    return true;
}

bool
commit_covers(const struct commit *c, uint32_t id)
{
    return c->taken > 0 &&
           (int32_t)(id - c->window[c->taken % COMMIT_WINDOW].mark) <= 0;
}

bool
commit_waiting_since(const struct commit *c, struct mono *since)
{
    if (c->stable == c->taken)
        return false;
    *since = c->window[(c->stable + 1) % COMMIT_WINDOW].at;
    return true;
}

struct mono
commit_stable_at(const struct commit *c)
{
    return c->window[c->stable % COMMIT_WINDOW].at;
}
