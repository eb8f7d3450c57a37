/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sample_model.h - a model of the console with all its tables, for tests. */
#ifndef BSC_TESTS_SAMPLE_MODEL_H
#define BSC_TESTS_SAMPLE_MODEL_H

#include "gui/core/model.h"

#include <stdlib.h>
#include <string.h>

static struct model model;
static void *storage_of_model[N_CLUSTER_TABLES + N_NODE_TABLES];

/* The storage of the table is the caller's to free. */
static void *
new_table(struct table *t, const struct table_def *def)
{
    void *storage = calloc(1, table_storage(def));

    table_init(t, def, storage);
    return storage;
}

/* All tests may run in one process, each with a model of its own. */
static void
no_model(void)
{
    void **kept = storage_of_model;

    for (size_t i = 0; i < sizeof storage_of_model / sizeof *storage_of_model; i++)
        free(storage_of_model[i]);
    memset(&model, 0, sizeof model);
    for (int i = 0; i < (int)N_CLUSTER_TABLES; i++)
        *kept++ = new_table(&model.cluster[i], &objects_cluster[i]);
    model.primary = 0;
    model.agents[0].state = AGENT_LIVE;
    for (int i = 0; i < (int)N_NODE_TABLES; i++)
        *kept++ = new_table(&model.agents[0].tables[i], &objects_node[i]);
}

#endif
