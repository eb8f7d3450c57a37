/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * model.h - everything the console knows: tables of the cluster from one agent, and of
 * each node from its own.  Pure. */
#ifndef BSC_GUI_MODEL_H
#define BSC_GUI_MODEL_H

#include "gui/core/objects.h"

#define MODEL_AGENTS 64

enum agent_state {
    AGENT_NONE,       /* the place is free */
    AGENT_CONNECTING, /* nothing heard yet */
    AGENT_LIVE,
    AGENT_SILENT,  /* was live, or never was: asked again now and then */
    AGENT_REFUSED, /* answers, but not to this user */
};

struct agent {
    enum agent_state state;
    char address[96]; /* as the operator gave it */
    char why[160];    /* why it is not live; may be empty */
    struct table tables[N_NODE_TABLES];
};

struct model {
    struct table cluster[N_CLUSTER_TABLES];
    struct agent agents[MODEL_AGENTS];
    int primary;      /* whose view of the cluster this is; -1: nobody's */
    int64_t heard_ms; /* when the tables of the cluster were last read */
};

/* model_table - where a table of the agent @slot is kept.
 *
 * @slot  -1: tables of the cluster
 * NULL: there is no such one. */
struct table *model_table(struct model *m, int slot, unsigned which);

/* model_agent_of - the slot whose agent says that it is the node @name; -1. */
int model_agent_of(const struct model *m, const char *name);

/* model_locate - the table that holds the object @oid.
 *
 * @oid      below enterprise.1
 * @cluster  whether to look at the tables of the cluster, or of a node
 * @rest     out: where column and index begin
 *
 * Number of the table, or -1. */
int model_locate(const uint32_t *oid, size_t n, bool cluster, size_t *rest);

#endif
