/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/overrun.h"

#include "sockmig/core/bigendian.h"
#include "sockmig/core/digest.h"

#include <assert.h>
#include <string.h>

void
overrun_init(struct overrun *o, struct overrun_id *ids, uint32_t capacity)
{
    assert((capacity & (capacity - 1)) == 0);
    *o = (struct overrun){ ids, capacity, 0 };
    memset(ids, 0, capacity * sizeof *ids);
}

static struct overrun_id *
slot(const struct overrun *o, uint64_t ordinal)
{
    return &o->ids[ordinal & (o->capacity - 1)];
}

/* Of the IP header only what a host leaves as it is when it puts fragments together. */
static uint32_t
head_of(const uint8_t *ip, const uint8_t *udp)
{
    struct digest d;
    uint32_t value;

    digest_init(&d, 0);
    if (ip[0] >> 4 == 4) {
        digest_add(&d, ip + 4, 2); /* identification */
        digest_add(&d, ip + 12, 8);
    } else {
        digest_add(&d, ip + 8, 32);
    }
    digest_add(&d, udp, OVERRUN_UDP);
    value = (uint32_t)digest_value(&d);
    return value ? value : 1;
}

static uint32_t
start_of(const uint8_t *start, uint32_t size)
{
    return (uint32_t)digest_of(0, start, size);
}

void
overrun_note(struct overrun *o, uint64_t ordinal, const struct packet *pkt)
{
    struct overrun_id *id = slot(o, ordinal);
    uint32_t size;

    *id = (struct overrun_id){ 0 };
    if (!pkt || pkt->key.protocol != PACKET_UDP || pkt->later)
        return;
    size = pkt->payload_size < OVERRUN_START ? pkt->payload_size : OVERRUN_START;
    id->head = head_of(pkt->data, pkt->data + pkt->transport);
    id->start = start_of(pkt->payload, size);
}

/* How much of the payload overrun_note() has looked at. */
static uint32_t
looked_at(const struct overrun_drop *drop)
{
    uint32_t size = be16(drop->udp + 4);

    size = size > OVERRUN_UDP ? size - OVERRUN_UDP : 0;
    return size < OVERRUN_START ? size : OVERRUN_START;
}

uint64_t
overrun_find(
    struct overrun *o, uint64_t first, uint64_t last, const struct overrun_drop *drop)
{
    uint32_t head = head_of(drop->ip, drop->udp), size = looked_at(drop), start = 0;
    uint64_t at = o->found >= first && o->found < last ? o->found + 1 : first;
    bool known = drop->have >= size;

    if (known)
        start = start_of(drop->start, size);
    for (uint64_t n = 0; n <= last - first; n++, at = at < last ? at + 1 : first) {
        struct overrun_id *id = slot(o, at);

        if (id->head != head || (known && id->start != start))
            continue;
        id->head = 0;
        o->found = at;
        return at;
    }
    return 0;
}
