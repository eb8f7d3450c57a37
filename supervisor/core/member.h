/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * member.h - one supervisor: the cluster, its services, what happens to them.
 *
 * member_step() takes one event and answers with effects, in the order to carry
 * them out.  No clock, no heap, no I/O: tests/sim runs whole clusters of members in
 * one process.  Pure. */
#ifndef BSC_MEMBER_H
#define BSC_MEMBER_H

#include "supervisor/core/drive.h"
#include "supervisor/core/fencing.h"
#include "supervisor/core/heed.h"
#include "supervisor/core/orders.h"

#define MEMBER_MAX_SERVICES 64

enum member_event_kind {
    MEMBER_VIEW,    /* the group has .members now */
    MEMBER_MESSAGE, /* .msg was delivered */
    MEMBER_QUORUM,  /* Corosync says .on; nodes in .members are there */
    MEMBER_HEALTH,  /* the poller read .health of this node */
    MEMBER_TICK,    /* the armed timer is due */
    MEMBER_ENGINE,  /* connected (.on) or not; a REPORT for each service follows */
    MEMBER_REPORT,
    MEMBER_ANSWER,
    MEMBER_STANDBY, /* .node is ready (.on) or not */
    MEMBER_FAILED,
    MEMBER_ORDER,  /* a client at this node orders .msg.what, .value of .service, .node
                    */
    MEMBER_FENCED, /* the fence agents of .node have ended: it is off (.on), or .text */
    MEMBER_DEVICE, /* Corosync: the quorum device votes for this node alone (.on) */
    MEMBER_LOAD, /* .load (permille) of .node was read, or of .service, with .health */
    MEMBER_NKINDS
};

struct member_event {
    enum member_event_kind kind;
    struct mono now;
    unsigned service; /* index; of an ORDER or NO_SERVICE */
    bool on;
    uint64_t view, members, process_left;
    struct peermsg msg;
    enum health health;
    struct engine_report report;
    struct engine_answer answer;
    uint64_t epoch, token;
    unsigned node;
    int load;
    const char *text; /* borrowed: FAILED reason, ORDER owner\tfrom */
};

struct member {
    struct cluster cluster;
    struct service services[MEMBER_MAX_SERVICES];
    unsigned nservices;
    struct plan plan;
    struct fencing fencing; /* .can is set by the shell */
    struct mono armed;
};

/* member_init - not in the group yet, engine not connected, with the cluster's wishes
 * of the journal, or zeros.  Add services next. */
void member_init(struct member *m, unsigned me, uint64_t all,
    const struct plan_conf *plan, const struct wish *wish);

/* member_add - a service, in the order of the configuration. */
void member_add(struct member *m, uint32_t key, const struct placement *p,
    int64_t lease_ms, const struct reign *recorded, const struct wish *wish);

/* member_step - take in one event.  @out is replaced. */
void member_step(struct member *m, const struct member_event *ev, struct effects *out);

const char *member_event_name(enum member_event_kind kind);

#endif
