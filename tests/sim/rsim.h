/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim.h - a host with a server, and clients, in one process, for the simulation of
 * replay: a TCP reduced to what matters to it, on virtual time.
 *
 * The server numbers its answers with one counter for all connections: the order in
 * which requests are read shows in the answers.  A client checks every byte. */
#ifndef BSC_RSIM_H
#define BSC_RSIM_H

#include "sockmig/core/replay.h"

#define RSIM_CONNS 6
#define RSIM_SLOTS (2 * RSIM_CONNS) /* of the host: some are over, and not yet read */
#define RSIM_STREAM 24576u          /* bytes of answers of a connection, at most */
#define RSIM_REQUESTS 14
#define RSIM_PACKET 6200u
#define RSIM_WSCALE 1 /* of the windows that the server tells */
#define RSIM_CLIENT_WSCALE 5
#define RSIM_OOO 64
#define RSIM_TOKENS 512
#define RSIM_COUNTERS 4096

enum { RSIM_QUIT = 1, RSIM_HANG_UP }; /* what a request asks for besides its answer */

void rsim_seed(uint64_t seed);
uint32_t rsim_random(void);
uint32_t rsim_below(uint32_t n);
static inline bool
rsim_chance(uint32_t percent)
{
    return rsim_below(100) < percent;
}

/* One end sends a packet. */
typedef void rsim_emit(void *arg, const uint8_t *data, size_t size);

struct rsim_segment {
    uint32_t seq, ack, size;
    uint8_t flags;
    uint8_t wscale; /* of a SYN; 0: without options */
    uint16_t window;
    uint32_t mss, tsval;
    const uint8_t *data;
};

/* rsim_build - a TCP packet; @unsummed: leave the checksum to be completed. */
size_t rsim_build(uint8_t *out, const struct flow_key *key, enum packet_way way,
    const struct rsim_segment *s, bool unsummed);

enum sconn_state { S_FREE, S_HALF_OPEN, S_WAITING, S_ACCEPTED, S_CLOSED };

struct sconn {
    enum sconn_state state;
    struct flow_key key;
    uint32_t irs, iss, rcv_nxt, snd_una, snd_nxt, write_seq;
    uint32_t edge;        /* what is beyond is dropped */
    uint32_t cwnd, quiet; /* ticks since something moved */
    uint32_t peer_edge;   /* the client takes no more */
    uint32_t peer_most;   /* its largest window */
    bool fin_rcvd, fin_queued, rebuilt, ack_due;
    bool timeless;   /* no round trip was seen: its timer is long */
    bool reset;      /* nothing is sent any more, what came is read nevertheless */
    uint32_t unread; /* bytes at the end of .in that the application lacks */
    uint32_t in_size, taken; /* of .in; bytes that the application has handled */
    uint8_t in[RSIM_REQUESTS * 8 + 8];
    uint8_t out[RSIM_STREAM]; /* from iss + 1 on */
    struct {
        uint32_t seq, size;
        bool fin;
        uint8_t data[32];
    } ooo[RSIM_OOO];
    uint32_t nooo;
};

enum token_kind { T_ACCEPT, T_DATA, T_EOF, T_RESET };

struct host {
    struct sconn conns[RSIM_SLOTS];
    struct {
        enum token_kind kind;
        uint32_t conn, size;
    } tokens[RSIM_TOKENS];
    uint32_t ntokens;
    uint32_t counter;
    bool wrong; /* planted: the next answer differs from what it was, there: */
    struct flow_key wrong_key;
    uint32_t wrong_seq;
    uint32_t got[RSIM_CONNS]; /* requests of each client that came, in order */
    uint8_t done[RSIM_CONNS][RSIM_REQUESTS]; /* how often each was carried out */
    bool overran;     /* a segment was dropped, being beyond the window */
    uint64_t refused; /* segments with acknowledgements beyond what was sent */
    struct {
        bool used;
        struct replay_request request;
    } requests[RSIM_CONNS]; /* what the kernel's map has */
};

/* host_segment - the most that goes to the client at a time. */
uint32_t host_segment(const struct sconn *c);

/* host_client - the client that @key is a connection of. */
static inline uint32_t
host_client(const struct flow_key *key)
{
    return key->remote_port - 40000u;
}

/* The callback is no part of a host: images are copies. */
void host_input(
    struct host *h, const uint8_t *data, size_t size, rsim_emit *emit, void *arg);
/* host_hears - false: its device drops the packet, before anybody captures it. */
bool host_hears(const struct host *h, const uint8_t *data, size_t size);
bool host_app(struct host *h, rsim_emit *emit, void *arg); /* false: nothing to do */
void host_tick(struct host *h, rsim_emit *emit, void *arg);
/* host_has - is the connection in an image?  One that the server has closed is, as long
 * as its client lacks something. */
bool host_has(const struct sconn *c);
/* host_imageable - whether the order of what waits would survive an image. */
bool host_imageable(const struct host *h);
/* host_restore - what a clone has of @image. */
void host_restore(struct host *h, const struct host *image);

enum cconn_state { C_IDLE, C_SYN_SENT, C_OPEN, C_CLOSING, C_DONE, C_RESET, C_ABORTED };

struct cconn {
    enum cconn_state state;
    struct flow_key key;
    uint32_t iss, snd_una, snd_nxt, rcv_nxt, irs;
    uint32_t edge; /* the server takes no more */
    uint32_t room; /* bytes that it keeps until they are read; 0: any number */
    uint32_t held, own_edge; /* of them, unread; it takes no more */
    uint32_t nrequests, asked, answered;
    uint32_t quiet, start, abort_at;
    bool fin_rcvd, ack_due, quit;
    uint32_t hang;   /* the request after which the server hangs up, or more than all */
    bool eager;      /* ends its side with its last request, not with the last answer */
    bool hasty;      /* asks, and resets the connection at once */
    uint32_t parsed; /* bytes in .part */
    uint8_t part[16];
    uint32_t counter, filler, filled;
};

struct clients {
    struct cconn conns[RSIM_CONNS];
    bool seen[RSIM_COUNTERS];
    bool lenient;       /* numbers may be given twice */
    const char *broken; /* the promise that was */
};

void clients_init(struct clients *c);
void clients_input(
    struct clients *c, const uint8_t *data, size_t size, rsim_emit *emit, void *arg);
void clients_tick(struct clients *c, uint32_t now, rsim_emit *emit, void *arg);
bool clients_finished(const struct clients *c);

uint8_t rsim_filler(uint32_t counter, uint32_t i);
uint32_t rsim_filler_size(uint32_t counter);

#endif
