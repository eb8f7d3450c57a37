/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders_set.c - the order `set`: who must have a checkpoint before output leaves. */
#include "sockmig/orders_private.h"

static void
set_refused(struct engine *e, const char *why)
{
    if (e->set_order.running)
        order_answer_no(e, e->set_order.id, false, why);
    e->set_order.running = false;
}

/* Every standby of the new set has all that was ever released.  Under cold none has
 * anything, whatever was released before. */
static bool
is_covered(const struct engine *e)
{
    uint32_t set = e->set_order.mask;

    return e->capture.wanted == CONF_COLD ||
           (commit_covered(&e->commit, set, e->set_order.released) &&
               mcast_covered(e->capture.mcast, set, e->set_order.logged));
}

/* Answered when the new set is covered: until then none that was just added may be
 * elected (promise P3). */
void
order_set_progress(struct engine *e)
{
    if (!e->set_order.running)
        return;
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        if (e->set_order.mask & 1u << i && e->peers[i].state != PEER_READY) {
            set_refused(e, "set: a standby in it is not ready any more");
            return;
        }
    if (!is_covered(e))
        return;
    e->set_order.running = false;
    order_answer(e, e->set_order.id, NULL);
}

void
order_set(struct engine *e, const struct jv *msg)
{
    bool ok;
    uint32_t mask = peers_mask(e, jv_get(msg, "nodes"), &ok);

    if (!ok) {
        order_answer_no(e, jv_int(msg, "id", 0), false,
            "set: `nodes` must be a list of other nodes' names");
        return;
    }
    set_refused(e, "set: another one came");
    e->set_order.running = true;
    e->set_order.id = jv_int(msg, "id", 0);
    e->set_order.mask = mask;
    e->set_order.released = e->commit.stable;
    e->set_order.logged = mcast_stable(e->capture.mcast);
    engine_require(e, mask);
    engine_release(e); /* and its progress answers */
    engine_changed(e);
}
