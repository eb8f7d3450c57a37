/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * probe.h - asks an SNMPv3 engine who it is (RFC 3414, section 4), as octets.
 *
 * net-snmp does this too, but stands still until the answer is there.  Pure. */
#ifndef BSC_GUI_PROBE_H
#define BSC_GUI_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_SIZE 64
#define PROBE_ENGINE 32

/* probe_request - the message; its size.  @number: 1..2^31-1, comes back. */
size_t probe_request(uint8_t out[PROBE_SIZE], uint32_t number);

/* probe_answer - the engine's identifier from a report.
 *
 * False: it is none, or to another request; @engine and @size are untouched. */
bool probe_answer(const uint8_t *in, size_t n, uint32_t number,
    uint8_t engine[PROBE_ENGINE], size_t *size);

#endif
