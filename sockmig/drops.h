/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drops.h - datagrams that the kernel dropped while the calling thread delivered them,
 * since their socket had no room.
 *
 * Delivery is part of the verdict's system call (the ingress queue is in the cell), so
 * after it all are known.  Needs Linux 5.18 with CONFIG_DEBUG_INFO_BTF.
 *
 * Source: net/core/skbuff.c, sk_skb_reason_drop(); net/ipv4/udp.c,
 * __udp_queue_rcv_skb(); sockmig/bpf/drops.bpf.c. */
#ifndef BSC_DROPS_H
#define BSC_DROPS_H

#include "sockmig/bpf/drops_row.h"

struct drops;

/* drops_open - from now on they are noted; for the calling thread, which is the one
 * that reads.  0 and *out, or -errno: this kernel does not tell. */
int drops_open(struct drops **out);
void drops_close(struct drops *d); /* NULL is legal */

/* drops_read - @cb for each since the last call, in their order: no system call.  Of
 * more than DROPS_AT_ONCE the rest is not known. */
void drops_read(
    struct drops *d, void (*cb)(const struct drops_row *row, void *arg), void *arg);

/* drops_check - may this kernel tell?  0 or -errno. */
int drops_check(void);

#endif
