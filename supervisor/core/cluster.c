/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/cluster.h"

#include <assert.h>
#include <string.h>

unsigned
nodes_count(uint64_t nodes)
{
    unsigned n = 0;

    for (; nodes; nodes &= nodes - 1)
        n++;
    return n;
}

/* Of three or more nodes two halves could both count the one that is off. */
static uint64_t
switched_off(const struct cluster *c)
{
    return nodes_count(c->all) == 2 ? c->fenced : 0;
}

bool
cluster_majority(const struct cluster *c, uint64_t nodes)
{
    return 2 * nodes_count((nodes | switched_off(c)) & c->all) > nodes_count(c->all);
}

uint64_t
cluster_given_up(const struct cluster *c)
{
    return c->arbiter.timeout_ms ? switched_off(c) : 0;
}

uint64_t
cluster_answering(const struct cluster *c)
{
    return c->members & c->synced & ~c->suspect;
}

bool
cluster_quorate(const struct cluster *c)
{
    uint64_t answering = cluster_answering(c);

    return c->ready && answering && cluster_majority(c, answering) &&
           (switched_off(c) || !(answering & ~c->quorums));
}

void
cluster_init(struct cluster *c, unsigned me, uint64_t all)
{
    assert(me >= 1 && me <= PEER_MAX_NODE && all & node_bit(me));
    *c = (struct cluster){ .me = me, .all = all, .own_health = HEALTH_UNKNOWN };
    for (unsigned n = 0; n <= PEER_MAX_NODE; n++)
        c->health[n] = HEALTH_UNKNOWN;
}

static void
journal_each(struct effects *out, enum journal_kind kind, uint64_t nodes)
{
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (nodes & node_bit(n))
            effects_journal(out, kind, NO_SERVICE, n);
}

/* A view that is not merged yet is no loss of quorum. */
static void
journal_quorum(struct cluster *c, struct effects *out)
{
    bool is = c->ready ? cluster_quorate(c)
                       : c->told && cluster_majority(c, c->members);

    if (is != c->told)
        effects_journal(
            out, is ? JOURNAL_QUORUM_GAINED : JOURNAL_QUORUM_LOST, NO_SERVICE, c->me);
    c->told = is;
}

static void
begin_round(struct cluster *c, struct mono now, struct effects *out)
{
    c->synced = c->suspect = c->quorums = c->engines = 0; /* all is said anew */
    if (c->orders > c->own_orders)
        c->own_orders = c->orders;
    c->orders = 0;
    c->since = now;
    memset(c->records, 0, sizeof c->records);
    c->own_fenced = (c->own_fenced | c->fenced) & ~c->members;
    c->fenced = 0;
    c->ready = false;
    arbiter_view(&c->arbiter, c->view && c->members == c->all,
        c->view && c->members == node_bit(c->me) && c->members != c->all);
    for (unsigned n = 0; n <= PEER_MAX_NODE; n++)
        c->heard[n] = now;
    for (unsigned n = 0; n <= PEER_MAX_NODE; n++)
        c->health[n] = HEALTH_UNKNOWN;
    journal_quorum(c, out);
}

void
cluster_view(struct cluster *c, uint64_t view, uint64_t members, uint64_t process_left,
    struct mono now, struct effects *out)
{
    members &= c->all;
    journal_each(out, JOURNAL_NODE_LEFT, c->members & ~members);
    journal_each(out, JOURNAL_NODE_JOINED, members & ~c->members);
    c->process_left = ((c->process_left & ~members) | process_left) & c->all;
    c->view = view;
    c->members = members;
    c->round = 0;
    c->begun = 0;
    begin_round(c, now, out);
}

static void
say_anew(const struct cluster *c, struct effects *out)
{
    struct peermsg *msg = &effects_add(out, DO_BROADCAST, NO_SERVICE)->msg;

    msg->kind = PEER_ANEW;
    msg->view = c->view;
    msg->value = c->round;
}

/* Only who was shown a view sends records in round 0, once, so no round follows from
 * another one.  When the others have merged without it, it may have been shown the view
 * after they had sent theirs. */
static bool
begins_again(struct cluster *c, const struct peermsg *msg)
{
    bool again = c->ready || c->round || c->begun & node_bit(msg->from);

    if (msg->value)
        return false;
    c->begun |= node_bit(msg->from);
    return again;
}

bool
cluster_anew(
    struct cluster *c, const struct peermsg *msg, struct mono now, struct effects *out)
{
    if (msg->view != c->view)
        return false;
    if (msg->kind == PEER_SYNC_END && begins_again(c, msg))
        say_anew(c, out);
    if (msg->kind != PEER_ANEW || msg->value < c->round)
        return false;
    c->round = msg->value + 1;
    begin_round(c, now, out);
    return true;
}

bool
cluster_of_round(const struct cluster *c, const struct peermsg *msg)
{
    return msg->view == c->view && msg->value == c->round;
}

static bool
are_together(const struct cluster *c)
{
    return c->ready && c->members == c->all && c->synced == c->all;
}

static uint32_t
own_flags(const struct cluster *c)
{
    return (c->own_quorum ? PEER_FLAG_QUORATE : 0) |
           (c->own_engine ? PEER_FLAG_ENGINE : 0) |
           (are_together(c) ? PEER_FLAG_TOGETHER : 0);
}

static struct peermsg *
beat(struct cluster *c, struct effects *out)
{
    struct peermsg *msg;

    if (!(c->members & node_bit(c->me)))
        return NULL;
    msg = &effects_add(out, DO_BROADCAST, NO_SERVICE)->msg;
    msg->kind = PEER_BEAT;
    msg->flags = own_flags(c);
    msg->health = c->own_health;
    return msg;
}

void
cluster_beat(struct cluster *c, struct effects *out)
{
    beat(c, out);
}

static unsigned
records_sent(const struct effects *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < out->n; i++)
        n += out->v[i].what == DO_BROADCAST &&
             (out->v[i].msg.kind == PEER_SYNC || out->v[i].msg.kind == PEER_WISH);
    return n;
}

void
cluster_sync_end(struct cluster *c, struct effects *out)
{
    unsigned records = records_sent(out);
    struct peermsg *msg = &effects_add(out, DO_BROADCAST, NO_SERVICE)->msg;

    msg->kind = PEER_SYNC_END;
    msg->view = c->view;
    msg->value = c->round;
    msg->flags = own_flags(c);
    msg->health = c->own_health;
    msg->order = c->own_orders;
    msg->r.set = c->own_fenced;
    msg->r.version = records;
}

static void
set_bit(uint64_t *nodes, uint64_t bit, bool on)
{
    *nodes = on ? *nodes | bit : *nodes & ~bit;
}

static void
take_facts(struct cluster *c, const struct peermsg *msg, struct effects *out)
{
    uint64_t bit = node_bit(msg->from);

    if (c->suspect & bit && msg->kind == PEER_BEAT)
        effects_journal(out, JOURNAL_NODE_BACK, NO_SERVICE, msg->from);
    c->suspect &= ~bit;
    set_bit(&c->quorums, bit, msg->flags & PEER_FLAG_QUORATE);
    set_bit(&c->engines, bit, msg->flags & PEER_FLAG_ENGINE);
    c->health[msg->from] = msg->health;
}

/* All that the sender has, and this node heard all of it. */
static bool
is_whole(const struct cluster *c, const struct peermsg *msg)
{
    return msg->kind == PEER_SYNC_END && cluster_of_round(c, msg) &&
           c->records[msg->from] >= msg->r.version;
}

static void
take_suspicion(struct cluster *c, unsigned node, struct effects *out)
{
    uint64_t bit = node_bit(node);

    if (!(c->members & bit) || c->suspect & bit)
        return;
    c->suspect |= bit;
    effects_journal(out, JOURNAL_NODE_SILENT, NO_SERVICE, node);
}

void
cluster_record(struct cluster *c, const struct peermsg *msg)
{
    if ((msg->kind == PEER_SYNC || msg->kind == PEER_WISH) && cluster_of_round(c, msg))
        c->records[msg->from]++;
}

bool
cluster_heard(
    struct cluster *c, const struct peermsg *msg, struct mono now, struct effects *out)
{
    bool complete;

    if (!(c->members & node_bit(msg->from)))
        return false;
    c->heard[msg->from] = now;
    if (msg->kind == PEER_BEAT) {
        take_facts(c, msg, out);
        arbiter_heard(&c->arbiter, msg, msg->from == c->me, are_together(c), now);
    } else if (msg->kind == PEER_SUSPECT)
        take_suspicion(c, msg->node, out);
    else if (msg->kind == PEER_FENCED)
        c->fenced |= node_bit(msg->node) & c->all & ~c->members;
    else if (is_whole(c, msg)) {
        take_facts(c, msg, out);
        c->synced |= node_bit(msg->from);
        c->orders = msg->order > c->orders ? msg->order : c->orders;
        c->fenced |= msg->r.set & c->all & ~c->members;
    }
    complete = !c->ready && c->synced && !(c->members & ~c->synced & ~c->suspect);
    c->ready |= complete;
    journal_quorum(c, out);
    return complete;
}

/* What others sent before this node was shown the view is lost to it. */
static void
ask_anew(struct cluster *c, bool stood, struct mono now, struct effects *out)
{
    if (stood || c->ready || !c->view)
        c->since = now;
    if (mono_us_between(c->since, now) < CLUSTER_ROUND_MS * 1000)
        return;
    c->since = now;
    say_anew(c, out);
}

struct mono
cluster_tick(struct cluster *c, struct mono now, struct effects *out)
{
    /* If it was us who stood still, the others' silence is in our own backlog. */
    bool stood = mono_us_between(c->last_tick, now) > CLUSTER_SILENT_MS * 500;
    struct peermsg *msg;

    c->last_tick = now;
    if (mono_before(now, c->next_beat) && !stood)
        return c->next_beat;
    c->next_beat = mono_add_ms(now, CLUSTER_BEAT_MS);
    msg = beat(c, out);
    if (msg && c->arbiter.timeout_ms)
        arbiter_beat(&c->arbiter, now, msg);
    ask_anew(c, stood, now, out);
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        if (!(c->members & ~c->suspect & node_bit(n)) || n == c->me)
            continue;
        if (stood)
            c->heard[n] = now;
        else if (mono_us_between(c->heard[n], now) > CLUSTER_SILENT_MS * 1000) {
            msg = &effects_add(out, DO_BROADCAST, NO_SERVICE)->msg;
            msg->kind = PEER_SUSPECT;
            msg->node = n;
        }
    }
    return c->next_beat;
}
