/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reqsk.h - connections that no image holds, made again from their first segment.
 *
 * What TCP_REPAIR cannot do: a connection that was half open, not yet accepted, or
 * born after the checkpoint has no descriptor to restore; a new handshake would have
 * new sequence numbers.  A BPF program at tc ingress of a cell's devices keeps a map
 * of such connections.  The first segment after the handshake (sequence and
 * acknowledgement one beyond the two initial ones, with data or without) becomes an
 * established child in the accept queue of the listener, with the original numbers.
 * Any other segment of such a connection is dropped, so that none is answered with a
 * reset, but:
 *
 * - a SYN with another number: the peer begins afresh.  The entry is removed, the
 *   kernel answers.  The same SYN again is dropped: a client that never saw its answer
 *   gets it from answers.h.
 * - a RST at the expected place: the entry is removed.
 *
 * The entry is removed when it was used.  It stays, and the segment is dropped so that
 * the peer sends it again, while the listener's queue is full, no listener is there, or
 * memory is short; for a listener with TCP_DEFER_ACCEPT, while only bare ACKs come; and
 * at eth0 while that is shut.
 *
 * The segment's checksum must be complete, or marked as verified or partial by the
 * device: one that is wrong uses the entry up for nothing.
 *
 * Source: net/core/filter.c, bpf_sk_assign_tcp_reqsk() (Linux 6.8); sockmig/bpf/
 * reqsk.bpf.c; doc/design/sockets.md. */
#ifndef BSC_REQSK_H
#define BSC_REQSK_H

#include <stdbool.h>
#include <stdint.h>

struct reqsk;

#define REQSK_MAX 65536 /* connections waiting to be made again */

struct reqsk_key {
    int family; /* AF_INET or AF_INET6; for a dual-stack listener that of the packets */
    uint8_t local[16], remote[16];    /* network order; IPv4: the first four bytes */
    uint16_t local_port, remote_port; /* host order; local = the service's */
};

/* What the handshake agreed on; used as given. */
struct reqsk_attributes {
    uint32_t remote_isn, local_isn; /* sequence numbers of SYN and of SYN-ACK */
    uint16_t mss; /* the SYN's, at least 536 (IPv4) or 1220 (IPv6): the kernel refuses
                     less */
    uint8_t snd_wscale, rcv_wscale; /* the SYN's, the SYN-ACK's; at most 14 */
    bool wscale, sack, ecn, timestamps;
    bool microseconds;  /* the unit of our timestamps */
    uint32_t remote_ts; /* the peer's last known TSval */
    uint32_t local_ts;  /* what our clock for this connection shows now: the
                           SYN-ACK's TSval plus its age and a margin */
};

/* reqsk_new - load the program for cell @netns (descriptor, borrowed) and attach it to
 * device rp0 and, if there is one, eth0.  tcp_syncookies, tcp_timestamps,
 * tcp_window_scaling, and tcp_sack are switched on there: the kernel asks for them.
 *
 * 0 and *out; -EOPNOTSUPP: the kernel has no bpf_sk_assign_tcp_reqsk() (Linux
 * before 6.8, or without CONFIG_SYN_COOKIES or BTF): those connections will be reset;
 * another -errno.  Blocks for some milliseconds: make it with the cell, not at a
 * takeover. */
int reqsk_new(int netns, struct reqsk **out);

/* reqsk_free - the programs go with it, entries that were not used are forgotten.  NULL
 * is legal. */
void reqsk_free(struct reqsk *r);

/* reqsk_add - from now on the connection @key is made again by its first segment.  A
 * second call replaces the attributes.
 *
 * 0; -EINVAL: an attribute out of the range stated above (nothing changed; that
 * connection will be reset); -E2BIG: REQSK_MAX are waiting.  One system call. */
int reqsk_add(struct reqsk *r, const struct reqsk_key *key,
    const struct reqsk_attributes *attributes);

/* reqsk_shut - while @shut no connection is made of what comes by eth0: it is dropped,
 * and the entry stays.  Packets that came before the entry may still be queued, and
 * what is delivered first has to be the one that takes it.  A system call. */
void reqsk_shut(struct reqsk *r, bool shut);

/* reqsk_waits - whether the entry is there still: it was not used, superseded or reset.
 * A system call. */
bool reqsk_waits(const struct reqsk *r, const struct reqsk_key *key);

/* reqsk_remove - forget one; reqsk_clear - forget all that still wait (the end of the
 * grace time).  Their number. */
unsigned reqsk_remove(struct reqsk *r, const struct reqsk_key *key);
unsigned reqsk_clear(struct reqsk *r);

struct reqsk_counters {   /* since reqsk_new(); of segments, but for the first three */
    uint64_t made;        /* connections handed to their listener */
    uint64_t superseded;  /* entries removed by a new SYN */
    uint64_t reset;       /* entries removed by a RST */
    uint64_t out_of_turn; /* not the first segment: dropped */
    uint64_t deferred;    /* bare ACK for a listener with TCP_DEFER_ACCEPT: dropped */
    uint64_t full;        /* the accept queue is full: dropped */
    uint64_t no_listener; /* dropped */
    uint64_t taken;       /* the connection exists already: passed, entry removed */
    uint64_t refused;     /* by the kernel (attributes, memory): dropped */
    uint64_t early;       /* eth0 is shut: dropped */
};
void reqsk_counters(const struct reqsk *r, struct reqsk_counters *out);

/* reqsk_check - 0 if this kernel can do it (the program is loaded and thrown away);
 * -EOPNOTSUPP; another -errno. */
int reqsk_check(void);

#endif
