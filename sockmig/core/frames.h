/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * frames.h - the Ethernet frames that announce a virtual address, ready to send, and
 * those that ask whether somebody has it.
 *
 * Pure.  Design: doc/design/gate.md, "Announcement". */
#ifndef BSC_FRAMES_H
#define BSC_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
    uint8_t bytes[96];
    size_t size; /* used of them */
};

/* frames_mac - locally administered unicast address from two names (NUL-terminated):
 * 02 and 40 bits of a hash, the same everywhere. */
void frames_mac(const char *cluster, const char *service, uint8_t mac[6]);

/* frames_hash - of a name, stable between releases (it names things in the kernel). */
uint32_t frames_hash(const char *name);

/* frames_arp - gratuitous ARP for @address (4 bytes): request, or reply to all.
 * Source: RFC 5944 section 4.6; RFC 5227 section 2.3. */
void frames_arp(
    struct frame *f, const uint8_t mac[6], const uint8_t address[4], bool reply);

/* frames_arp_probe - does anybody have @address (4 bytes)?  Asked by nobody, so that no
 * neighbour learns it.  Source: RFC 5227 section 2.1.1. */
void frames_arp_probe(struct frame *f, const uint8_t mac[6], const uint8_t address[4]);

/* frames_ns_probe - the same for @address (16 bytes): a neighbour solicitation from the
 * unspecified address.  Source: RFC 4862 section 5.4.2. */
void frames_ns_probe(struct frame *f, const uint8_t mac[6], const uint8_t address[16]);

/* frames_claims - is @frame of somebody who has @address of @family, or wants it?
 *
 * True: @mac (6 bytes) says who.  Of ARP any packet that names it as sender's, and
 * another's probe for it; of IPv6 an advertisement, and another's probe. */
bool frames_claims(const uint8_t *frame, size_t size, bool six, const uint8_t *address,
    uint8_t mac[6]);

/* frames_na - unsolicited neighbour advertisement with the override flag, to all
 * nodes, for @address (16 bytes).  Source: RFC 4861 sections 4.4 and 7.2.6. */
void frames_na(struct frame *f, const uint8_t mac[6], const uint8_t address[16]);

/* frames_mld - MLDv2 report: we listen to the solicited-node group of @address, so
 * that a snooping switch sends neighbour solicitations here.  From the link-local
 * address that belongs to @mac.  Source: RFC 3810 section 5.2. */
void frames_mld(struct frame *f, const uint8_t mac[6], const uint8_t address[16]);

/* frames_sum16 - Internet checksum (RFC 1071) of @size bytes, continued from @sum. */
uint16_t frames_sum16(uint32_t sum, const uint8_t *data, size_t size);

#endif
