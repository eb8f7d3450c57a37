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

#define PAYLOAD_MAX 1400u

/* @raw is an IPv4 socket; an IPv6 one builds its header from the packet only as
 * IPPROTO_RAW, and it is made here since few connections need it. */
static int
transmit(const struct image_tcp *im, int raw, const uint8_t *packet, size_t n)
{
    struct sockaddr_in to4 = { .sin_family = AF_INET };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
    ssize_t sent;
    int six;

    if (packet[0] >> 4 == 4) {
        memcpy(&to4.sin_addr, packet + 16, 4);
        sent = sendto(
            raw, packet, n, MSG_DONTWAIT, (const struct sockaddr *)&to4, sizeof to4);
        return sent == (ssize_t)n ? 0 : -1;
    }
    six = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (six < 0)
        return -1;
    memcpy(&to6, im->remote, sizeof to6); /* keeps the scope of a link-local one */
    to6.sin6_port = 0;                    /* would be taken for a protocol */
    sent = sendto(
        six, packet, n, MSG_DONTWAIT, (const struct sockaddr *)&to6, sizeof to6);
    fd_close(six);
    return sent == (ssize_t)n ? 0 : -1;
}

/* 1 if it was sent: from @at on, as seen from the first that is not acknowledged. */
static int
send_one(int sock, const struct image_tcp *entry, int raw, uint32_t at,
    const uint8_t *data, uint32_t size)
{
    uint32_t window = entry->rcv_wnd >> entry->rcv_wscale;
    uint8_t packet[SEGMENT_HEADERS + PAYLOAD_MAX];
    struct segment s = { .from = entry->local,
        .to = entry->remote,
        .seq = repair_snd_una(entry) + at,
        .ack = entry->rcv_nxt,
        .flags = SEGMENT_ACK | (size > 0 ? SEGMENT_PSH : 0),
        .window = (uint16_t)(window > 65535 ? 65535 : window),
        .timestamps = entry->options & TCPI_OPT_TIMESTAMPS,
        .timestamp = (uint32_t)repair_get(sock, SOL_TCP, TCP_TIMESTAMP),
        .data = data,
        .size = size };
    size_t n = segment_build(&s, packet);

    return n > 0 && transmit(entry, raw, packet, n) == 0;
}

int
tcp_resend(int sock, const struct image_tcp *entry, const uint8_t *outq, uint32_t most,
    int raw)
{
    uint32_t size = entry->outq - entry->unsent, payload;
    int count = 0;

    if (size > entry->snd_wnd)
        size = entry->snd_wnd;
    if (size > most)
        size = most;
    if (size == 0 && entry->outq > 0) /* as the kernel asks: what is acknowledged */
        return send_one(sock, entry, raw, (uint32_t)-1, NULL, 0);
    payload = entry->mss > 100 && entry->mss - 20 < PAYLOAD_MAX ? entry->mss - 20
                                                                : PAYLOAD_MAX;
    for (uint32_t at = 0; at < size; at += payload)
        count += send_one(
            sock, entry, raw, at, outq + at, size - at < payload ? size - at : payload);
    return count;
}
