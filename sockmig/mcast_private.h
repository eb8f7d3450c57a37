/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_private.h - shared by mcast.c (roles), mcast_in.c (what comes), mcast_out.c
 * (what leaves) and mcast_open.c (sockets and memory). */
#ifndef BSC_MCAST_PRIVATE_H
#define BSC_MCAST_PRIVATE_H

#include "sockmig/mcast.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define MCAST_OVERHEAD (RMCAST_HEAD + RMCAST_DATA_BODY + SEAL_TAG)
#define MCAST_RUN_BYTES 65000u /* of one call's UDP payload, below 65507 */
#define MCAST_RUN_SEGMENTS 64u /* UDP_MAX_SEGMENTS of older kernels */
#define MCAST_RUNS 8u
#define MCAST_BATCH 16u /* messages read by one call */
#define MCAST_MESSAGE 65536u

enum mcast_role { MCAST_REST, MCAST_ACTIVE, MCAST_STANDBY };

struct mcast_address {
    struct sockaddr_storage sa;
    socklen_t size; /* 0: none */
};

struct mcast_peer {
    struct mcast_address address;
    uint64_t session; /* of its joining */
    struct seal_channel in;
    struct rmcast_seen seen;
};

/* Datagrams of one size to the same nodes: one system call's worth. */
struct mcast_run {
    uint8_t *bytes; /* MCAST_RUN_BYTES of the arena */
    size_t size, segment;
    unsigned count;
    uint32_t to;
    bool closed; /* its last datagram is a short one */
};

struct mcast {
    struct mcast_options options;
    enum mcast_role role;
    int fd, group_fd; /* owned; group_fd -1: a list of nodes */
    struct loop_io *io, *group_io;
    struct loop_timer *timer;
    struct mono timer_at;
    struct mcast_address group;
    size_t payload; /* bytes of the stream in a full datagram */
    uint8_t *sent_ring, *received_ring;
    size_t ring_bytes;
    bool gso, busy, again;
    struct mcast_stats stats;

    uint64_t epoch;
    /* active */
    uint64_t reign, told_stable;
    enum seal_cipher cipher;
    struct seal_channel out[SEAL_NCIPHERS];
    struct rmcast_tx tx;
    struct mcast_peer peers[CONF_MAX_NODES]; /* by id - 1 */
    struct mcast_run runs[MCAST_RUNS];
    unsigned nruns;
    /* standby */
    unsigned active; /* id */
    uint64_t active_reign, session, ack_counter;
    bool opens[SEAL_NCIPHERS];
    struct seal_channel in[SEAL_NCIPHERS], ack;
    struct rmcast_seen seen;
    struct rmcast_rx rx;

    uint8_t *arena; /* MCAST_RUNS runs */
    uint8_t *inbox; /* MCAST_BATCH messages */
};

int mcast_sockets(struct mcast *m, char *error); /* 0 or -errno */
int mcast_memory(struct mcast *m, char *error);

void mcast_readable(struct loop_io *io, int fd, int events, void *arg);

/* mcast_pump - whatever has to leave leaves, whatever has to be told is told. */
void mcast_pump(struct mcast *m);
void mcast_send(struct mcast *m, struct mono now); /* all that rmcast_tx_next() gives */
void mcast_answer(struct mcast *m);                /* the standby's acknowledgement */

#endif
