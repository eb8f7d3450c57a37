/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep_private.h - what the parts of keep share. */
#ifndef BSC_KEEP_PRIVATE_H
#define BSC_KEEP_PRIVATE_H

#include "sockmig/core/keep.h"
#include "sockmig/core/links.h"

#define KEEP_CANCELS                                                                   \
    256                   /* ranges in one trim; beyond it, dropped input may be kept  \
                           */
#define KEEP_PIECES 1024u /* datagrams of which fragments lack */
#define KEEP_UNACCEPTED 4096u /* connections that were reset, and not accepted yet */

enum conn_state { CONN_BORN, CONN_IN_IMAGE };

struct conn {
    enum conn_state state;
    uint32_t trim;    /* IN_IMAGE: number of the trim whose image had it; gone: of
                         that in which it went */
    uint32_t rcv_nxt; /* BORN: without what came after a hole */
    uint32_t top;     /* BORN: with that */
    uint32_t syn;     /* the client's ISN, if its SYN was seen */
    uint32_t server_isn;
    bool used, half_open, answered; /* answered: the SYN-ACK is kept */
    bool waits;                     /* BORN: counted in keep.waiting */
    bool holes;                     /* BORN: something came after one */
    bool gone;                      /* BORN: closed, reset or given up */
    bool reset;                     /* BORN: but it may be accepted yet */
    bool live;                      /* compacting: its SYN was passed */
};

/* A datagram of which some fragments came before the mark, but not all. */
struct pieces {
    uint32_t have, total; /* bytes; total 0: the last one lacks */
    uint64_t at_us;       /* of the first that came */
    bool used, kept;      /* kept: some of it may be */
};

struct keep {
    struct keep_conf conf;
    struct flowmap map;
    struct conn *conns;
    struct plog_ring ring; /* what is kept */
    uint8_t *spare;        /* compacting goes into it, then they change places */
    struct list half_open; /* connections, by .links */
    struct link *links;
    uint32_t trim, waiting, ngone;
    uint64_t seen; /* records before it, up to .mark, were looked at */
    struct plog_mark mark;
    bool changed; /* something kept may not be needed any more */
    uint64_t evicted, lost, unknown;
    uint64_t newest_at, heard_at; /* the log's last record, its last input */
    struct flowmap unaccepted;    /* what the image has of those that were reset */
    void *unaccepted_memory;
    struct flowmap pieces_map; /* ports: halves of the identification */
    struct pieces *pieces;
    uint32_t next_piece; /* to make room where there is none */
    uint32_t ncancels;
    struct {
        uint64_t first, last;
    } cancels[KEEP_CANCELS];
};

/* keep_conns.c: the connections known */
struct conn *conn_find(struct keep *k, const struct flow_key *key);
struct conn *conn_add(struct keep *k, const struct flow_key *key); /* NULL: no room */
void conn_waits(struct keep *k, struct conn *c); /* BORN and half open from now on */
void conn_acknowledged(struct keep *k, struct conn *c); /* not half open any more */
void conn_end(struct keep *k, struct conn *c);          /* nothing of it is needed */
void conn_evict_oldest(struct keep *k); /* half-open one; there is one */
void conns_retire(struct keep *k);      /* those of the image before are gone */
void conns_forget(struct keep *k); /* those that are gone, for so long that their SYN
                                      does not come once more */
void conns_end_accepted(struct keep *k); /* of those that were reset */

/* keep_fragments.c: datagrams in pieces.  pieces_count() - a fragment came before the
 * mark; pieces_lack() - others of its datagram have not come yet: it is kept. */
void pieces_count(struct keep *k, const struct packet *pkt, uint64_t at_us);
bool pieces_lack(struct keep *k, const struct packet *pkt);
void pieces_expire(struct keep *k);

#endif
