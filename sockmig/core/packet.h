/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packet.h - a captured IP packet: bounded parse, flow key, checksum, crafted segments.
 *
 * Pure.  Source: RFC 791, 8200 (extension headers), 9293 section 3.1, 7323, 768. */
#ifndef BSC_PACKET_H
#define BSC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 65575u /* IPv6 header and the longest payload */
#define PACKET_BUILT 96u  /* the longest that is built here */
#define PACKET_NO_WSCALE 255u

enum { PACKET_ICMP = 1, PACKET_TCP = 6, PACKET_UDP = 17, PACKET_ICMP6 = 58 };
enum {
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_PSH = 8,
    TCP_ACK = 16,
    TCP_ECE = 64,
    TCP_CWR = 128
};

enum packet_way { PACKET_IN, PACKET_OUT }; /* to the service, from it */

/* A conversation as the service sees it, the same for both ways.  No hidden padding:
 * compare with memcmp(). */
struct flow_key {
    uint8_t version, protocol;        /* 4 or 6; as in the IP header */
    uint16_t local_port, remote_port; /* host order; 0 where there are none */
    uint16_t zero;
    uint8_t local[16], remote[16]; /* IPv4: the first 4 bytes, the rest 0 */
};

struct packet_tcp {
    uint32_t seq, ack, tsval, tsecr;
    uint16_t window, mss;  /* as in the header, unscaled; mss 0: no such option */
    uint8_t flags, wscale; /* wscale: PACKET_NO_WSCALE without the option */
    bool sack, timestamps;
};

struct packet {
    struct flow_key key;
    const uint8_t *data; /* borrowed */
    uint32_t size;       /* by the IP header; what came after it is ignored */
    uint32_t transport;  /* offset of the transport header */
    const uint8_t *payload;
    uint32_t payload_size; /* of a fragment: what this one has of it */
    bool fragment, later;  /* later: not the first one, it has no ports */
    bool more;             /* of a fragment: others follow */
    uint16_t fragment_at;  /* its place in the datagram's payload, from .transport on */
    uint32_t fragment_id;
    struct packet_tcp tcp; /* protocol TCP and not later */
};

/* packet_parse - look at the packet @data (IP header on) of @size bytes.
 *
 * @pkt  out; it borrows @data
 *
 * False if it is truncated, malformed, longer than PACKET_MAX or not IP; @pkt is then
 * undefined.  Protocols without ports give a key without ports. */
bool packet_parse(
    struct packet *pkt, enum packet_way way, const uint8_t *data, size_t size);

/* packet_may_be_fragment - a look at the header alone: false if it is none. */
static inline bool
packet_may_be_fragment(const uint8_t *data, size_t size)
{
    if (size < 8)
        return false;
    return data[0] >> 4 == 4 ? (data[6] & 0x3f) != 0 || data[7] != 0
                             : data[6] != PACKET_UDP && data[6] != PACKET_TCP;
}

/* packet_is_tcp - whether .tcp was filled in. */
static inline bool
packet_is_tcp(const struct packet *pkt)
{
    return pkt->key.protocol == PACKET_TCP && !pkt->fragment;
}

/* packet_seq_end - sequence number after the segment; SYN and FIN count one each. */
static inline uint32_t
packet_seq_end(const struct packet *pkt)
{
    return pkt->tcp.seq + pkt->payload_size + !!(pkt->tcp.flags & TCP_SYN) +
           !!(pkt->tcp.flags & TCP_FIN);
}

/* packet_resets - does it reset the connection of one that has all up to @next and, if
 * that is later, something up to @top?  Source: RFC 5961 section 3.2, and what Linux
 * adds to it for the right edge of what it has told by SACK. */
static inline bool
packet_resets(const struct packet *pkt, uint32_t next, uint32_t top)
{
    return pkt->tcp.flags & TCP_RST && (pkt->tcp.seq == next || pkt->tcp.seq == top);
}

/* seq_after - whether sequence number @a is later than @b (RFC 9293 section 3.4). */
static inline bool
seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* packet_complete - compute the TCP or UDP checksum in place: a captured packet may
 * have only the pseudo header's sum in it.  Fragments and other protocols are left
 * alone, they are complete.  False if it does not parse (nothing changed). */
bool packet_complete(uint8_t *data, size_t size);

/* packet_sound - whether a TCP or UDP checksum is right (others: true). */
bool packet_sound(const uint8_t *data, size_t size);

/* packet_set_tsecr - put @tsecr into the TCP timestamp option, checksum kept right.
 * False if there is none (nothing changed). */
bool packet_set_tsecr(uint8_t *data, size_t size, uint32_t tsecr);

/* packet_ack, packet_rst - a segment without data and without timestamps (a wrong one
 * would poison the receiver's clock for the real ones), @way between @flow's ends.
 *
 * @out  PACKET_BUILT bytes
 *
 * The packet's size. */
size_t packet_ack(uint8_t *out, const struct flow_key *flow, enum packet_way way,
    uint32_t seq, uint32_t ack, uint16_t window);
size_t packet_rst(uint8_t *out, const struct flow_key *flow, enum packet_way way,
    uint32_t seq, uint32_t ack);

/* packet_probe - a byte that the receiver has already, @seq its number: it is dropped,
 * and answered with what is lacking and how much room there is.  As above. */
size_t packet_probe(uint8_t *out, const struct flow_key *flow, enum packet_way way,
    uint32_t seq, uint32_t ack, uint16_t window);

/* packet_part - bytes [@skip, @skip + @size) of TCP segment @pkt's payload as a segment
 * of their own, with its header; what marks an end goes with the last byte.  Checksums
 * are complete.
 *
 * @out  PACKET_MAX bytes, not those of @pkt
 *
 * The packet's size. */
size_t packet_part(
    uint8_t *out, const struct packet *pkt, uint32_t skip, uint32_t size);

/* packet_synack - the service's answer to a SYN, with the options that @tcp has; its
 * flags are not looked at.  @out and result as above. */
size_t packet_synack(
    uint8_t *out, const struct flow_key *flow, const struct packet_tcp *tcp);

/* packet_unreachable - an ICMP "host unreachable" (of IPv6: "no route") to the client
 * about its segment @seq.  A client that waits for its retransmission timer takes one
 * doubling of it back for each (RFC 6069), if @seq is what it lacks an acknowledgement
 * of; others see a soft error.  @out and result as above. */
size_t packet_unreachable(uint8_t *out, const struct flow_key *flow, uint32_t seq);

/* flow_key_tcp - the key of a TCP connection between two struct sockaddr_in or _in6;
 * an IPv4-mapped pair gives the IPv4 key that its packets have.  False if the families
 * differ or are not IP. */
bool flow_key_tcp(
    struct flow_key *key, const uint8_t local[28], const uint8_t remote[28]);

uint32_t flow_key_hash(const struct flow_key *key, uint64_t seed);

#endif
