/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim.h - a cluster of supervisors on a simulated clock, with simulated engines and
 * a simulated process group.
 *
 * Time advances only from one event to the next; the same seed gives the same run to
 * the byte.  After every step the promises are checked; the first that is broken ends
 * the run: sim->broken says which and how.
 *
 *   sim.c         clock, events, promises
 *   sim_faults.c  what can go wrong, and be ordered
 *   sim_group.c   Corosync: rings, total order, what is delivered at a cut
 *   sim_device.c  the quorum device
 *   sim_engine.c  sockmigd: checkpoints, clones, orders
 *   sim_beats.c   sockmigd: beats and the lease */
#ifndef BSC_SIM_H
#define BSC_SIM_H

#include "supervisor/core/member.h"

#include <stdio.h>

#define SIM_MAX 6 /* nodes are 1..SIM_MAX-1 */
#define SIM_LEASE_MS 200
#define SIM_BEAT_MS 40
#define SIM_CHECKPOINT_MS 50
#define SIM_LOG 16384
#define SIM_INBOX 1024
#define SIM_RINGS 512

enum sim_what {
    SIM_TICK,       /* timer of a supervisor */
    SIM_RING,       /* the next entry of a ring reaches a node */
    SIM_REFORM,     /* Corosync has noticed */
    SIM_SLIPPED,    /* who was alone for a moment is back */
    SIM_QUORUM,     /* ... and says so */
    SIM_ORDER,      /* an order reaches an engine */
    SIM_TO_SUPER,   /* a word of the engine reaches its supervisor */
    SIM_BEAT,       /* time for the active engine's beat */
    SIM_BEAT_AT,    /* a beat arrives */
    SIM_ACK_AT,     /* its acknowledgement arrives */
    SIM_CHECKPOINT, /* time for a checkpoint */
    SIM_CLONE_AT,   /* a checkpoint arrives */
    SIM_STORED_AT,  /* its acknowledgement arrives */
    SIM_PROGRESS,   /* a long order goes on */
    SIM_ENGINE_UP,
    SIM_SHARP,      /* the cut of a node that has just said something */
    SIM_FENCE,      /* fence agents run by a node for another one end */
    SIM_DEVICE,     /* the quorum device looks at its clients */
    SIM_ENGINE_TOLD /* the supervisor sees the engine's connection change */
};

struct sim_event {
    int64_t at;
    uint64_t tie;
    enum sim_what what;
    unsigned node, from;
    uint64_t gen;   /* of the addressee: a restarted one does not hear it */
    uint64_t epoch; /* of beats, checkpoints, orders */
    int64_t sent;
    uint64_t branch, n; /* checkpoint */
    struct effect order;
    struct member_event word;
};

struct sim_engine {
    bool up, connected;
    uint64_t gen;
    uint64_t floor; /* beats below are not acknowledged; 0: none are */
    enum engine_role role;
    uint64_t epoch;
    unsigned follows;
    bool serving, frozen, taking;
    int64_t lease_until, last_ack;
    bool acked;
    uint64_t beat_acks[64];
    int64_t beat_sent[64];
    uint64_t beat;
    uint64_t branch, n, stable; /* of the process */
    uint64_t required, ready;
    uint64_t stored[SIM_MAX];
    int64_t stored_at[SIM_MAX];
    bool clone;
    uint64_t clone_branch, clone_n;
    struct effect order; /* under way: taking, handing over */
    struct effect set;   /* under way: until all in it have what was released */
    bool set_waits;
    int64_t set_since;
    int64_t order_since;
    bool refuse; /* planted: the next takeover, start or resume fails */
    unsigned policy, interval_ms; /* that it was told last; 0: as configured */
};

struct sim_row { /* of the journal: what survives a crash */
    enum engine_op op;
    uint64_t epoch;
};

struct sim_node {
    struct member core;
    bool up, corosync_up, hung;
    bool joined;      /* this supervisor, not one before it, is in the group */
    uint64_t slipped; /* view that it was shown once more, and not the others */
    uint64_t gen;
    struct reign disk;
    struct wish wishes[2]; /* on disk: of the cluster, of the service */
    struct sim_row rows[8];
    unsigned nrows;
    int64_t rate_ppm; /* its clock against true time */
    int64_t tick_at;
    unsigned ring;
    unsigned cursor; /* entries of the ring handed to the inbox */
    bool delivering;
    struct member_event *inbox; /* owned */
    unsigned inbox_pos[2];      /* read, write */
    unsigned processed;
    struct sim_engine engine;
};

struct sim_ring {
    uint64_t id, nodes, members;
    unsigned n, room, read; /* entries; the furthest that anyone has read */
    struct peermsg *log;    /* owned; of .from 0: goes to nobody */
    uint64_t *hash; /* owned; record after each entry, 0: nobody was there yet */
};

struct sim_device {               /* Corosync's quorum device, for two nodes */
    unsigned ms;                  /* its time-out; 0: there is none */
    unsigned holder;              /* who has its vote alone; 0: nobody, or both */
    bool cut[SIM_MAX];            /* its network, from the node */
    bool gone[SIM_MAX];           /* as seen at the last look */
    int64_t drop_at[SIM_MAX];     /* the device gives the node up then */
    int64_t believes_to[SIM_MAX]; /* the node notices then */
    bool dropped[SIM_MAX];
    bool believes[SIM_MAX];
    bool whims;   /* it takes its vote back now and then */
    bool unbound; /* planted: the lease asks nobody */
};

struct sim_mutant {
    const char *name;
    void (*before)(struct member *m, struct member_event *ev);
    void (*after)(struct member *m, struct effects *out);
    uint64_t from; /* seed at which to begin: of a rare one, shortly before it shows */
};

/* sim_mutants.c: in clusters of any size, in those of two that fence. */
enum { SIM_MUTANTS = 17, SIM_PAIR_MUTANTS = 3 };
extern const struct sim_mutant sim_mutants[SIM_MUTANTS];
extern const struct sim_mutant sim_pair_mutants[SIM_PAIR_MUTANTS];

struct sim {
    int64_t now;
    unsigned n;
    struct sim_node node[SIM_MAX];
    struct sim_ring ring[SIM_RINGS];
    unsigned nrings;
    unsigned side[SIM_MAX]; /* of the cut network */
    struct sim_event *heap; /* owned */
    unsigned nheap, room;
    uint64_t tie, seed, random;
    uint64_t gens;
    uint64_t branch, released; /* what clients saw last: of which branch, how far */
    uint64_t branches;
    unsigned owner[4096]; /* of an epoch */
    uint64_t opened;      /* newest epoch whose gates were open */
    const struct sim_mutant *mutant;
    struct sim_device device;
    bool fencing;  /* nodes can be fenced */
    bool no_power; /* planted: agents say yes, and nothing is off */
    bool sharp;    /* the network is cut just when it hurts */
    char broken[256];
    unsigned story; /* keep only the journal of this node, without times; 0: all */
    char *trace;    /* owned; NULL: keep none */
    size_t trace_len;
    uint64_t steps, takeovers, starts, switchovers, lost_contexts;
    struct effects out;
};

void sim_init(struct sim *s, unsigned nodes, uint64_t seed);
void sim_fini(struct sim *s);
void sim_keep_trace(struct sim *s);
void sim_run_ms(struct sim *s, int64_t ms); /* or until a promise is broken */
uint64_t sim_random(struct sim *s, uint64_t below);

/* Faults.  A crash takes supervisor, engine and Corosync; the disk stays. */
void sim_crash(struct sim *s, unsigned node);
void sim_boot(struct sim *s, unsigned node);
void sim_super_crash(struct sim *s, unsigned node);
void sim_super_start(struct sim *s, unsigned node);
void sim_engine_crash(struct sim *s, unsigned node);   /* it is restarted */
void sim_engine_restart(struct sim *s, unsigned node); /* and not sockmigd */
void sim_disconnect(struct sim *s, unsigned node); /* from its engine, for a while */
void sim_service_fail(struct sim *s, unsigned node);
void sim_hang(struct sim *s, unsigned node, bool hung);
void sim_cut(struct sim *s, uint64_t nodes); /* @nodes from the rest; 0: heal */

/* sim_heal - take all faults back; within a minute the service must be protected by all
 * other nodes, or the promise is broken.  @operate: at a node now and then; NULL. */
void sim_heal(struct sim *s, void (*operate)(unsigned at));
void sim_switchover(struct sim *s, unsigned at, unsigned to);
void sim_fence(struct sim *s, unsigned by, unsigned node);
void sim_fence_ends(struct sim *s, unsigned by, unsigned node);
void sim_order(
    struct sim *s, unsigned at, enum order_what what, unsigned node, uint32_t value);

unsigned sim_serving(const struct sim *s); /* node with open gates, 0 if none */
uint64_t sim_set(const struct sim *s);     /* the set, as the active node has it */

void sim_device_start(struct sim *s, unsigned ms);
void sim_device_cut(struct sim *s, unsigned node, bool cut);

/* Between the files. */
void device_event(struct sim *s);
bool sim_linked(const struct sim *s, unsigned a, unsigned b);
void sim_push(struct sim *s, const struct sim_event *ev);
void sim_trace(struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sim_break(struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sim_feed(struct sim *s, unsigned node, const struct member_event *ev);
void sim_arm(struct sim *s, unsigned node, struct mono at); /* on its clock */
void sim_engine_told(struct sim *s, unsigned node);
int64_t sim_local(const struct sim *s, unsigned node, int64_t t);
void group_broadcast(struct sim *s, unsigned node, const struct peermsg *msg);
void group_reform(struct sim *s);
void group_ring(struct sim *s, const struct sim_event *ev);
void group_slip(struct sim *s, unsigned node);
void group_slipped(struct sim *s, const struct sim_event *ev);
void group_inbox(struct sim *s, unsigned node);
void group_queue(struct sim *s, unsigned node, const struct member_event *ev);
void engine_boot(struct sim *s, unsigned node);
void engine_restart(struct sim *s, unsigned node); /* alone: what it was told is gone */
void engine_event(struct sim *s, const struct sim_event *ev);
void engine_end_order(struct sim *s, unsigned node); /* the service ended under it */
void engine_check_record(struct sim *s, unsigned node, const struct effect *order);
void engine_report_to(struct sim *s, unsigned node);
bool engine_open(const struct sim *s, unsigned node);

#endif
