/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * segment.h - one TCP segment, or UDP datagram, as a whole IP packet, checksums filled
 * in.
 *
 * Pure.  Source: RFC 9293 section 3.1, RFC 791, RFC 8200, RFC 7323 (timestamps). */
#ifndef BSC_SEGMENT_H
#define BSC_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEGMENT_FIN = 1, SEGMENT_PSH = 8, SEGMENT_ACK = 16 };

#define SEGMENT_HEADERS 72u /* longest: IPv6, TCP with timestamps */
#define SEGMENT_FITS 1200u  /* payload for which any link has room */

struct segment {
    const uint8_t *from, *to; /* struct sockaddr_in or _in6; an IPv4-mapped pair gives
                                 an IPv4 packet */
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window; /* as it stands in the header: already scaled */
    bool timestamps;
    uint32_t timestamp, echo; /* an echo of 0: the peer takes no sample from it */
    const uint8_t *data;
    uint32_t size; /* of data, at most 60000 */
};

/* segment_build - write the packet to @out, which holds SEGMENT_HEADERS + s->size
 * bytes.  Its length, or 0 if the families of the addresses are not the same or not
 * IP. */
size_t segment_build(const struct segment *s, uint8_t *out);

/* segment_limit - bytes that Linux sends at a time, of @mss at most, to a peer whose
 * largest window was @window bytes (0: not known): half of that at most, or all of a
 * very small one.  Source: include/net/tcp.h, tcp_bound_to_half_wnd(). */
uint32_t segment_limit(uint32_t mss, uint32_t window);

#define DATAGRAM_HEADERS 48u /* longest: IPv6, UDP */

struct datagram {
    const uint8_t *from, *to; /* as above */
    const uint8_t *data;
    uint32_t size; /* at most 65507 (IPv4) or 65527 (IPv6) */
};

/* datagram_build - a UDP datagram as one IP packet, whatever its size.  As above, with
 * DATAGRAM_HEADERS; also 0 if it is larger than IP can say.  Source: RFC 768. */
size_t datagram_build(const struct datagram *d, uint8_t *out);

#endif
