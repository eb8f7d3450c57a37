/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cell_make.h - the namespaces of a cell, its reaper, and its first process.
 *
 *     engine thread --fork--> helper  joins the network namespace, makes the time one
 *            |                   '--clone3(CLONE_PARENT, new namespaces)--> reaper
 *            '-- parent of ------------------------------------------------->  | pid 1
 *                                                        first process <--clone3'
 *
 * The helper is there because a time namespace must be set up from outside, and an
 * engine with threads cannot leave one again.  All three run as copies of the engine
 * and call nothing but async-signal-safe functions; the reaper then gives up the
 * memory of the engine and lives in one page. */
#ifndef BSC_CELL_MAKE_H
#define BSC_CELL_MAKE_H

#include "sockmig/cell.h"

#include <stdbool.h>

enum cell_stage {
    CELL_STAGE_NETNS,
    CELL_STAGE_CLOCKS,
    CELL_STAGE_NAMESPACES,
    CELL_STAGE_MOUNT,
    CELL_STAGE_PID,
    CELL_STAGE_LOG,
    CELL_STAGE_USER,
    CELL_STAGE_DIRECTORY,
    CELL_STAGE_EXEC,
    CELL_STAGE_STUB,
    CELL_STAGE_NSTAGES
};

struct cell_plan {
    const struct cell_conf *conf; /* borrowed */
    bool own_clocks;              /* a time namespace with these offsets */
    int64_t monotonic_ns, boottime_ns;
    pid_t pid; /* in the cell, of the first process; 0: the next one */

    /* The first process, in the cell, still privileged and with all descriptors of the
     * engine.  Never returns; @report is CLOEXEC: closing it tells success. */
    void (*run)(const struct cell_plan *plan, int report);
    void *arg;
};

/* cell_fail - for @run: report @err (positive) at @stage, end the process. */
void cell_fail(int report, enum cell_stage stage, int err) __attribute__((noreturn));

/* cell_make - 0 with *init and *pid as the caller sees them, once run() closed its
 * descriptor; -errno with @error (CELL_ERROR_LEN bytes) and nothing left. */
int cell_make(const struct cell_plan *plan, pid_t *init, pid_t *pid, char *error);

#endif
