/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arrive_heir.c - the moment from which on processes run here, and nowhere else.
 *
 *     held by the freezer, not traced ─► heir ─► DECIDED ─► sockets, packets ─► let go
 *
 * Whoever is killed before DECIDED takes them along, or the heir ends them.  After it
 * the heir does what is left: it has the same memory and descriptors, and nothing of
 * that needs a tracer, which a process cannot inherit.  If the heir is killed as well,
 * unfinished.h has it. */
#include "sockmig/alone/arrive_parts.h"

#include "lib/fault.h"
#include "lib/log.h"
#include "sockmig/alone/decision.h"

#include <errno.h>
#include <string.h>

int
arrive_begin(struct arrival *a)
{
    int ret = freezer_make(&a->freezer, a->page->order.id);

    if (ret == 0)
        a->revive.freezer = &a->freezer;
    else
        log_warn(
            "no freezer (%s): if this program is killed in the last milliseconds of "
            "a move, its processes are lost",
            strerror(-ret));
    ret = unfinished_begin(&a->unfinished, &a->page->order, &a->freezer);
    return ret < 0 ? arrive_fail(a, ret, "its state cannot be written to /run: %s",
                         strerror(-ret))
                   : 0;
}

static int
inherit(struct arrival *a)
{
    a->is_heir = a->revive.again = true;
    log_warn("the worker was killed, its heir goes on");
    return decision_make(a->page->order.id, false);
}

int
arrive_decide(void *arrival)
{
    struct arrival *a = arrival;
    int ret = 0, runs;

    if (a->revive.freezer)
        ret = heir_make(&a->heir);
    if (ret < 0)
        return ret;
    a->page->heir = a->revive.freezer != NULL;
    FAULT_POINT("arrive-heir");
    runs = ret == 1 ? inherit(a) : decision_make(a->page->order.id, true);
    a->runs = a->page->runs = runs == 1;
    if (runs == 0)
        return arrive_fail(a, -ECANCELED, "the receiving program was ended");
    return runs == 1 ? 0 : runs;
}

void
arrive_dismiss(struct arrival *a)
{
    if (!a->is_heir)
        heir_dismiss(&a->heir);
}

void
arrive_finished(struct arrival *a)
{
    if (!a->is_heir)
        heir_free(&a->heir);
    freezer_end(&a->freezer);
    unfinished_end(&a->unfinished);
}
