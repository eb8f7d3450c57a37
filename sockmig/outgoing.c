/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/outgoing.h"

#include "lib/fd.h"
#include "sockmig/core/packet.h"
#include "sockmig/core/segment.h"
#include "sockmig/gatens.h"
#include "sockmig/reserve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BYTES ((size_t)16 << 20)
#define AT_ONCE 100 /* segments: the main thread has a lease to keep */

struct outgoing {
    uint8_t *data;     /* owned mapping of BYTES: u32 size, packet, size, packet ... */
    size_t size, sent; /* bytes of .data in use, and of them those that have gone */
    int raw4;          /* borrowed */
    int raw6; /* owned; an IPv6 socket takes whole packets as IPPROTO_RAW only */
};

int
outgoing_new(int netns, int raw4, struct outgoing **out)
{
    struct outgoing *o = calloc(1, sizeof *o);
    int back, ret;

    if (!o)
        return -ENOMEM;
    o->raw4 = raw4;
    o->raw6 = -1;
    o->data = reserve(BYTES);
    ret = !o->data ? -ENOMEM : gatens_enter(netns, &back);
    if (ret == 0) {
        o->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        ret = o->raw6 < 0 ? -errno : 0;
        gatens_leave(back);
    }
    if (ret < 0) {
        outgoing_free(o);
        return ret;
    }
    *out = o;
    return 0;
}

void
outgoing_free(struct outgoing *o)
{
    if (!o)
        return;
    reserve_end(o->data, BYTES);
    fd_close(o->raw6);
    free(o);
}

void
outgoing_add(struct outgoing *o, const uint8_t *packet, size_t size)
{
    uint32_t n = (uint32_t)size;

    if (size > PACKET_MAX || BYTES - o->size < sizeof n + size)
        return;
    memcpy(o->data + o->size, &n, sizeof n);
    memcpy(o->data + o->size + sizeof n, packet, size);
    o->size += sizeof n + size;
}

void
outgoing_clear(struct outgoing *o)
{
    o->size = o->sent = 0;
}

/* What the kernel does not take is left to the sockets, too. */
static void
transmit(const struct outgoing *o, const uint8_t *packet, size_t size)
{
    struct sockaddr_in to4 = { .sin_family = AF_INET };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };

    if (packet[0] >> 4 == 4) {
        memcpy(&to4.sin_addr, packet + 16, 4);
        sendto(
            o->raw4, packet, size, MSG_DONTWAIT, (struct sockaddr *)&to4, sizeof to4);
        return;
    }
    memcpy(&to6.sin6_addr, packet + 24, 16);
    sendto(o->raw6, packet, size, MSG_DONTWAIT, (struct sockaddr *)&to6, sizeof to6);
}

/* The IP header of @packet, which is @size bytes long now.  The kernel fills in the
 * header checksum of a raw IPv4 packet. */
static void
set_length(uint8_t *packet, size_t size)
{
    uint16_t n = htons((uint16_t)(packet[0] >> 4 == 4 ? size : size - 40));

    memcpy(packet + (packet[0] >> 4 == 4 ? 2 : 4), &n, sizeof n);
}

/* One segment of @pkt: @n bytes of its payload from @at on. */
static void
send_part(const struct outgoing *o, const struct packet *pkt, uint32_t at, uint32_t n)
{
    uint32_t headers = (uint32_t)(pkt->payload - pkt->data);
    uint8_t part[256 + SEGMENT_FITS];
    uint32_t seq = htonl(pkt->tcp.seq + at);

    if (headers > 256)
        return;
    memcpy(part, pkt->data, headers);
    memcpy(part + headers, pkt->payload + at, n);
    memcpy(part + pkt->transport + 4, &seq, sizeof seq);
    if (at + n < pkt->payload_size)
        part[pkt->transport + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    set_length(part, headers + n);
    if (packet_complete(part, headers + n))
        transmit(o, part, headers + n);
}

static void
send_one(const struct outgoing *o, uint8_t *data, size_t size)
{
    struct packet pkt;

    if (!packet_parse(&pkt, PACKET_OUT, data, size))
        return;
    if (!packet_is_tcp(&pkt) || pkt.payload_size <= SEGMENT_FITS) {
        if (packet_complete(data, pkt.size))
            transmit(o, data, pkt.size);
        return;
    }
    for (uint32_t at = 0; at < pkt.payload_size; at += SEGMENT_FITS)
        send_part(o, &pkt, at,
            pkt.payload_size - at < SEGMENT_FITS ? pkt.payload_size - at
                                                 : SEGMENT_FITS);
}

bool
outgoing_send(struct outgoing *o)
{
    uint32_t n;

    for (unsigned segments = 0; segments < AT_ONCE && o->sent < o->size;
         segments += 1 + n / SEGMENT_FITS) {
        memcpy(&n, o->data + o->sent, sizeof n);
        send_one(o, o->data + o->sent + sizeof n, n);
        o->sent += sizeof n + n;
    }
    if (o->sent < o->size)
        return true;
    outgoing_clear(o);
    return false;
}
