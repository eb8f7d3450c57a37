/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/arbiter.h"

/* From the contact to the time when the vote must be there: Corosync has noticed that
 * the other is gone, and so has the device (1.2 timeouts in corosync-qnetd); what is
 * known of the other's contact is up to four beats old. */
static int64_t
wait_us(const struct arbiter *a)
{
    return INT64_C(1000) * (2 * a->timeout_ms + 2000);
}

/* How long a node may believe in a vote that it lost: two heartbeats of
 * corosync-qdevice, each of 0.8 timeouts, and a margin. */
static int64_t
stale_us(const struct arbiter *a)
{
    return INT64_C(1000) * (2 * a->timeout_ms + 400);
}

/* What clocks may differ in that time: 5 %, as for the lease. */
static int64_t
drift_us(const struct arbiter *a)
{
    return (wait_us(a) + stale_us(a)) / 20;
}

void
arbiter_init(struct arbiter *a, unsigned timeout_ms)
{
    *a = (struct arbiter){ .timeout_ms = timeout_ms };
}

void
arbiter_view(struct arbiter *a, bool both, bool alone)
{
    if (alone && a->state == ARBITER_TOGETHER) {
        a->state = ARBITER_SPLIT;
        a->from = mono_add_us(a->peer_low, wait_us(a) - drift_us(a));
        a->until = mono_add_us(a->peer_high, wait_us(a) + stale_us(a) + drift_us(a));
        a->self = (struct mono){ 0 };
    } else if (both)
        a->state = ARBITER_APART;
    else if (!alone)
        a->state = a->state == ARBITER_APART ? ARBITER_APART : ARBITER_LOST;
    a->first = a->number + 1;
    a->echo = 0;
    a->contact = a->peer_low = a->peer_high = (struct mono){ 0 };
}

void
arbiter_beat(struct arbiter *a, struct mono now, struct peermsg *msg)
{
    unsigned slot = ++a->number % ARBITER_BEATS;

    a->beats[slot].sent = now;
    a->beats[slot].contact = a->contact;
    msg->order = a->number;
    msg->r.epoch = a->echo;
    msg->value = a->timeout_ms;
}

/* A gap means that Corosync or we stood still: what it said of the device was old. */
static void
came_back(struct arbiter *a, uint64_t number, struct mono now)
{
    int64_t most_us = INT64_C(1000) * a->timeout_ms;
    struct mono sent = a->beats[number % ARBITER_BEATS].sent;

    if (number < a->first || number > a->number || a->number - number >= ARBITER_BEATS)
        return;
    if (a->state == ARBITER_SPLIT &&
        (mono_us_between(sent, now) > most_us ||
            (a->self.us && mono_us_between(a->self, now) > most_us)))
        a->state = ARBITER_LOST;
    a->self = now;
    a->self_sent = sent;
}

void
arbiter_heard(struct arbiter *a, const struct peermsg *msg, bool own, bool merged,
    struct mono now)
{
    uint64_t answered = msg->r.epoch;

    if (!a->timeout_ms || !msg->order)
        return;
    if (own) {
        came_back(a, msg->order, now);
        return;
    }
    a->echo = msg->order;
    a->peer_high = now;
    if (answered < a->first || answered > a->number ||
        a->number - answered >= ARBITER_BEATS)
        return;
    a->contact = a->beats[answered % ARBITER_BEATS].sent;
    a->peer_low = a->beats[answered % ARBITER_BEATS].contact;
    if (a->state == ARBITER_APART && merged && a->peer_low.us &&
        msg->flags & PEER_FLAG_TOGETHER && msg->value == a->timeout_ms)
        a->state = ARBITER_TOGETHER;
}

void
arbiter_device(struct arbiter *a, bool held, struct mono now)
{
    if (held && !a->held)
        a->since = now;
    a->held = held;
}

bool
arbiter_look(struct arbiter *a, struct mono now)
{
    if (a->state != ARBITER_SPLIT || mono_before(now, a->from))
        return false;
    if (!a->held || mono_before(a->from, a->since) || !a->self.us) {
        a->state = ARBITER_LOST;
        return false;
    }
    if (mono_before(a->self_sent, a->until) || mono_before(now, a->until))
        return false;
    a->state = ARBITER_WON;
    return true;
}

const char *
arbiter_state_name(enum arbiter_state state)
{
    static const char *const names[] = { "apart", "together", "split", "won", "lost" };

    _Static_assert(
        sizeof names / sizeof names[0] == ARBITER_NSTATES, "a name for each");
    return names[state];
}
