/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture_overrun.c - datagrams that the service's sockets had no room for. */
#include "sockmig/capture_private.h"

#include "sockmig/drops.h"

struct vain {
    struct engine *engine;
    const struct held_batch *batch;
    uint64_t first, last; /* in a row, not in the log yet; 0: none */
};

static void
cancel(struct vain *v)
{
    uint8_t record[PLOG_SMALL];
    uint64_t lsn;

    if (v->first == 0)
        return;
    if (capture_logs(v->engine)) /* deliver_some() has looked whether there is room */
        capture_append(v->engine, record,
            plog_encode_cancel(record, (uint64_t)loop_now(v->engine->loop).us, v->first,
                v->last, PLOG_OVERRUN),
            &lsn);
    v->first = 0;
}

static void
on_drop(const struct drops_row *row, void *arg)
{
    struct vain *v = arg;
    struct capture *c = &v->engine->capture;
    struct overrun_drop drop = { row->ip, row->udp, row->start, row->have };
    uint64_t ordinal = overrun_find(
        &c->overrun, v->batch->first, v->batch->last, &drop);

    if (ordinal == 0)
        return; /* not of the verdict */
    c->overran++;
    if (v->first == 0 || ordinal != v->last + 1) {
        cancel(v);
        v->first = ordinal;
    }
    v->last = ordinal;
}

static void
forget(const struct drops_row *row, void *arg)
{
    (void)row;
    (void)arg;
}

void
capture_forget_drops(struct engine *e)
{
    if (e->capture.drops)
        drops_read(e->capture.drops, forget, NULL);
}

/* What is delivered at a hand-over, once the last image is taken, the service here
 * never reads, room or not; its successor gets it from the log. */
void
capture_overrun(struct engine *e, const struct held_batch *batch)
{
    struct vain v = { .engine = e, .batch = batch };
    bool read = !orders_stands_still(e) && !capture_hands_over(e);

    if (!e->capture.drops)
        return;
    drops_read(e->capture.drops, read ? on_drop : forget, &v);
    cancel(&v);
}
