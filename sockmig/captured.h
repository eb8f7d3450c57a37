/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * captured.h - a packet that was captured, of either way: it waits until it may go on.
 */
#ifndef BSC_CAPTURED_H
#define BSC_CAPTURED_H

#include <stdbool.h>
#include <stdint.h>

struct captured {
    uint32_t id;       /* grows by 1 from 1, each way by itself */
    uint16_t protocol; /* 0x0800, 0x86dd */
    bool checksum_pending;
    const uint8_t *data; /* borrowed until the next read; NULL without payload */
    uint32_t size;
};

typedef void captured_cb(const struct captured *pkt, void *arg);

#endif
