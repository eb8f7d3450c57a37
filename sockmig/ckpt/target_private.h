/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * target_private.h - the inside of a target, shared by target.c and target_take.c. */
#ifndef BSC_TARGET_PRIVATE_H
#define BSC_TARGET_PRIVATE_H

#include "sockmig/ckpt/descriptors.h"
#include "sockmig/ckpt/inject.h"
#include "sockmig/ckpt/maps.h"
#include "sockmig/ckpt/memory.h"
#include "sockmig/ckpt/process.h"
#include "sockmig/ckpt/target.h"

#define TARGET_HOUSEKEEPING_MS 1000

struct target {
    pid_t pid;
    int cell_pid;
    struct trace trace;
    struct inject inject;
    struct memory memory;
    struct maps maps;
    struct process process;
    struct descriptors descriptors;
    struct proctext text;
    struct image precopy;               /* mappings, while the process runs */
    const struct maps_folders *folders; /* borrowed; NULL */
    struct image_vma *mapped; /* owned: of their files, at the last checkpoint */
    uint32_t nmapped, mapped_max;
    unsigned births;  /* of its children, at the last one */
    bool once;        /* process_read_once() is done */
    uint32_t nvmas;   /* at the last checkpoint */
    uint32_t map_seq; /* of the mappings that are tracked; 0: not known */
    unsigned houses;  /* times house was kept */
    struct mono housekeeping;
};

#endif
