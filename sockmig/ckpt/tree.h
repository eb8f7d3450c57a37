/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree.h - a process with all its descendants: found, attached, stopped at one instant.
 */
#ifndef BSC_TREE_H
#define BSC_TREE_H

#include "sockmig/ckpt/target.h"
#include "sockmig/ckpt/trace.h"
#include "sockmig/core/family.h"

struct tree_member {
    pid_t pid;             /* as the caller sees it */
    struct target *target; /* owned; NULL: not attached, or a zombie */
    struct image image;    /* owned; its arrays are there once it is attached */
    struct family_member info;
};

struct tree {
    struct tree_member *members; /* owned; parents before children */
    unsigned n;
    pid_t pids[FAMILY_MAX];
    uint32_t next; /* number for the next one; never used again */
    struct trace_kin kin;
    char boot[40];
};

/* tree_find - the processes of the tree at @root, running on; nothing is attached.
 * 0; -ESRCH; -E2BIG: more than FAMILY_MAX. */
int tree_find(struct tree *t, pid_t root);

/* tree_attach - attach all of them; they run on.
 * 0; -EOPNOTSUPP: refused, see @why; -ESRCH: the root is gone; other -errno. */
int tree_attach(struct tree *t, struct refusals *why);

/* tree_stop - all of them, parents first, and those that were born meanwhile.
 *
 * 0, with .info of each complete; -EAGAIN: one did not stop within @limit_ms, all run
 * on; -EOPNOTSUPP, -ESRCH as above. */
int tree_stop(struct tree *t, unsigned limit_ms, struct refusals *why);
void tree_resume(struct tree *t);

/* tree_serve - answer their stops for @us microseconds. */
void tree_serve(struct tree *t, int64_t us);

/* tree_close - let all go, undo what attaching left in them. */
void tree_close(struct tree *t);

/* tree_describe - fill in what /proc tells of @pid; false: it is gone. */
bool tree_describe(pid_t pid, struct family_member *info);

/* tree_pid - the process of number @i in the innermost pid namespace, for messages. */
int tree_pid(const struct tree *t, unsigned i);

#endif
