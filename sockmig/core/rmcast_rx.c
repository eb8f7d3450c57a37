/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rmcast_rx.c - the receiver. */
#include "sockmig/core/rmcast.h"

#include <string.h>

void
rmcast_read(const uint8_t *ring, size_t size, uint64_t from, size_t n, uint8_t *out)
{
    size_t at = from & (size - 1), first = size - at < n ? size - at : n;

    memcpy(out, ring + at, first);
    memcpy(out + first, ring, n - first);
}

static void
write_ring(struct rmcast_rx *rx, uint64_t at, const uint8_t *bytes, size_t n)
{
    size_t i = at & (rx->size - 1), first = rx->size - i < n ? rx->size - i : n;

    memcpy(rx->ring + i, bytes, first);
    memcpy(rx->ring, bytes + first, n - first);
}

void
rmcast_rx_init(struct rmcast_rx *rx, uint8_t *ring, size_t size, uint64_t from)
{
    memset(rx, 0, sizeof *rx);
    rx->ring = ring;
    rx->size = size;
    rx->low = rx->have = rx->probed = from;
}

static void
drop_islands(struct rmcast_rx *rx, unsigned at, unsigned n)
{
    memmove(&rx->islands[at], &rx->islands[at + n],
        (rx->nislands - at - n) * sizeof rx->islands[0]);
    rx->nislands -= n;
}

/* Whatever touches the contiguous part becomes part of it. */
static void
join_shore(struct rmcast_rx *rx)
{
    unsigned n = 0;

    for (; n < rx->nislands && rx->islands[n].from <= rx->have; n++)
        if (rx->islands[n].to > rx->have)
            rx->have = rx->islands[n].to;
    drop_islands(rx, 0, n);
}

enum landing { LAND_NEW, LAND_KNOWN, LAND_FULL };

/* Note that @from..@to is there; merges with the islands it touches. */
static enum landing
land(struct rmcast_rx *rx, uint64_t from, uint64_t to)
{
    unsigned i = 0, j;

    while (i < rx->nislands && rx->islands[i].to < from)
        i++;
    for (j = i; j < rx->nislands && rx->islands[j].from <= to; j++)
        ;
    if (i < j && rx->islands[i].from <= from && to <= rx->islands[i].to)
        return LAND_KNOWN;
    if (i < j) {
        if (rx->islands[i].from < from)
            from = rx->islands[i].from;
        if (rx->islands[j - 1].to > to)
            to = rx->islands[j - 1].to;
        drop_islands(rx, i, j - i - 1);
    } else if (from <= rx->have) { /* it needs no island of its own */
        rx->have = to;
        return LAND_NEW;
    } else {
        if (rx->nislands == RMCAST_ISLANDS)
            return LAND_FULL;
        memmove(&rx->islands[i + 1], &rx->islands[i],
            (rx->nislands - i) * sizeof rx->islands[0]);
        rx->nislands++;
    }
    rx->islands[i] = (struct rmcast_range){ from, to };
    return LAND_NEW;
}

static void
store(struct rmcast_rx *rx, const struct rmcast_data *data)
{
    uint64_t from = data->position, to = data->position + data->size;
    size_t skip;

    if (to <= rx->have) {
        rx->stats.duplicates++;
        return;
    }
    if (to > rx->low + rx->size) {
        rx->stats.out_of_window++;
        return;
    }
    skip = from < rx->have ? rx->have - from : 0;
    switch (land(rx, from + skip, to)) {
    case LAND_NEW:
        write_ring(rx, from + skip, data->bytes + skip, data->size - skip);
        join_shore(rx);
        rx->stats.datagrams++;
        rx->stats.bytes += data->size - skip;
        return;
    case LAND_KNOWN:
        rx->stats.duplicates++;
        return;
    case LAND_FULL:
        rx->stats.overflows++;
        return;
    }
}

void
rmcast_rx_data(struct rmcast_rx *rx, uint64_t counter, const struct rmcast_data *data)
{
    rx->ack_due = true;
    if (counter > rx->echo) {
        rx->echo = counter;
        rx->stamp = data->stamp;
    }
    if ((data->flags & RMCAST_PROBE) && data->sent > rx->probed)
        rx->probed = data->sent;
    if (data->size)
        store(rx, data);
}

void
rmcast_rx_trim(struct rmcast_rx *rx, uint64_t position)
{
    if (position <= rx->low)
        return;
    rx->low = position;
    if (position > rx->have) {
        rx->have = position;
        join_shore(rx);
    }
    rx->ack_due = true; /* there is room, which the sender may be waiting for */
}

static void
miss(struct rmcast_ack *ack, uint64_t from, uint64_t to)
{
    if (to > ack->limit)
        to = ack->limit;
    if (from < to && ack->nmissing < RMCAST_RANGES)
        ack->missing[ack->nmissing++] = (struct rmcast_range){ from, to };
}

bool
rmcast_rx_ack(struct rmcast_rx *rx, struct rmcast_ack *ack)
{
    uint64_t at = rx->have;

    if (!rx->ack_due)
        return false;
    rx->ack_due = false;
    *ack = (struct rmcast_ack){ .have = rx->have,
        .limit = rx->low + rx->size,
        .echo = rx->echo,
        .stamp = rx->stamp };
    for (unsigned i = 0; i < rx->nislands; i++) {
        miss(ack, at, rx->islands[i].from);
        at = rx->islands[i].to;
    }
    miss(ack, at, rx->probed);
    rx->stats.acks++;
    rx->stats.requests += ack->nmissing > 0;
    return true;
}
