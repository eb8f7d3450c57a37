/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_resend.c - the data in flight, once more, past the socket; or a question for the
 * window, if that was shut. */
#include "sockmig/ckpt/tcp.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/core/segment.h"

#include <string.h>
#include <unistd.h>

/* Where its packets go: @raw is an IPv4 socket; an IPv6 one builds its header from the
 * packet only as IPPROTO_RAW, and it is made here since few connections need it. */
struct way {
    int raw, six; /* .six: owned; -1: none yet */
    const struct image_tcp *im;
};

static int
transmit(struct way *way, const uint8_t *packet, size_t n)
{
    struct sockaddr_in to4 = { .sin_family = AF_INET };
    struct sockaddr_in6 to6;

    if (packet[0] >> 4 == 4) {
        memcpy(&to4.sin_addr, packet + 16, 4);
        return sendto(way->raw, packet, n, MSG_DONTWAIT, (const struct sockaddr *)&to4,
                   sizeof to4) == (ssize_t)n;
    }
    if (way->six < 0)
        way->six = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    memcpy(&to6, way->im->remote, sizeof to6); /* keeps the scope of a link-local one */
    to6.sin6_port = 0;                         /* would be taken for a protocol */
    return sendto(way->six, packet, n, MSG_DONTWAIT, (const struct sockaddr *)&to6,
               sizeof to6) == (ssize_t)n;
}

/* 1 if it went: @size bytes of @data, as much after @s begins as @at says. */
static int
send_part(struct way *way, const struct segment *s, uint32_t at, const uint8_t *data,
    uint32_t size)
{
    uint8_t packet[SEGMENT_HEADERS + SEGMENT_FITS];
    struct segment part = *s;
    size_t n;

    part.seq += at;
    part.data = data;
    part.size = size;
    part.flags |= size > 0 ? SEGMENT_PSH : 0;
    n = segment_build(&part, packet);
    return n > 0 && transmit(way, packet, n);
}

int
tcp_resend(int sock, const struct image_tcp *entry, const uint8_t *outq, uint32_t most,
    int raw)
{
    uint32_t size = entry->outq - entry->unsent, payload = SEGMENT_FITS;
    uint32_t window = entry->rcv_wnd >> entry->rcv_wscale;
    const struct segment s = { .from = entry->local,
        .to = entry->remote,
        .seq = repair_snd_una(entry),
        .ack = entry->rcv_nxt,
        .flags = SEGMENT_ACK,
        .window = (uint16_t)(window > 65535 ? 65535 : window),
        .timestamps = entry->options & TCPI_OPT_TIMESTAMPS,
        .timestamp = (uint32_t)repair_get(sock, SOL_TCP, TCP_TIMESTAMP) };
    struct way way = { raw, -1, entry };
    int count = 0;

    if (size > entry->snd_wnd)
        size = entry->snd_wnd;
    if (size > most)
        size = most;
    if (entry->mss > 100 && entry->mss - 20 < payload)
        payload = entry->mss - 20;
    if (size == 0 && entry->outq > 0) /* as the kernel asks: what is acknowledged */
        count = send_part(&way, &s, (uint32_t)-1, NULL, 0);
    for (uint32_t at = 0; at < size; at += payload)
        count += send_part(
            &way, &s, at, outq + at, size - at < payload ? size - at : payload);
    fd_close(way.six);
    return count;
}
