/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/held.h"

enum held_rule
held_rule(enum held_policy policy, enum packet_way way)
{
    static const enum held_rule rules[][2] = {
        [HELD_REPLAY] = { [PACKET_IN] = HELD_LSN, [PACKET_OUT] = HELD_LSN },
        [HELD_COMMIT] = { [PACKET_IN] = HELD_FREE, [PACKET_OUT] = HELD_LSN_AND_MARK },
        [HELD_WARM] = { [PACKET_IN] = HELD_FREE, [PACKET_OUT] = HELD_FREE },
        [HELD_COLD] = { [PACKET_IN] = HELD_FREE, [PACKET_OUT] = HELD_FREE },
    };

    return rules[policy][way];
}

void
held_init(struct held *h, struct held_packet *slots, uint32_t capacity)
{
    *h = (struct held){ .slots = slots, .capacity = capacity };
}

static struct held_packet *
slot(const struct held *h, uint32_t i)
{
    return &h->slots[(h->head + i) % h->capacity];
}

void
held_answers(struct held *h, uint64_t lsn)
{
    h->answers = lsn;
}

bool
held_push(struct held *h, uint32_t id, uint64_t lsn, struct mono at)
{
    if (h->count == h->capacity)
        return false;
    if (lsn == 0 && h->count > 0)
        lsn = slot(h, h->count - 1)->lsn;
    if (lsn < h->answers)
        lsn = h->answers;
    h->count++;
    *slot(
        h, h->count - 1) = (struct held_packet){ .lsn = lsn, .at_us = at.us, .id = id };
    h->ordinal++;
    return true;
}

static bool
may_go(const struct held_packet *p, enum held_rule rule, const struct held_stable *s)
{
    if (rule == HELD_FREE)
        return true;
    if (p->lsn > s->lsn)
        return false;
    /* ids wrap */
    return rule == HELD_LSN || (s->has_mark && (int32_t)(p->id - s->mark) <= 0);
}

static struct held_batch
take(struct held *h, uint32_t count)
{
    struct held_batch b = { .count = count };

    if (count == 0)
        return b;
    b.first = h->ordinal - h->count + 1;
    b.last = b.first + count - 1;
    b.last_id = slot(h, count - 1)->id;
    b.last_lsn = slot(h, count - 1)->lsn;
    h->head = (h->head + count) % h->capacity;
    h->count -= count;
    return b;
}

struct held_batch
held_release(struct held *h, enum held_rule rule, const struct held_stable *stable,
    uint32_t most)
{
    uint32_t n = 0;

    while (n < h->count && n < most && may_go(slot(h, n), rule, stable))
        n++;
    return take(h, n);
}

struct held_batch
held_drop(struct held *h)
{
    return take(h, h->count);
}

bool
held_since(const struct held *h, struct mono *at)
{
    if (h->count == 0)
        return false;
    at->us = slot(h, 0)->at_us;
    return true;
}

struct mono
held_newest(const struct held *h)
{
    return (struct mono){ slot(h, h->count - 1)->at_us };
}
