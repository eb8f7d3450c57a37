/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine.h - the engine of one service: its main thread's state, shared by the files
 * engine.c (life), orders*.c (orders and their answers), peers.c (streams), beats.c
 * (lease) and status.c.
 *
 * The main thread owns queues, acknowledgements, verdicts and lease; the tracer all
 * ptrace work; the shipper or the receiver the streams.  It never decides: it reports
 * and obeys. */
#ifndef BSC_ENGINE_H
#define BSC_ENGINE_H

#include "lib/conf.h"
#include "lib/ctl.h"
#include "lib/seal.h"
#include "sockmig/capture.h"
#include "sockmig/core/awake.h"
#include "sockmig/core/commit.h"
#include "sockmig/core/lease.h"
#include "sockmig/core/role.h"
#include "sockmig/engine_notes.h"
#include "sockmig/follower.h"
#include "sockmig/gate.h"
#include "sockmig/idle.h"
#include "sockmig/mcast.h"
#include "sockmig/receiver.h"
#include "sockmig/replayer.h"
#include "sockmig/shipper.h"
#include "sockmig/tracer.h"

enum peer_state {
    PEER_DOWN,
    PEER_CONNECTING,
    PEER_GREETING, /* waiting for its challenge */
    PEER_SEEDING,
    PEER_READY,  /* has all of a checkpoint and keeps up */
    PEER_BEHIND, /* did not acknowledge in time */
    PEER_NSTATES
};

struct peer {
    const struct conf_node *node; /* borrowed; NULL: no such node */
    struct engine *engine;        /* borrowed */
    unsigned bit;                 /* its place in masks: id - 1 */
    enum peer_state state;
    int fd;             /* owned; -1 */
    struct loop_io *io; /* owned */
    struct stream_pair pair;
    uint8_t in[WIRE_UP_MAX];
    size_t in_size;
    uint8_t *have; /* owned: parts of WIRE_HAVE so far */
    size_t have_size, have_max;
    uint64_t ack_least, whole, applied;
    char sorry[200];       /* why it was behind, as was said; "": nothing */
    unsigned losses;       /* of its log, since it was ready last */
    struct mono no_sooner; /* after a loss it is seeded anew */
    bool seeded;           /* its clone is whole */
    bool caught_up;        /* so is its log */

    /* beats */
    struct seal_key beat_key;  /* from here to there */
    uint64_t session, counter; /* of theirs, highest seen */
};

struct engine {
    const struct conf *conf;            /* borrowed */
    const struct conf_service *service; /* borrowed */
    const struct conf_node *self;       /* borrowed */
    struct seal_secret secret;
    struct loop *loop;
    struct ctl_conn *ctl; /* to sockmigd */

    struct gate *gate;
    struct capture capture;
    struct follower *follower; /* owned: as a standby */
    struct filestore *files;   /* owned; NULL: no state folders */
    struct filescan_conf folders;
    const char *state_paths[FILES_MAX_ROOTS];
    char files_said[256];
    struct mono files_say_again, no_follow_before;
    struct replayer *replayer; /* owned */
    struct mono hold_until;    /* FOLLOWING: open for clients, whose packets wait */
    struct mono listen_until;  /* handed over: their packets still go into the log */

    struct role role;
    bool open; /* the gates may be open while the lease is held */
    bool lease_reported;
    unsigned announced; /* ticks since the gates were opened; see engine_announce() */
    struct lease lease;
    uint64_t lease_refreshed, lease_lost;
    struct commit commit;
    struct peer peers[CONF_MAX_NODES]; /* by id - 1 */
    unsigned active;                   /* FOLLOWING: id of the active node */
    uint64_t acks_from;                /* beats of older epochs get no answer */
    struct mono last_ack;              /* when a beat was last answered */
    uint64_t group_session;
    uint64_t followed; /* epoch of the reign whose stream and log came here last */
    int udp, listener; /* owned */
    struct loop_io *udp_io, *listener_io;
    uint64_t beat_session, beat_counter;
    struct loop_timer *beat_timer, *tick;
    struct awake awake;
    struct idle idle; /* how deeply processors sleep, by .awake */

    struct { /* a stream that has not proved itself yet */
        int fd;
        struct loop_io *io;
        struct stream_pair pair;
        uint8_t in[STREAM_HELLO];
        size_t in_size;
    } greeting;
    struct receiver *receiver;
    unsigned generation;
    _Atomic uint64_t received_bytes, forged;
    uint64_t malformed, stale; /* stale: a stream of another epoch */
    struct {
        uint64_t told[3];
        struct mono at;
    } strangers; /* see strangers.c */

    struct tracer *tracer;
    struct shipper *shipper;
    struct queue *notes;
    struct loop_io *notes_io;
    pid_t pid;
    int pidfd;
    struct loop_io *pid_io;

    struct { /* the order that is being carried out */
        bool running;
        int64_t id;
        enum role_order order;
        uint64_t epoch, wait_for; /* handover: checkpoint that must become stable */
        uint64_t log;             /* handover: up to there it should be stable */
        struct mono log_since;    /* handover: since when that is waited for */
        bool shut;                /* handover: nothing leaves any more */
        unsigned to;              /* handover: id of who takes over; 0: not said */
        uint32_t keep_set;        /* resume: still required then */
        struct mono began;
    } order;
    struct { /* the order `set` that is not answered yet */
        bool running;
        int64_t id;
        uint32_t mask;
        uint64_t released; /* what every standby in it must have */
        uint64_t logged;   /* and of the log */
    } set_order;
    int64_t checkpoint_order; /* id of an order `checkpoint` that waits; 0: none */
    uint64_t checkpoint_number;

    struct refusals refusals;
    struct mono no_join_before; /* standbys are not asked again until then */
    bool protected_now, clone_ready;
    char last_error[384];
    int64_t last_blackout_ms; /* -1: none yet */
    struct woken last_wake;   /* .timing.total 0: none yet */
    uint64_t last_wake_epoch;
    struct mono status_sent;
    bool status_due;
};

/* engine_main - run the engine of @service until its control connection @ctl_fd
 * ends.  Exit status. */
int engine_main(const struct conf *conf, const char *service, int ctl_fd);

/* What the other files offer to each other. */
/* engine_say - an event or an answer to sockmigd.  The status goes first if it changed:
 * what sockmigd answers from it is then never older than what it passed on, or the
 * supervisor would unlearn what it was told. */
void engine_say(struct engine *e, struct jv *taken);

/* engine_journal - for the supervisor's journal, and the log.  @severity: error, warn
 * or info; @kind: one word. */
void engine_journal(struct engine *e, const char *severity, const char *kind,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void engine_error(struct engine *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* a row for the supervisor's journal; @severity: "info", "warn" or "error" */
void engine_note(
    struct engine *e, const char *kind, const char *severity, const char *text);
void engine_changed(struct engine *e); /* status is worth reading again */
void engine_shut(struct engine *e);    /* gates shut, beats end, at once */

/* engine_shut_for - nothing leaves any more; what clients send, and have sent, goes
 * into the log for the successor, until their packets find the way to it: the next
 * order, or 200 ms.  *log as capture_hand_over() says. */
void engine_shut_for(struct engine *e, uint64_t *log);

/* engine_require - output waits for the standbys in @set from now on. */
void engine_require(struct engine *e, uint32_t set);
void engine_announce(struct engine *e); /* now, and some times again */
void engine_watch_pid(struct engine *e, pid_t pid);
void engine_release(struct engine *e); /* let go what became stable */

/* engine_hold - open the gates although the service does not run here yet: clients'
 * packets wait in the ingress queue, nothing leaves (design/engine.md). */
void engine_hold(struct engine *e);

void orders_take(struct engine *e, const struct jv *msg);
void orders_note(struct engine *e, struct note *note); /* a result from a thread */
bool orders_stands_still(const struct engine *e); /* to be handed over: has its image */
void orders_progress(struct engine *e); /* something an order may wait for moved */
void orders_tick(struct engine *e);     /* an order may have taken too long */
void orders_died(struct engine *e);     /* the service's process ended */
void orders_replayed(struct engine *e); /* the replay of a takeover ended */

void strangers_tick(struct engine *e); /* tell of what was refused, if there is news */

uint64_t beats_boottime_ns(void);
int beats_open(struct engine *e); /* 0 or -errno */
void beats_now(struct engine *e);
void beats_refresh(struct engine *e); /* store the lease into the fence */
void beats_say_shut(struct engine *e, unsigned node); /* to the node that takes over */

/* engine_files.c */
void engine_files_open(struct engine *e);
void engine_files_trouble(struct engine *e, const char *text);

int peers_open(struct engine *e);   /* 0 or -errno */
void peers_reign(struct engine *e); /* a new reign of this node begins: new keys */
void peers_drop_all(struct engine *e);
void peers_tick(struct engine *e);
void peers_late(struct engine *e, unsigned node);      /* its log is not kept up */
void peers_lost(struct engine *e, unsigned node);      /* what it lacks of it is gone */
void peers_caught_up(struct engine *e, unsigned node); /* its log is whole again */
void peers_stop_following(struct engine *e);
uint32_t peers_mask(const struct engine *e, const struct jv *nodes, bool *ok);
const char *peer_state_name(enum peer_state state);

struct jv *status_object(struct engine *e);
struct jv *orders_phases(const struct clone_timing *t);
struct jv *status_refusals(const struct refusals *why);

#endif
