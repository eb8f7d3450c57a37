/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/objects.h"

#define PATH(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

/* clang-format off */
const struct table_def objects_cluster[N_CLUSTER_TABLES] = {
    /* name in recordings, path below enterprise.1, index, columns, first column, rows,
     * octets of text in a row */
    [OF_CLUSTER]     = { "cluster",     PATH(4, 1, 1),     "n", "snnnnnnnnnsssns-sn",          1,    1, 2048 },
    [OF_ORDER]       = { "order",       PATH(4, 1, 6),     "n", "nnssnnss",                    1,    1, 2048 },
    [OF_NODES]       = { "nodes",       PATH(4, 1, 2, 1),  "n", "snnsnnnnnnnnn",               2,  128,  160 },
    [OF_SERVICES]    = { "services",    PATH(4, 1, 3, 1),  "s", "nnnsnnnsssnssnnnnsns------ss", 2, 512,  480 },
    [OF_STANDBYS]    = { "standbys",    PATH(4, 1, 4, 1),  "ss", "nnn",                        2, 2048,   64 },
    [OF_EVENTS]      = { "events",      PATH(4, 1, 5, 1),  "n", "dssnnssds",                   2,  512,  400 },
    [OF_ORDERS]      = { "orders",      PATH(4, 1, 7, 1),  "n", "nsssnddsss",                  2,  512,  300 },
    [OF_STEPS]       = { "steps",       PATH(4, 1, 10, 1), "sn", "ssdnnn",                     2, 2048,  160 },
    [OF_CONSTRAINTS] = { "constraints", PATH(4, 1, 12, 1), "sn", "nsn",                        2, 1024,   64 },
    [OF_FAILS]       = { "fails",       PATH(4, 1, 13, 1), "ss", "nn",                         2, 1024,   64 },
};

const struct table_def objects_node[N_NODE_TABLES] = {
    [ON_NODE]        = { "node",        PATH(2, 1, 1),     "n", "ssnsnnnnnnnn",                1,     1, 2048 },
    [ON_SOCKMIG]     = { "sockmig",     PATH(3, 1, 1),     "n", "nn",                          1,     1,   64 },
    [ON_ENGINES]     = { "engines",     PATH(3, 1, 2, 1),  "s", "nnnnnnnsn",                   2,   512,  160 },
    [ON_GATES]       = { "gates",       PATH(3, 1, 3, 1),  "s", "nnnnn----nnnn",               1,   512,   40 },
    [ON_CHECKPOINTS] = { "checkpoints", PATH(3, 1, 4, 1),  "s", "nnnnnnnnn",                   1,   512,   40 },
    [ON_CLONES]      = { "clones",      PATH(3, 1, 5, 1),  "s", "nnns",                        1,   512,   72 },
    [ON_STREAMS]     = { "streams",     PATH(3, 1, 6, 1),  "s", "nn",                          1,   512,   40 },
    [ON_REFUSALS]    = { "refusals",    PATH(3, 1, 8, 1),  "sn", "snss",                       2,   256,  320 },
    [ON_INTERFACES]  = { "interfaces",  PATH(2, 1, 3, 1),  "s", "nn",                          2,    64,   40 },
    [ON_PROGRAMS]    = { "programs",    PATH(2, 1, 2, 1),  "s", "nn",                          2,    16,   40 },
    [ON_PHASES]      = { "phases",      PATH(3, 1, 10, 1), "sn", "snn",                        2,  1024,   72 },
    [ON_LINKS]       = { "links",       PATH(2, 1, 12, 1), "s", "nn---s",                      4,    64,  120 },
    [ON_SENSORS]     = { "sensors",     PATH(2, 1, 7, 1),  "n", "ssnnnn",                      2,   128,   96 },
    [ON_PROBES]      = { "probes",      PATH(2, 1, 9, 1),  "s", "snnnsn",                      2,   128,  300 },
    [ON_CONNECTIONS] = { "connections", PATH(3, 1, 9, 1),  "snannan", "nnnnnnnnn",             7, 20000,   96 },
};
/* clang-format on */
