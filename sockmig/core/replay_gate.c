/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_gate.c - the order of input and output, and what to do when nothing moves. */
#include "sockmig/core/replay_private.h"

void
unmet_add(struct replay *r, struct rflow *f)
{
    uint32_t i = replay_index(r, f);

    if (f->unmet)
        return;
    f->unmet = true;
    f->older = FLOWMAP_NONE;
    f->newer = r->unmet_first;
    if (f->newer != FLOWMAP_NONE)
        r->flows[f->newer].older = i;
    r->unmet_first = i;
    r->unmet_count++;
}

void
unmet_remove(struct replay *r, struct rflow *f)
{
    if (!f->unmet)
        return;
    f->unmet = false;
    *(f->older == FLOWMAP_NONE ? &r->unmet_first
                               : &r->flows[f->older].newer) = f->newer;
    if (f->newer != FLOWMAP_NONE)
        r->flows[f->newer].older = f->older;
    r->unmet_count--;
}

/* A service that lacks something once lacks more, and all clients wait: the next wait
 * is half as long, down to a part of the first, and all together are bounded. */
#define STALL_LEAST 16
#define STALLS_MAX 6

#define GRANT_MAX_US 60000000 /* a client has gone by then */

/* The service may take as long as it did at first, between the input and this. */
static void
grant(struct replay *r, const struct plog_record *rec)
{
    int64_t took = (int64_t)(rec->at_us - r->released_at);

    if (rec->at_us > r->released_at && took > r->allow_us)
        r->allow_us = took < GRANT_MAX_US ? took : GRANT_MAX_US;
}

static void
need_tcp(struct replay *r, struct rflow *f, const struct plog_record *rec,
    const struct plog_output *o)
{
    uint32_t end = o->seq + o->size + !!(o->tcp_flags & TCP_FIN);

    if (o->options & PLOG_ACKED)
        replay_heard(f, o->window);
    if (f->state != R_OPEN || o->tcp_flags & TCP_RST || f->excused)
        return;
    if (f->fin_in && f->fin_out)
        return; /* logged after the reset that was on its way in meanwhile */
    if (seq_after(end, f->need))
        f->need = end;
    if (!seq_after(f->need, f->out_next))
        return;
    unmet_add(r, f);
    grant(r, rec);
}

static void
gate_output(struct replay *r, const struct plog_record *rec)
{
    struct plog_output o;
    struct rflow *f;

    if (!plog_decode_output(rec, &o) || !(f = replay_find(r, &o.flow)))
        return;
    if (r->conf.mode != REPLAY_COMPARE && r->gate.in_log)
        return; /* never left */
    if (o.tcp_flags & TCP_SYN) {
        f->have_answer = true;
        f->answer = o;
        f->answered_us = rec->at_us;
        return;
    }
    if (!r->gate.in_log)
        return;
    if (o.flow.protocol == PACKET_TCP) {
        need_tcp(r, f, rec, &o);
        return;
    }
    f->need++;
    if ((int32_t)(f->need - f->made) > 0) {
        unmet_add(r, f);
        grant(r, rec);
    }
}

static void
begin_injecting(struct replay *r, const struct plog_record *rec, uint64_t goal)
{
    r->goal = goal;
    r->injecting = true;
    if (rec)
        r->released_at = rec->at_us;
}

/* What the service's sockets had no room for stands next to the RELEASE that it was
 * part of: known before any of that is fed. */
static void
gate_overrun(struct replay *r)
{
    struct cursor next = r->gate;
    struct plog_record rec;
    uint64_t last;

    while (replay_read(r, &next, &rec, r->scratch) && rec.kind == PLOG_CANCEL &&
           rec.flags & PLOG_OVERRUN && plog_decode_cancel(&rec, &last)) {
        input_cancel(r, rec.arg, last);
        r->gate = next;
    }
}

/* False: output is lacking that has to be there before the released input. */
static bool
gate_record(struct replay *r, const struct plog_record *rec)
{
    uint64_t last;

    if (rec->kind == PLOG_OUT)
        gate_output(r, rec);
    else if (rec->kind == PLOG_CANCEL && plog_decode_cancel(rec, &last))
        input_cancel(r, rec->arg, last);
    else if (rec->kind == PLOG_RELEASE && r->conf.mode == REPLAY_COMPARE &&
             rec->arg > r->goal) {
        if (r->unmet_count > 0)
            return false;
        begin_injecting(r, rec, rec->arg);
        gate_overrun(r);
    }
    return true;
}

bool
gate_step(struct replay *r)
{
    struct plog_record rec;
    struct cursor was = r->gate;

    if (replay_read(r, &r->gate, &rec, r->scratch)) {
        if (r->gate.in_log && r->goal < r->conf.mark.in &&
            r->conf.mode == REPLAY_COMPARE) {
            /* what was kept, before the log asks for what comes of it */
            begin_injecting(r, NULL, r->conf.mark.in);
            r->gate = was;
            return true;
        }
        if (gate_record(r, &rec))
            return true;
        r->gate = was;
        return false;
    }
    if (r->goal == UINT64_MAX || r->unmet_count > 0)
        return false;
    begin_injecting(r, NULL, UINT64_MAX);
    return true;
}

static uint32_t
in_flight(const struct rflow *f)
{
    return f->out_next - f->acked;
}

/* How far the log says that the client has it: never acknowledge more, or the service
 * would forget what the client may lack. */
static uint32_t
acknowledgeable(const struct replay *r, const struct rflow *f)
{
    uint32_t ack = f->acked;

    if (f->state == R_DOOMED)
        return f->out_next; /* the client gets a reset, whatever it has */
    if (f->has_logged_ack && !f->many && seq_after(f->logged_ack, ack))
        ack = f->logged_ack;
    if (replay_index(r, f) == r->blocked && seq_after(r->blocked_ack, ack))
        ack = r->blocked_ack;
    return seq_after(ack, f->out_next) ? f->out_next : ack;
}

bool
gate_acknowledges(struct replay *r, struct rflow *f, struct replay_effect *e)
{
    uint32_t ack = acknowledgeable(r, f);

    if (f->state != R_OPEN || !seq_after(ack, f->acked))
        return false;
    input_synthetic(r, f, ack, f->window, e);
    return true;
}

/* Never more than the client once had: its segments would not fit any more, ever. */
static uint16_t
room_for_a_segment(const struct rflow *f)
{
    uint32_t window = replay_said(in_flight(f), f->snd_wscale) + f->segment;

    return window < f->window_most ? (uint16_t)window : f->window_most;
}

static bool
is_wanted(const struct replay *r, const struct rflow *f)
{
    return f->state == R_DOOMED || seq_after(f->need, f->out_next) ||
           (replay_index(r, f) == r->blocked && seq_after(r->blocked_ack, f->out_next));
}

/* The client had room for less than a segment, and at first a timer of the service's
 * TCP has put that out, after 0.2 s or more.  A clone that is told of room for a whole
 * one does at once; its client drops what is beyond its room, and gets it once more
 * when there is some. */
static bool
is_squeezed(const struct replay *r, const struct rflow *f, struct mono now)
{
    int64_t since = f->told_us > r->progress_us ? f->told_us : r->progress_us;

    return now.us - since >= STARVE_US && now.us - f->output_us >= STARVE_US &&
           is_wanted(r, f) && acknowledgeable(r, f) == f->acked &&
           f->window <= f->told_window && f->told_window < room_for_a_segment(f);
}

static void
tell(struct replay *r, struct rflow *f, struct mono now, struct replay_effect *e)
{
    uint16_t window = is_squeezed(r, f, now) ? room_for_a_segment(f) : f->window;

    input_synthetic(r, f, acknowledgeable(r, f), window, e);
    f->told_us = now.us;
}

static bool
starves(const struct replay *r, const struct rflow *f, struct mono now)
{
    bool silent = now.us - f->output_us >= STARVE_US;

    if (f->state != R_OPEN && f->state != R_DOOMED)
        return false;
    if (silent && f->window > f->told_window)
        return true; /* the client had no room when the service heard of it last */
    if (is_squeezed(r, f, now))
        return true;
    return seq_after(acknowledgeable(r, f), f->acked) &&
           (silent || in_flight(f) >= STARVE_BYTES);
}

/* The service may well have written it: the small window of a restored connection
 * holds it back, and the log has no acknowledgement that would open it. */
static bool
excusable(const struct rflow *f, struct mono now, const struct replay *r)
{
    int64_t silent = now.us -
                     (f->output_us > r->progress_us ? f->output_us : r->progress_us);

    return f->state == R_OPEN &&
           ((in_flight(f) >= EXCUSE_BYTES && silent >= EXCUSE_US) ||
               (in_flight(f) > 0 && silent >= EXCUSE_FEW_US));
}

static void
excuse(struct replay *r, struct rflow *f)
{
    unmet_remove(r, f);
    f->excused = true;
    r->watching += replay_watched(f);
    r->stat.excused++;
}

/* True: *e, the replay as a whole is given up. */
static bool
give_up(struct replay *r, struct rflow *f, struct replay_effect *e)
{
    static const char reason[] = "output that the log has was not made again";
    bool late = r->waited_us > STALLS_MAX * r->conf.stall_us;

    if (f->state == R_DATAGRAMS && !late) {
        r->stat.datagrams += f->need - f->made;
        f->made = f->need;
        unmet_remove(r, f);
        nodes_drop(r, f);
        return false;
    }
    if (r->injecting && (r->conf.mode == REPLAY_FEED || replay_lost(f))) {
        f->full = true;
        return false;
    }
    r->stat.stalled++;
    if (r->stat.stalled <= r->conf.lost_max && !late) {
        replay_kill(r, f, f->out_next, reason);
        return false;
    }
    *e = (struct replay_effect){ .what = REPLAY_STALLED,
        .flow = r->map.keys[replay_index(r, f)],
        .seq = f->out_next,
        .reason = reason };
    r->phase = PHASE_GONE;
    return true;
}

/* All that the gate waits for had the whole time. */
static bool
stall(struct replay *r, struct replay_effect *e)
{
    r->waited_us += r->stall_us;
    if (r->stall_us > r->conf.stall_us / STALL_LEAST)
        r->stall_us /= 2;
    if (r->injecting)
        return give_up(r, &r->flows[r->blocked], e);
    while (r->unmet_count > 0)
        if (give_up(r, &r->flows[r->unmet_first], e))
            return true;
    return false;
}

/* A service that writes to one connection may keep the others waiting: as far as the
 * log allows, each gets its acknowledgements. */
static bool
help_others(struct replay *r, struct mono now, struct replay_effect *e)
{
    if (now.us - r->progress_us < 2 * STARVE_US)
        return false;
    for (uint32_t i = 0; i < r->map.fresh; i++) {
        struct rflow *f = &r->flows[i];

        if (starves(r, f, now)) {
            tell(r, f, now, e);
            return true;
        }
    }
    return false;
}

static bool
help(struct replay *r, struct mono now, struct replay_effect *e)
{
    struct rflow *f;

    if (r->blocked != FLOWMAP_NONE && starves(r, &r->flows[r->blocked], now)) {
        tell(r, &r->flows[r->blocked], now, e);
        return true;
    }
    if (r->blocked != FLOWMAP_NONE && window_probe(r, now, e))
        return true;
    for (uint32_t i = r->unmet_first; i != FLOWMAP_NONE; i = f->newer) {
        f = &r->flows[i];
        if (starves(r, f, now)) {
            tell(r, f, now, e);
            return true;
        }
    }
    return help_others(r, now, e);
}

bool
gate_blocked(struct replay *r, struct mono now, struct replay_effect *e, bool *effect)
{
    *effect = help(r, now, e);
    if (*effect)
        return true;
    for (uint32_t u = r->unmet_first; !r->injecting && u != FLOWMAP_NONE;
         u = r->flows[u].newer)
        if (excusable(&r->flows[u], now, r)) {
            excuse(r, &r->flows[u]);
            return true;
        }
    if (now.us - r->progress_us < r->stall_us + r->allow_us)
        return false;
    *effect = stall(r, e);
    replay_progress(r, now);
    return true;
}
