/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * view.h - what is shown, computed from what is known.
 *
 * Numbers that are not known are NOT_KNOWN, names empty.  Everything is judged here,
 * once: widgets ask for a class and never compare a value of the MIB.  Pure. */
#ifndef BSC_GUI_VIEW_H
#define BSC_GUI_VIEW_H

#include "gui/core/model.h"

#define VIEW_NODES 128
#define VIEW_SERVICES 512
#define VIEW_STANDBYS 2048
#define VIEW_NAME 64
#define VIEW_TEXT 256
#define NOT_KNOWN INT64_MIN

/* What a state means to the operator; each has a colour, a sign and a word. */
enum view_class {
    CLASS_UNKNOWN,
    CLASS_GOOD,
    CLASS_BUSY,
    CLASS_WARN,
    CLASS_BAD,
    N_CLASSES
};

enum view_overall {
    OVERALL_NOT_CONNECTED,
    OVERALL_CONNECTING,
    OVERALL_LOST,
    OVERALL_NO_SUPERVISOR,
    OVERALL_NO_QUORUM,
    OVERALL_FAILED,      /* a of b services */
    OVERALL_TAKING_OVER, /* a of b */
    OVERALL_STOPPED,     /* a of b */
    OVERALL_UNPROTECTED, /* a of b */
    OVERALL_NODES,       /* all protected, but a of b nodes are not well */
    OVERALL_PROTECTED,   /* b services */
    OVERALL_NO_SERVICES,
};

struct view_node {
    int64_t id, state, health, answers, maintenance, frozen, drain, load, score;
    int64_t memory_total, memory_free, disk_total, disk_free, processors; /* MiB */
    char name[VIEW_NAME], reason[VIEW_TEXT], version[VIEW_NAME], down[VIEW_NAME];
    int agent;          /* slot, or -1: it is not asked itself */
    int active, clones; /* services that run here; standbys here */
    bool asked;         /* the tables of the cluster come from it */
    bool cut;           /* a device of services is down; @down names it */
    enum view_class class;
};

struct view_service {
    int64_t state, policy, epoch, connections, blackout, pause, order, maintenance;
    int64_t frozen, interval, health, load;
    int64_t checkpoint, checkpoint_age, checkpoint_size, checkpoint_pages, max_pause;
    int64_t held, released, lease; /* lease: ms left */
    char name[VIEW_NAME], active[VIEW_NAME], preferred[VIEW_NAME];
    char reason[VIEW_TEXT], addresses[VIEW_TEXT], step[VIEW_NAME], error[VIEW_TEXT];
    char next[VIEW_NAME], next_why[VIEW_TEXT]; /* the elector's forecast; or why none */
    int node;                                  /* index of the active node, or -1 */
    enum view_class class;
};

struct view_standby {
    int64_t state, in_set, lag, clone_age, clone_checkpoint, clone_size;
    char service[VIEW_NAME], name[VIEW_NAME];
    int service_at, node; /* indexes, or -1 */
    enum view_class class;
};

struct view {
    enum view_overall overall;
    enum view_class class;
    unsigned a, b; /* the numbers of @overall */
    char cluster[VIEW_NAME], asked[96], asked_name[VIEW_NAME], why[160];
    int64_t quorate, maintenance, frozen, automatic, device_votes;
    char fencing[VIEW_NAME], device[VIEW_NAME], plan[VIEW_TEXT];
    char fencing_why[VIEW_TEXT]; /* why nothing happens without an operator */
    enum view_class fencing_class, device_class;
    bool has_device; /* a quorum device decides between two nodes */
    unsigned online, offline, agents, agents_live;
    unsigned nnodes, nservices, nstandbys;
    bool connected;
    struct view_node nodes[VIEW_NODES];
    struct view_service services[VIEW_SERVICES];
    struct view_standby standbys[VIEW_STANDBYS];
};

/* view_make - all of @v from @m. */
void view_make(struct view *v, const struct model *m);

/* view_find_node, view_find_service - index, or -1. */
int view_find_node(const struct view *v, const char *name);
int view_find_service(const struct view *v, const char *name);

enum view_class view_severity(int64_t severity);
enum view_class view_health(int64_t health);

#endif
