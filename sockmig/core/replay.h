/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay.h - a restored service is brought from its checkpoint to the log's end.
 *
 * The outside is closed: output is swallowed (verdict DROP behind the veth) and given
 * to replay_output(), input comes from the log alone.  Driven by the shell's loop:
 *
 *     r = replay_init(memory, &sizes);
 *     replay_connection(r, ...) for each TCP connection of the image
 *     replay_start(r, &conf, now);       before the service is woken
 *     ... wake it ...
 *     loop: each swallowed packet -> replay_output(r, now, data, size)
 *           while (replay_next(r, now, &e)) carry out e
 *           wait for output, at most replay_wait_us(r, now)
 *
 * until an effect DONE or STALLED.  Promise P4: a connection goes on byte-exact, or it
 * is reset; output that is made again is compared with the log.
 *
 * Pure.  Design: doc/design/replay.md. */
#ifndef BSC_REPLAY_H
#define BSC_REPLAY_H

#include "lib/core/mono.h"
#include "sockmig/core/plog.h"

enum replay_mode {
    REPLAY_COMPARE, /* policy replay: output in the log may have reached clients */
    REPLAY_FEED     /* policy commit: output after the mark never left; only input */
};

struct replay_sizes {
    uint32_t flows;   /* connections of image and log together */
    uint32_t outputs; /* records OUT looked ahead; 65536 is plenty */
    uint64_t bytes;   /* of swallowed output to be sent at the end; a power of two */
};

struct replay_conf {
    enum replay_mode mode;
    const struct plog_ring *kept, *log; /* borrowed until the end, unchanged */
    struct plog_mark mark;              /* of the checkpoint in the clone */
    uint64_t seed;                      /* as flows_init() of the active node had it */
    int64_t silent_us; /* since the log's last record came, by this node's clock */
    int64_t outage_us; /* since a client was last heard: so long, at most, they have
                          sent into the void */
    int64_t stall_us;  /* without progress so long: what it waits for is given up, the
                          next time sooner.  What the service needed at first is
                          granted besides */
    uint32_t lost_max; /* more given up so, or waited for six times as long in all:
                          STALLED */
};

/* A connection as the image has it. */
struct replay_connection {
    struct flow_key key;
    uint32_t snd_una, snd_nxt, rcv_nxt; /* snd_nxt: sent so far; FINs counted */
    bool fin_in, fin_out;               /* are counted: the client's, the service's */
    uint16_t window, segment; /* the client's window, unscaled, as in its packets; as
                                 much as goes to it at a time, likewise */
    uint16_t window_most;     /* the largest window that it ever had, likewise */
    uint8_t snd_wscale;       /* of these */
    bool has_edge;
    uint32_t edge;      /* the service takes input up to it */
    uint8_t rcv_wscale; /* of what it says of that */
};

/* A connection that no image has, to be made from its first acknowledgement; fields as
 * struct bpf_tcp_req_attrs wants them.  The kernel takes both ISNs from the packet: one
 * whose seq is not client_isn + 1 or whose ack is not server_isn + 1 must be dropped
 * while the entry is there, the client sends the right one again.  So must be its SYN
 * (seq client_isn) sent again: another answer would have another ISN. */
struct replay_request {
    struct flow_key key;
    uint32_t client_isn, server_isn;
    uint32_t rcv_tsval, rcv_tsecr; /* tsecr: advanced, the service's clock as of now */
    uint16_t mss;
    uint8_t snd_wscale, rcv_wscale; /* the client's, the service's */
    bool wscale, sack, timestamps, ecn;
};

enum replay_what {
    REPLAY_INJECT,    /* write .packet to the cell's TUN.  A failed write: go on, the
                         stall limit finds out what it meant */
    REPLAY_REBUILD,   /* .request into the TUN's map; its packet comes next */
    REPLAY_HALF_OPEN, /* .request into the map for the grace time on eth0: its first
                         acknowledgement comes from the client, after the opening.  Its
                         SYN-ACK is the next REPLAY_SEND */
    REPLAY_SEND,      /* .packet to the client when the outside opens: swallowed output
                         that the client has not acknowledged, the SYN-ACK of a half-open
                         connection, a reset, what shortens its waiting, or what asks
                         for its window */
    REPLAY_DIVERGED,  /* .flow at .seq: .reason; it is reset, nothing to carry out */
    REPLAY_STALLED,   /* give up: .flow lacks .seq, .reason.  The last effect */
    REPLAY_DONE       /* the service is where the log ends.  What it puts out from now
                         on leaves by the policy's rule */
};

struct replay_effect {
    enum replay_what what;
    const uint8_t *packet; /* valid until the next call of any function here */
    size_t size;
    uint64_t ordinal; /* INJECT: of its IN record; 0: made up here */
    struct replay_request request;
    struct flow_key flow;
    uint32_t seq;
    const char *reason; /* static text */
};

struct replay_stat {
    uint64_t injected, synthetic, rebuilt, half_open; /* packets, connections */
    uint64_t skipped;    /* input of unknown or ended connections, cancelled input */
    uint64_t swallowed;  /* output packets */
    uint64_t compared;   /* bytes of output that equal the log's */
    uint64_t uncompared; /* OUT records that could not be compared: before snd_nxt */
    uint64_t resets;     /* RST that the service made */
    uint64_t diverged, stalled; /* connections reset; of these by the stall limit */
    uint64_t datagrams; /* UDP output that differs from the log's or is missing */
    uint64_t excused;   /* connections whose output the small window held back */
    uint64_t insisted;  /* packets that left without having been compared, as nothing
                           more fitted into a window */
    uint64_t sent;      /* packets given out by SEND */
    uint64_t unknown;   /* records of unknown kinds */
    uint64_t position;  /* stream position reached */
};

struct replay;

size_t replay_size(const struct replay_sizes *sizes);

/* replay_init - in @memory (replay_size() bytes, aligned for any type, owned by the
 * caller).  May be called again on the same memory: a new replay. */
struct replay *replay_init(void *memory, const struct replay_sizes *sizes);

/* replay_connection - false if there is no room: wake it without replay, or not. */
bool replay_connection(struct replay *r, const struct replay_connection *c);

/* replay_connection_image - what replay_connection() wants of an image_tcp; false if
 * its addresses are not IP. */
struct image_tcp;
bool replay_connection_image(const struct image_tcp *tcp, struct replay_connection *c);

/* replay_start - reads through the log once (60 ns per record).  False if it has more
 * connections than there is room for, or is malformed (*why: static text): fall back.
 */
bool replay_start(struct replay *r, const struct replay_conf *conf, struct mono now,
    const char **why);

/* replay_output - a packet that the service put out.
 *
 * Until DONE: drop it, always.  After DONE: true if it may leave; false: drop it.  It
 * is of a connection that replay_next() is about to report as diverged, or part of what
 * can be compared as a whole only, and given out by SEND when it is. */
bool replay_output(struct replay *r, struct mono now, const uint8_t *data, size_t size);

/* replay_next - the next effect, or false: nothing to do before more output comes or
 * replay_wait_us() is over. */
bool replay_next(struct replay *r, struct mono now, struct replay_effect *e);
int64_t replay_wait_us(const struct replay *r, struct mono now);

/* replay_watching - connections whose logged output is not all made again after DONE:
 * the small window of a restored socket held it back; and for some seconds those that
 * are reset, as they may have put out something before.  While there are any, show
 * output to replay_output() before it leaves and input to replay_input() before it is
 * delivered, and call replay_next() after.  When there are none any more, once more. */
uint32_t replay_watching(const struct replay *r);

/* replay_input - a client's packet.  False: it acknowledges output that was not made
 * again yet, so the service's TCP would refuse it for ever: drop it.  What is made is
 * acknowledged by INJECT, until the service has caught up. */
bool replay_input(struct replay *r, const struct packet *pkt);

struct replay_stat replay_stat(const struct replay *r);

#endif
