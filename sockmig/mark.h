/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mark.h - what dates a checkpoint: how far the service had got with its packets when
 * it stood still.
 *
 * Ordinals count the packets of one way, from 1, over the life of the gate. */
#ifndef BSC_MARK_H
#define BSC_MARK_H

#include <stdint.h>

struct mark {
    uint64_t in;     /* the last packet that was delivered to the service */
    uint64_t out;    /* the newest packet from the service by then */
    uint32_t out_id; /* its id; of no use to others */
    uint64_t log;    /* all of the log before it is older; of no use to others */
};

#endif
