/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * nfq.h - one netfilter queue (libmnl behind it).
 *
 * Fail closed: no listener = drop, overflow = drop (counted), never bypass, never
 * fail-open. */
#ifndef BSC_NFQ_H
#define BSC_NFQ_H

#include "sockmig/captured.h"

struct nfq;

/* nfq_open - bind queue @number in network namespace @netns (descriptor).
 *
 * @payload  copy packets to us; false: only their ids (metadata)
 * @maxlen   packets the kernel may hold, 1024..65536
 *
 * 0 and *out, or -errno.  The calling thread's namespace is unchanged after. */
int nfq_open(
    int netns, unsigned number, unsigned maxlen, bool payload, struct nfq **out);
void nfq_close(
    struct nfq *q); /* what is held is dropped by the kernel; NULL is legal */
int nfq_fd(const struct nfq *q); /* readable: nfq_read() */

/* nfq_read - all that waits, in batches; @cb for each packet.  Packets read, or -errno
 * (0: nothing waited).  At most 4096 a call, then the loop gets its turn: nfq_fd()
 * stays readable.  -errno also tells of an earlier verdict that the kernel refused. */
int nfq_read(struct nfq *q, captured_cb *cb, void *arg);

/* nfq_accept_upto - let all held packets with id up to @id go (one system call).
 * nfq_drop - drop one.  0 or -errno. */
int nfq_accept_upto(struct nfq *q, uint32_t id);
int nfq_drop(struct nfq *q, uint32_t id);
int nfq_drop_upto(struct nfq *q, uint32_t id);

struct nfq_stat {
    uint32_t held;                  /* in the kernel now */
    uint32_t dropped, user_dropped; /* queue full; we did not read */
};

/* nfq_stat - one read of /proc/net/netfilter/nfnetlink_queue, 2 us, kept open.
 * 0 or -errno. */
int nfq_stat(struct nfq *q, struct nfq_stat *out);

#endif
