/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_window.c - how much a restored socket takes.
 *
 * Acknowledgements without data are in no record, so nothing else keeps the input that
 * is fed behind the service's reading.  What is beyond the window that its socket told
 * the kernel drops, and nobody sends it again: its client has the acknowledgement of
 * the first time.
 *
 * Source: net/ipv4/tcp_input.c, tcp_sequence(), tcp_data_queue(). */
#include "sockmig/core/replay_private.h"

#define SMALL_PART 536u

void
window_told(
    struct replay *r, struct rflow *f, const struct packet *pkt, struct mono now)
{
    uint32_t edge = pkt->tcp.ack + ((uint32_t)pkt->tcp.window << f->rcv_wscale);

    if ((pkt->tcp.flags & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK)
        return;
    if (f->has_edge && !seq_after(edge, f->edge))
        return; /* a window never shrinks */
    f->edge = edge;
    f->has_edge = true;
    r->progress_us = now.us; /* what it was granted for its output stays */
}

/* One that was made again tells its window when it has got something.  Of one in an
 * image without a window nothing is known. */
static uint32_t
room_untold(const struct rflow *f, uint32_t left)
{
    return f->have_syn && f->in_next != f->syn.seq + 1 ? 0 : left;
}

uint32_t
window_room(const struct replay *r, const struct rflow *f, const struct packet *pkt,
    uint32_t skip, struct mono now)
{
    uint32_t begin = pkt->tcp.seq + skip, end = packet_seq_end(pkt), left = end - begin;
    int64_t waited_us = now.us - r->progress_us;
    uint32_t room;

    if (left == 0 || !seq_after(end, f->in_next))
        return left; /* nothing new */
    if (!f->has_edge)
        return room_untold(f, left);
    if (!seq_after(end, f->edge))
        return left;
    if (begin != f->in_next) /* what fills the hole comes after it */
        return waited_us >= EXCUSE_FEW_US ? left : 0;
    room = seq_after(f->edge, begin) ? f->edge - begin : 0;
    if (pkt->tcp.flags & TCP_FIN && room == left - 1) { /* goes with the last byte */
        if (room <= 1)
            return waited_us >= EXCUSE_FEW_US ? left : 0;
        room--;
    }
    return room >= SMALL_PART || waited_us >= 2 * STARVE_US ? room : 0;
}

/* As the service tells it; nothing is known of it: the least. */
uint16_t
window_of(const struct rflow *f)
{
    uint32_t window = 1;

    if (f->has_edge)
        window = seq_after(f->edge, f->in_next)
                     ? (f->edge - f->in_next) >> f->rcv_wscale
                     : 0;
    return replay_sayable(window);
}

#define PROBE_US 10000

bool
window_probe(struct replay *r, struct mono now, struct replay_effect *e)
{
    const struct flow_key *key = &r->map.keys[r->blocked];
    const struct rflow *f = &r->flows[r->blocked];

    if (!r->blocked_full || now.us - r->progress_us < STARVE_US ||
        now.us - r->probed_us < PROBE_US)
        return false;
    r->probed_us = now.us;
    *e = (struct replay_effect){
        .what = REPLAY_INJECT, .packet = r->buffer, .flow = *key
    };
    e->size = packet_probe(
        r->buffer, key, PACKET_IN, f->in_next - 1, f->acked, f->window);
    r->stat.synthetic++;
    return true;
}
