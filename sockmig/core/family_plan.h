/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * family_plan.h - in which order the processes of a family are made, and by whom, so
 * that each gets parent, session and process group in the way the kernel knows: who is
 * born has the session and group of who bore it; whoever's parent ends becomes the
 * child of the nearest subreaper above, or of the cell's first process.
 *
 * What came about by a process that is gone is done by a helper that goes as well:
 *
 *     a session without its leader   a helper with that id leads it, until all are made
 *     a group without its leader     the same
 *     a child that another one bore  a helper in its session bears it, and ends
 *
 * Pure.  Design: doc/design/restore.md.  Source: kernel/exit.c (find_new_reaper),
 * kernel/sys.c (setsid, setpgid). */
#ifndef BSC_FAMILY_PLAN_H
#define BSC_FAMILY_PLAN_H

#include "sockmig/core/family.h"

#define FAMILY_PLAN_STEPS (16u * FAMILY_MAX)
#define FAMILY_PLAN_HELPERS (3u * FAMILY_MAX)

enum family_step_kind {
    FAMILY_BEAR,  /* .who makes .whom, with the id .number; 0: any that is free */
    FAMILY_LEAD,  /* .who gets a session of its own */
    FAMILY_JOIN,  /* .who gets into group .number of its session, or makes it: its id */
    FAMILY_ADOPT, /* .who is a subreaper from now on (.number 1), or is none (0) */
    FAMILY_END    /* .whom, a helper, ends, and .who, which bore it, waits for it */
};

struct family_step {
    enum family_step_kind kind;
    uint32_t who, whom; /* places in the list; helpers: from FAMILY_MAX on */
    int32_t number;
};

struct family_place { /* what a process is by then */
    int32_t pid, sid, pgid;
    int32_t parent; /* -1: the cell's first process */
    bool there, alive;
};

struct family_plan {
    struct family_step steps[FAMILY_PLAN_STEPS];
    uint32_t n, nhelpers;
    /* While it is made: of all, and what session each is born in; 0: any. */
    struct family_place places[FAMILY_MAX + FAMILY_PLAN_HELPERS];
    int32_t births[FAMILY_MAX];
    const struct family *family;
};

/* family_plan - how all of @now are made where only its root is, which leads its
 * session.
 *
 * @was  NULL, or what is there already: those of its members that @now has too have the
 *       parents of @now, and all else as in @was
 *
 * False: no such order is known; @plan is of no use then. */
bool family_plan(
    const struct family *now, const struct family *was, struct family_plan *plan);

/* family_can_become - may what was made for member @i of @was go on as member @k of
 * @now, which has the same number?  Then its parent is the same, or ended meanwhile. */
bool family_can_become(
    const struct family *was, uint32_t i, const struct family *now, uint32_t k);

/* family_heir - the place in @was of the process that gets the children of its member
 * @i, which ends.  -1: the cell's first process, or it leaves none. */
int family_heir(const struct family *was, uint32_t i, const struct family *now);

/* family_session, family_group - of member @i among the processes that are made.  The
 * root leads a session and a group there; a leader that is not listed is replaced by it
 * if that may be a process that is not of the family. */
int32_t family_session(const struct family *f, uint32_t i);
int32_t family_group(const struct family *f, uint32_t i);

#endif
