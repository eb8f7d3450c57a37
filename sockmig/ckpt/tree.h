/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree.h - a process with all its descendants: found, attached, stopped at one instant.
 */
#ifndef BSC_TREE_H
#define BSC_TREE_H

#include "lib/conf.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/ckpt/trace.h"
#include "sockmig/core/family.h"

struct tree_member {
    pid_t pid;             /* as the caller sees it */
    struct target *target; /* owned; NULL: not attached, or a zombie */
    struct image *image;   /* owned; NULL: as above */
    struct family_member info;
    unsigned births; /* of its children, that are known of */
    bool taken;      /* by tree_checkpoint(), at least once */
};

struct tree {
    struct tree_member *members; /* owned; parents before children */
    unsigned n;
    pid_t pids[FAMILY_MAX];
    uint32_t next; /* number for the next one; never used again */
    struct trace_kin kin;
    const struct maps_folders *folders; /* borrowed; NULL */
    pid_t init;   /* of the cell that it is alone in; 0: of a host */
    pid_t reaper; /* first process of their cell, whose children are of the tree, too;
                     0: of the tree are the descendants of its root only */
    uint64_t planned; /* what tree_check_plan() has looked at: a hash */
    bool lost; /* one has ended since the last checkpoint: what it wrote to shared
                  memory  is not known */
    unsigned vanished;    /* checkpoints in a row that a process's end spoilt */
    bool single;          /* the root only: its children are let go */
    struct mono settles;  /* .single: until then a child that stays ends that */
    struct mono parent;   /* since when it has one; 0: it has none */
    struct family family; /* owned; what tree_checkpoint() took, images borrowed */
};

#define TREE_SETTLES_MS 5000
#define TREE_STAYS_MS 300

/* tree_find - the processes of the tree at @root, running on; nothing is attached.  All
 * of a cell, if the cell's first process is the parent of @root.
 * 0; -ESRCH; -E2BIG: more than FAMILY_MAX. */
int tree_find(struct tree *t, pid_t root);

/* tree_track - the processes of a cell whose first process is @init, to be taken again
 * and again; attached without a look, since the first checkpoint is that.
 *
 * @root      of the service
 * @folders   its state folders, borrowed; NULL: none
 * @children  what is to become of its children; "auto": kept, if there are any now, or
 *            one that stays is born within TREE_SETTLES_MS
 *
 * 0; -EOPNOTSUPP: see @why; -ESRCH; other -errno.  tree_close() in any case. */
int tree_track(struct tree *t, pid_t init, pid_t root, enum conf_children children,
    const struct maps_folders *folders, struct refusals *why);

/* tree_ahead - look at the connections of all while they run; twice, some milliseconds
 * apart. */
void tree_ahead(struct tree *t);

/* tree_checkpoint - target_checkpoint() of all, at one instant: .family has the images
 * then.  Runs and parcels have the numbers of the members.
 *
 * 0 or as there; -EAGAIN also if a process came or went at the wrong moment. */
int tree_checkpoint(struct tree *t, const struct target_request *req,
    struct pages *pages, struct parcels *parcels, struct target_timing *timing,
    struct refusals *why);
int tree_precopy(struct tree *t); /* target_precopy() without pages */
void tree_forget(struct tree *t); /* target_forget() of all */

/* tree_wait - answer their stops until @until or until @wake_fd is readable.  0;
 * -ESRCH: the root has ended. */
int tree_wait(struct tree *t, struct mono until, int wake_fd);

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

/* tree_check_plan - can they be made again as they are to each other?
 * 0; -EOPNOTSUPP: see @why; -ENOMEM. */
int tree_check_plan(struct tree *t, struct refusals *why);

/* tree_describe - fill in what /proc tells of @pid; false: it is gone. */
bool tree_describe(pid_t pid, struct family_member *info);

/* tree_pid - the process of number @i in the innermost pid namespace, for messages. */
int tree_pid(const struct tree *t, unsigned i);

#endif
