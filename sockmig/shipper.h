/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shipper.h - the thread of the active engine that encodes, seals and sends.
 *
 * It works off its queue in order, so what a standby gets is in order too: image,
 * then base pages and checkpoints interleaved.  Writing blocks: a standby that does
 * not read holds up the others until the main thread shuts its socket down.  One that
 * is being seeded does not read while it makes its clone, so who seeds it looks at
 * shipper_backlog() first. */
#ifndef BSC_SHIPPER_H
#define BSC_SHIPPER_H

#include "sockmig/queue.h"
#include "sockmig/slot.h"
#include "sockmig/stream.h"

enum shipper_note {
    SHIP_SLOT,   /* p: the slot, taken */
    SHIP_JOIN,   /* node; a: descriptor, taken: send it the last image, then all else;
                    b: it opens AES; p, taken, of c bytes: births for it (wire.h) */
    SHIP_SEEDED, /* node: all its base pages have been put before this */
    SHIP_LEAVE,  /* node */
    SHIP_RESET,  /* p: struct seal_key to use from now on, freed; forget images */
    SHIP_NNOTES
};

struct shipper;

struct shipper *shipper_new(void); /* starts the thread; never NULL */
struct queue *shipper_queue(struct shipper *s);
uint64_t shipper_sent_bytes(const struct shipper *s); /* so far, any thread */
uint64_t shipper_last_bytes(const struct shipper *s); /* of the last checkpoint */

/* shipper_backlog - bytes sent to @node that it has not got yet, as of the last
 * checkpoint or base; known while it is being seeded, else 0.  Any thread. */
unsigned shipper_backlog(const struct shipper *s, unsigned node);
uint64_t shipper_next_frame(const struct shipper *s); /* no frame before it will come */

#endif
