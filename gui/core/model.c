/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/model.h"

#include <string.h>

struct table *
model_table(struct model *m, int slot, unsigned which)
{
    if (slot < 0)
        return which < N_CLUSTER_TABLES ? &m->cluster[which] : NULL;
    if (slot >= MODEL_AGENTS || which >= N_NODE_TABLES)
        return NULL;
    return &m->agents[slot].tables[which];
}

int
model_agent_of(const struct model *m, const char *name)
{
    for (int i = 0; i < MODEL_AGENTS && name[0]; i++) {
        const struct table *t = &m->agents[i].tables[ON_NODE];

        if (m->agents[i].state != AGENT_NONE && t->def && t->known &&
            !strcmp(table_text(t, 0, NODE_NAME), name))
            return i;
    }
    return -1;
}

int
model_locate(const uint32_t *oid, size_t n, bool cluster, size_t *rest)
{
    const struct table_def *defs = cluster ? objects_cluster : objects_node;
    int count = cluster ? (int)N_CLUSTER_TABLES : (int)N_NODE_TABLES;

    for (int i = 0; i < count; i++) {
        size_t k = 0;

        while (k < defs[i].npath && k < n && defs[i].path[k] == oid[k])
            k++;
        if (k == defs[i].npath && n > k) {
            *rest = k;
            return i;
        }
    }
    return -1;
}
