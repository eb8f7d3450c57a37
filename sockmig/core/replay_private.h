/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_private.h - what the parts of replay share.
 *
 * Three cursors walk over the records, kept ones first, then the log:
 *
 *     inject <= gate <= expect
 *
 * expect loads the digests of output ahead, for comparing; gate holds the order: it
 * stops at a RELEASE until all output before it has been made again, and until inject
 * has injected the input that was released. */
#ifndef BSC_REPLAY_PRIVATE_H
#define BSC_REPLAY_PRIVATE_H

#include "sockmig/core/digest.h"
#include "sockmig/core/flowmap.h"
#include "sockmig/core/replay.h"

#define REPLAY_EARLY 32     /* output packets that came before their time */
#define REPLAY_CANCELS 1024 /* ranges not passed yet */
#define STARVE_US 500       /* silent so long: the window may be what holds it back */
#define STARVE_BYTES 8192u  /* or so much in flight */
#define EXCUSE_US 20000     /* silent so long with much in flight: it is the window */
#define EXCUSE_FEW_US 100000
#define EXCUSE_BYTES 4096u
#define REPLAY_INSISTS 2 /* timers of before the opening may be among them */
#define TIMESTAMP_MARGIN_MS 200

struct cursor {
    bool in_log;
    uint64_t at;
};

enum node_kind { NODE_DATA, NODE_FIN, NODE_RST, NODE_SYN, NODE_DATAGRAM };

/* An output that the log has, to be made again. */
struct node {
    uint32_t next; /* of the same flow; or of the free list */
    uint32_t seq, size;
    enum node_kind kind;
    uint64_t hash;
    bool blind; /* part of it was sent before the image: not to be compared */
};

enum rstate {
    R_BORN,  /* its SYN is or will be in the log, nothing was injected */
    R_OPEN,  /* in the image, or rebuilt */
    R_FRESH, /* its SYN was injected: nobody saw an answer to it before */
    R_DATAGRAMS,
    R_DOOMED, /* diverged or stalled: its input still belongs to the service's state and
                 is fed in; reset at the end */
    R_DEAD    /* cannot be rebuilt, or reset after the end */
};

struct rflow {
    enum rstate state;
    bool many;           /* several connections in turn: .logged_ack means nothing */
    bool has_logged_ack; /* .logged_ack is set */
    bool unmet;          /* in the list of those that the gate waits for */
    bool excused;        /* not waited for any more, still compared */
    bool fin_in, fin_out, reset;
    bool have_syn, have_answer, owes_ack;
    bool has_edge;            /* .edge is known */
    bool parted;              /* of the next packet, what is before .in_next went in */
    bool full;                /* takes no more: the client has to send it again */
    uint8_t rcv_wscale;       /* of the windows that the service tells */
    uint8_t snd_wscale;       /* of those that its client tells */
    bool has_echo;            /* the next packet goes in with .echo */
    bool told;                /* HALF_OPEN was given out, its SYN-ACK comes next */
    bool reported;            /* DIVERGED was given out */
    uint8_t insists;          /* since .out_next: sent again, not to be compared yet */
    uint32_t out_next;        /* output was made up to it */
    uint32_t flight;          /* of what the image has in flight, kept up to it */
    uint32_t flight_end;      /* the end of that */
    uint32_t in_next;         /* input was injected up to it, without holes */
    uint32_t in_top;          /* with holes */
    uint32_t echo;            /* time stamp of the service that it acknowledges */
    uint32_t edge;            /* the service takes input up to it */
    uint32_t acked;           /* what the service was told that the client has */
    uint32_t logged_ack;      /* highest acknowledgement by the client in the log */
    uint32_t need;            /* the gate waits for output up to it; or datagrams */
    uint32_t made;            /* datagrams */
    uint32_t first, last;     /* nodes */
    uint32_t hashed;          /* bytes of the first node in .digest */
    uint32_t newer, older;    /* in the list of unmet ones */
    uint32_t to_report;       /* list of dead ones */
    uint16_t window, segment; /* as the client said last; less than a segment: shut */
    uint16_t told_window;     /* what the service was told of it */
    uint16_t window_most;     /* the largest that the client ever told */
    int64_t output_us;        /* when it last made progress */
    int64_t told_us;          /* when the service was last told something made up */
    struct digest digest;
    struct packet_tcp syn;     /* of the client */
    struct plog_output answer; /* the SYN-ACK */
    uint64_t answered_us;      /* by the active node's clock */
    struct cursor syn_at;      /* its record */
    uint64_t kept_from;        /* in .sent: what is before was put out by another one */
    uint32_t dead_seq;
    const char *reason;
};

enum phase {
    PHASE_LOG,
    PHASE_BORN,
    PHASE_SEND,
    PHASE_NUDGE,
    PHASE_LAST_WORDS,
    PHASE_DONE,
    PHASE_GONE
};

struct replay {
    struct replay_sizes sizes;
    struct replay_conf conf;
    struct replay_stat stat;
    enum phase phase;
    struct flowmap map;
    struct rflow *flows;
    struct node *nodes;
    uint32_t free_node, fresh_node, node_count;
    uint32_t unmet_first, unmet_count, report_first, report_last;
    struct cursor expect, gate, inject;
    bool expect_ended;
    bool injecting; /* input up to .goal may go */
    uint64_t goal;
    uint32_t blocked; /* flow whose input waits for output; FLOWMAP_NONE */
    uint32_t blocked_ack;
    bool blocked_full; /* that flow has no room */
    int64_t probed_us; /* when it was asked for it last */
    struct {
        uint64_t first, last;
    } cancels[REPLAY_CANCELS];
    uint32_t ncancels;
    int64_t start_us, progress_us, allow_us;
    int64_t stall_us, waited_us;     /* the limit now; stalls waited for in all */
    uint64_t released_at, newest_at; /* by the active node's clock */
    uint32_t walk;   /* PHASE_BORN, _NUDGE, _LAST_WORDS: flow to look at next */
    uint32_t nudges; /* PHASE_NUDGE: given out for that flow */
    uint32_t watching;
    uint32_t lost;         /* connections, until what they had put out has come */
    int64_t lost_us;       /* since when there is nothing more to be reset */
    uint32_t starved;      /* PHASE_DONE: flow to be acknowledged; FLOWMAP_NONE */
    uint32_t relapsed;     /* likewise: lost, and to be reset again */
    struct plog_ring sent; /* swallowed output not acknowledged in the log */
    uint64_t send_end;     /* in .sent: may leave up to there, if it is compared */
    struct {
        uint32_t flow, size; /* 0: none */
    } early[REPLAY_EARLY];
    uint32_t nearly, next_early;
    uint8_t *early_data;                        /* REPLAY_EARLY times PLOG_PAYLOAD */
    uint8_t *scratch, *inject_scratch, *buffer; /* PLOG_PAYLOAD each */
};

/* replay_read - next record for @cur that matters; false at the end. */
bool replay_read(const struct replay *r, struct cursor *cur, struct plog_record *rec,
    uint8_t *scratch);

struct rflow *replay_find(const struct replay *r, const struct flow_key *key);
struct rflow *replay_add(struct replay *r, const struct flow_key *key, enum rstate s);

/* gate_acknowledges - after DONE: @f is told what its client has, if that is more. */
bool gate_acknowledges(struct replay *r, struct rflow *f, struct replay_effect *e);

static inline uint32_t
replay_index(const struct replay *r, const struct rflow *f)
{
    return (uint32_t)(f - r->flows);
}

/* replay_lost.c */
/* replay_kill - @f is not to go on: reported now, reset at both ends in the end. */
void replay_kill(struct replay *r, struct rflow *f, uint32_t seq, const char *reason);
/* lost_reset - the next of the two resets of @f.  reset_service - to its service. */
void lost_reset(struct replay *r, struct rflow *f, struct replay_effect *e);
void reset_service(struct replay *r, const struct rflow *f, struct replay_effect *e);
/* lost_look - true: *e is what lost connections need now. */
bool lost_look(struct replay *r, struct mono now, struct replay_effect *e);

/* replay_client_expects - the number of the first byte that @f's client may lack. */
static inline uint32_t
replay_client_expects(const struct rflow *f)
{
    bool later = f->has_logged_ack && !f->many && seq_after(f->logged_ack, f->acked);

    return later ? f->logged_ack : f->acked;
}

static inline bool
replay_lost(const struct rflow *f)
{
    return f->state == R_DEAD || f->state == R_DOOMED;
}

/* replay_watched - was there output of @f that it could put out a part of only?  Until
 * the rest is made, what it puts out after DONE is swallowed, and leaves when it is
 * compared. */
static inline bool
replay_watched(const struct rflow *f)
{
    return f->excused && f->first != FLOWMAP_NONE;
}

/* replay_sayable - a window in the 16 bits that a packet has for it.  replay_said - so
 * many bytes as one, scaled and rounded up. */
static inline uint16_t
replay_sayable(uint32_t window)
{
    return window < UINT16_MAX ? (uint16_t)window : UINT16_MAX;
}

static inline uint16_t
replay_said(uint32_t bytes, unsigned wscale)
{
    return replay_sayable((bytes + (1u << wscale) - 1) >> wscale);
}

/* replay_heard - the client said so about its window. */
static inline void
replay_heard(struct rflow *f, uint16_t window)
{
    f->window = window;
    if (window > f->window_most)
        f->window_most = window;
}

static inline bool
replay_closed(const struct rflow *f)
{
    return f->fin_in && f->fin_out;
}

/* replay_progress - something moved: the stall limit begins anew. */
static inline void
replay_progress(struct replay *r, struct mono now)
{
    r->progress_us = now.us;
    r->allow_us = 0;
}

/* replay_nodes.c: what is expected of each flow */
void nodes_load(struct replay *r);
void node_pop(struct replay *r, struct rflow *f);
/* node_take - the one behind @before; FLOWMAP_NONE: the first. */
void node_take(struct replay *r, struct rflow *f, uint32_t before);
void nodes_drop(struct replay *r, struct rflow *f);
void nodes_drop_to_syn(struct replay *r, struct rflow *f, uint32_t isn);

/* replay_gate.c: the gate's walk; unmet output */
void unmet_add(struct replay *r, struct rflow *f);
void unmet_remove(struct replay *r, struct rflow *f);
/* gate_step - false: it waits for output or for input to be injected. */
bool gate_step(struct replay *r);
/* gate_blocked - nothing moves: find out why.  True: *e, or look again. */
bool gate_blocked(
    struct replay *r, struct mono now, struct replay_effect *e, bool *effect);

/* replay_input.c */
enum input_step { INPUT_EFFECT, INPUT_AGAIN, INPUT_BLOCKED, INPUT_MET };
enum input_step input_step(struct replay *r, struct mono now, struct replay_effect *e);
void input_cancel(struct replay *r, uint64_t first, uint64_t last);
/* input_inject - *e is the packet of @rec, with its checksum complete.  input_skip -
 * the packet is not fed. */
void input_inject(
    struct replay *r, const struct plog_record *rec, struct replay_effect *e);
enum input_step input_skip(struct replay *r);
void input_synthetic(struct replay *r, struct rflow *f, uint32_t ack, uint16_t window,
    struct replay_effect *e);

/* replay_born.c */
/* born_syn - its SYN, which is not fed.  born_input - any other packet @pkt of it, that
 * came @at_us.  born_end - what @f is at the log's end; false: nothing to do. */
void born_syn(struct replay *r, struct rflow *f, const struct packet *pkt);
enum input_step born_input(struct replay *r, struct rflow *f, const struct packet *pkt,
    uint64_t at_us, struct mono now, struct replay_effect *e);
bool born_end(
    struct replay *r, struct rflow *f, struct mono now, struct replay_effect *e);

/* replay_window.c */
/* window_told - by an output packet of @f, whatever else it is. */
void window_told(
    struct replay *r, struct rflow *f, const struct packet *pkt, struct mono now);
/* window_room - how much of @pkt @f takes now, from @skip on: bytes of its payload, and
 * one for its end, which goes with the last of them. */
uint32_t window_room(const struct replay *r, const struct rflow *f,
    const struct packet *pkt, uint32_t skip, struct mono now);

/* window_of - what a packet of the service has as its window now. */
uint16_t window_of(const struct rflow *f);

/* window_probe - what is blocked for want of room is asked how much there is: what the
 * service has read since it last said so.  False: not now. */
bool window_probe(struct replay *r, struct mono now, struct replay_effect *e);

/* replay_output.c */
bool output_send(struct replay *r, struct replay_effect *e);

#endif
