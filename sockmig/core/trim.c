/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/trim.h"

void
trim_reign(struct trim *t, uint64_t head, uint64_t room)
{
    *t = (struct trim){ .room = room, .covered = head, .head_taken = head };
}

void
trim_taken(struct trim *t, uint64_t number, uint64_t log, uint64_t head)
{
    t->covered = log > t->head_taken && log <= head ? log : t->head_taken;
    t->positions[number % COMMIT_WINDOW] = t->covered;
    t->head_taken = head;
}

uint64_t
trim_stable(const struct trim *t, uint64_t number)
{
    return t->positions[number % COMMIT_WINDOW];
}

bool
trim_wants(const struct trim *t, uint64_t head)
{
    return head - t->covered > t->room / 2;
}
