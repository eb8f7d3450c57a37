/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_lost.c - connections that do not go on: said, reset at both ends, and silent
 * from then on. */
#include "sockmig/core/replay_private.h"

void
replay_kill(struct replay *r, struct rflow *f, uint32_t seq, const char *reason)
{
    uint32_t i = replay_index(r, f);

    if (replay_lost(f))
        return;
    r->watching -= replay_watched(f);
    unmet_remove(r, f);
    nodes_drop(r, f);
    f->state = f->state == R_OPEN && r->phase < PHASE_DONE ? R_DOOMED : R_DEAD;
    f->dead_seq = seq;
    f->reason = reason;
    *(r->report_first == FLOWMAP_NONE ? &r->report_first
                                      : &r->flows[r->report_last].to_report) = i;
    r->report_last = i;
    r->lost++;
    r->stat.diverged++;
}

void
reset_service(struct replay *r, const struct rflow *f, struct replay_effect *e)
{
    const struct flow_key *key = &r->map.keys[replay_index(r, f)];

    *e = (struct replay_effect){
        .what = REPLAY_INJECT, .packet = r->buffer, .flow = *key
    };
    e->size = packet_rst(r->buffer, key, PACKET_IN, f->in_next, f->out_next);
    r->stat.synthetic++;
}

static void
reset_client(struct replay *r, const struct rflow *f, struct replay_effect *e)
{
    const struct flow_key *key = &r->map.keys[replay_index(r, f)];

    *e = (struct replay_effect){
        .what = REPLAY_SEND, .packet = r->buffer, .flow = *key
    };
    e->size = packet_rst(
        r->buffer, key, PACKET_OUT, replay_client_expects(f), f->in_next);
    r->stat.sent++;
}

void
lost_reset(struct replay *r, struct rflow *f, struct replay_effect *e)
{
    if (!f->reset) {
        f->reset = true;
        reset_service(r, f, e);
        return;
    }
    f->state = R_DEAD;
    reset_client(r, f, e);
}

/* The word, and after DONE its resets. */
static void
report(struct replay *r, struct replay_effect *e)
{
    struct rflow *f = &r->flows[r->report_first];
    bool last = r->phase != PHASE_DONE || f->reset;

    if (f->reported)
        lost_reset(r, f, e);
    else
        *e = (struct replay_effect){ .what = REPLAY_DIVERGED,
            .flow = r->map.keys[r->report_first],
            .seq = f->dead_seq,
            .reason = f->reason };
    f->reported = true;
    if (last) {
        r->report_first = f->to_report;
        f->to_report = FLOWMAP_NONE;
    }
}

/* What the lost ones had put out before their resets may be on its way through the
 * queue; and a reset may have had another number than the next one, since it is not
 * known what has filled a hole.  Then the service's TCP tells it (RFC 5961). */
#define LOST_US 3000000

bool
lost_look(struct replay *r, struct mono now, struct replay_effect *e)
{
    bool again = r->phase == PHASE_DONE && r->relapsed != FLOWMAP_NONE;

    if (r->report_first != FLOWMAP_NONE || again || r->phase != PHASE_DONE)
        r->lost_us = now.us;
    else if (now.us - r->lost_us >= LOST_US)
        r->lost = 0;
    if (r->report_first != FLOWMAP_NONE) {
        report(r, e);
        return true;
    }
    if (!again)
        return false;
    reset_service(r, &r->flows[r->relapsed], e);
    r->relapsed = FLOWMAP_NONE;
    return true;
}
