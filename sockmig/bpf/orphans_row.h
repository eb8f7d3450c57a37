/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orphans_row.h - what the two sides of orphans.bpf.c tell each other. */
#ifndef BSC_ORPHANS_ROW_H
#define BSC_ORPHANS_ROW_H

#include "sockmig/bpf/tcp_ends.h"

#define ORPHANS_ROWS 1024
#define ORPHANS_KNOWN 2048 /* of all namespaces: so many places are walked over */
#define ORPHANS_SPACES 256

/* As tcpi_options has them. */
enum { ORPHAN_TIMESTAMPS = 1, ORPHAN_SACK = 2, ORPHAN_WSCALE = 4 };

struct orphan_row {
    __u64 sock; /* where the kernel has it */
    struct tcp_ends ends;
    __u32 options, snd_wscale, rcv_wscale, zero;
};

struct orphans_shared {
    __u32 netns;        /* asked: inode number of a network namespace */
    __u32 n;            /* told: rows; */
    __u32 more;         /* those that found no room */
    __u32 known;        /* always: how many have a FIN on its way, whoever has them, */
    __u32 missed, zero; /* and how many more there would have been, ever */
    struct orphan_row rows[ORPHANS_ROWS];
};

#endif
