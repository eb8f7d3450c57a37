/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/heed.h"

#include <string.h>

#define RETRY_MS 200

static void
copy_text(char to[PEER_TEXT], const char *from)
{
    size_t n = from ? strnlen(from, PEER_TEXT - 1) : 0;

    memset(to, 0, PEER_TEXT);
    if (n)
        memcpy(to, from, n);
}

static void
break_down(struct service *s, bool shut, bool unopened, const char *text)
{
    if (s->own.broken == s->r.epoch)
        return;
    s->own.broken = s->r.epoch;
    s->own.broken_told = false;
    s->own.broken_shut = shut;
    s->own.unopened = unopened;
    copy_text(s->own.text, text);
}

/* This supervisor ended before it gave the order that the record calls for, or before
 * the engine got it: what the order needs is still there, of an older reign. */
static bool
can_still_begin(const struct service *s, const struct engine_report *report)
{
    if (s->r.phase != SERVICE_TAKING || report->epoch >= s->r.epoch)
        return false;
    return (s->r.mode == MODE_TAKEOVER && report->role == ROLE_STANDBY &&
               report->clone) ||
           (s->r.mode == MODE_RESUME && report->frozen);
}

/* The engine of the active node is back, or says after a failed order how it is. */
static void
report_of_active(struct service *s, const struct engine_report *report)
{
    struct conduct *own = &s->own;
    bool same = report->role == ROLE_ACTIVE && report->epoch == s->r.epoch;
    bool asked = own->busy && own->op <= ENGINE_RESUME && own->op_epoch == s->r.epoch;

    if (own->ordered != s->r.epoch || (same && report->busy) || asked)
        return; /* its answer will tell */
    if (same && report->frozen)
        own->handed = s->r.epoch;
    else if (same && report->running)
        own->served = s->r.epoch;
    else if (can_still_begin(s, report))
        own->ordered = 0;
    else
        break_down(s, false, false, "sockmigd does not run the service any more");
    own->required = report->required;
    own->ready = report->ready;
    if (same)
        own->broken = 0;
}

/* forget_told - the engine is another one, which is as configured. */
static void
forget_told(struct service *s)
{
    s->own.told_policy = s->own.told_ms = 0;
    if (s->errand.order && s->own.errand_asked == s->errand.order)
        s->own.errand_asked = 0; /* once more, when it is back */
}

void
heed_report(struct service *s, const struct cluster *c,
    const struct engine_report *report, struct mono now, struct effects *out)
{
    struct conduct *own = &s->own;

    own->engine_known = !report->absent;
    if (report->absent || report->seen < own->fenced)
        forget_told(s); /* it has not even seen what was answered: it was restarted */
    own->fenced = report->seen > own->fenced ? report->seen : own->fenced;
    own->holds = report->role == ROLE_ACTIVE;
    own->followed = 0; /* to follow the same epoch again costs nothing */
    own->clone_gone = report->role != ROLE_STANDBY || !report->clone;
    if (!own->acked) { /* an engine that was restarted does not remember: be sure */
        own->acked = true;
        own->last_ack = now;
    }
    if (s->r.active == c->me &&
        (s->r.phase == SERVICE_ACTIVE || s->r.phase == SERVICE_TAKING))
        report_of_active(s, report);
    if (report->seen >
        s->own.durable.floor) { /* the engine has seen more than we remember */
        s->own.durable.floor = report->seen;
        if (c->view)
            service_sync(s, c, out);
    }
}

void
heed_recheck(struct service *s, const struct cluster *c, struct effects *out)
{
    struct conduct *own = &s->own;

    if (s->r.active != c->me ||
        (s->r.phase != SERVICE_ACTIVE && s->r.phase != SERVICE_TAKING))
        return;
    if (s->r.phase == SERVICE_ACTIVE || own->witnessed != s->r.epoch)
        own->ordered = s->r.epoch; /* nobody remembers that it was not: be sure */
    if (own->ordered != s->r.epoch)
        return;
    if (c->own_engine)
        effects_add(out, DO_ASK, s->index);
    else
        break_down(s, false, false, "sockmigd cannot be reached");
}

static void
answer_yes(struct service *s, const struct engine_answer *a, struct mono now)
{
    struct conduct *own = &s->own;
    struct mono at = own->last_ack;

    switch (a->op) {
    case ENGINE_START:
    case ENGINE_TAKEOVER:
    case ENGINE_RESUME:
        own->served = a->epoch;
        own->holds = true;
        break;
    case ENGINE_FENCE:
        if (a->age_us >= 0) /* never before the connect: see heed_report() */
            at = mono_add_us(now, -a->age_us);
        if (mono_before(own->last_ack, at))
            own->last_ack = at;
        break;
    case ENGINE_FOLLOW:
        own->followed = a->epoch;
        own->holds = false;
        break;
    case ENGINE_STOP:
        own->holds = false;
        break;
    case ENGINE_SET:
        own->required = own->op_set;
        break;
    case ENGINE_HANDOVER:
        own->handed = a->epoch;
        break;
    case ENGINE_POLICY:
    case ENGINE_INTERVAL:
    case ENGINE_CHECKPOINT:
        errand_answer(s, a->op, true, NULL);
        break;
    case ENGINE_NOPS:
        break;
    }
    if (a->epoch > own->fenced)
        own->fenced = a->epoch;
}

static void
answer_no(struct service *s, const struct engine_answer *a)
{
    struct conduct *own = &s->own;

    own->adding = 0;
    if (a->op <= ENGINE_RESUME && a->epoch == s->r.epoch)
        break_down(s, true, true, a->text);
    if (a->op == ENGINE_HANDOVER) {
        own->handover_failed = true;
        copy_text(own->text, a->text);
    }
    if (a->op == ENGINE_POLICY || a->op == ENGINE_INTERVAL ||
        a->op == ENGINE_CHECKPOINT)
        errand_answer(s, a->op, false, a->text);
}

void
heed_answer(struct service *s, const struct cluster *c, const struct engine_answer *a,
    struct mono now, struct effects *out)
{
    struct conduct *own = &s->own;
    struct effect *e;

    if (!own->busy || own->op != a->op || own->op_epoch != a->epoch)
        return;
    own->busy = false;
    if (a->ok) {
        answer_yes(s, a, now);
        return;
    }
    own->retry = mono_add_ms(now, RETRY_MS);
    answer_no(s, a);
    e = effects_journal(out, JOURNAL_STEP_FAILED, s->index, c->me);
    e->op = a->op;
    e->r.epoch = a->epoch;
    copy_text(e->msg.text, a->text);
}

void
heed_gone(struct service *s, const struct cluster *c)
{
    struct conduct *own = &s->own;
    bool serving = s->r.active == c->me && own->ordered == s->r.epoch &&
                   (s->r.phase == SERVICE_ACTIVE || s->r.phase == SERVICE_TAKING);

    own->engine_known = own->busy = own->acked = own->holds = false;
    own->fenced = own->followed = own->handed = 0;
    forget_told(s);
    own->adding = 0;
    if (serving)
        break_down(s, false, false, "sockmigd cannot be reached");
}

void
heed_standby(struct service *s, uint64_t epoch, unsigned node, bool ready)
{
    if (epoch != s->r.epoch || node < 1 || node > PEER_MAX_NODE)
        return;
    if (ready)
        s->own.ready |= node_bit(node);
    else
        s->own.ready &= ~node_bit(node);
}

void
heed_failed(
    struct service *s, const struct cluster *c, uint64_t epoch, const char *text)
{
    s->own.holds = false;
    if (epoch == s->r.epoch && s->r.active == c->me)
        break_down(s, true, false, text);
}
