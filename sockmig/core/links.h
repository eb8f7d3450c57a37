/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * links.h - lists of small numbers, indices of the caller's entries: by age, in the
 * caller's memory, and any can be taken out.
 *
 * Pure. */
#ifndef BSC_LINKS_H
#define BSC_LINKS_H

#include "sockmig/core/flowmap.h"

struct link { /* of one entry; it is in one list at a time */
    uint32_t newer, older;
};

struct list { /* FLOWMAP_NONE: it is empty */
    uint32_t oldest, newest, count;
};

static inline void
list_init(struct list *l)
{
    *l = (struct list){ FLOWMAP_NONE, FLOWMAP_NONE, 0 };
}

/* list_add - @i is the newest from now on.  @links: of all entries.
 * list_remove - it is in @l. */
static inline void
list_add(struct list *l, struct link *links, uint32_t i)
{
    links[i] = (struct link){ .newer = FLOWMAP_NONE, .older = l->newest };
    *(l->newest == FLOWMAP_NONE ? &l->oldest : &links[l->newest].newer) = i;
    l->newest = i;
    l->count++;
}

static inline void
list_remove(struct list *l, struct link *links, uint32_t i)
{
    const struct link *at = &links[i];

    *(at->older == FLOWMAP_NONE ? &l->oldest : &links[at->older].newer) = at->newer;
    *(at->newer == FLOWMAP_NONE ? &l->newest : &links[at->newer].older) = at->older;
    l->count--;
}

#endif
