/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * revive.h - the processes of an image run again, here: what restore does at once, and
 * receive in steps, while the image is still coming. */
#ifndef BSC_REVIVE_H
#define BSC_REVIVE_H

#include "sockmig/alone/load.h"
#include "sockmig/alone/silence.h"
#include "sockmig/ckpt/stubs.h"

#define REVIVE_LATE 3

struct revive {
    const struct loaded *image; /* borrowed */
    struct stubs stubs;
    struct silence silence;
    struct refusals why;
    char error[IMGFILE_ERROR]; /* "": strerror() says it all */
    int netns, raw, tun;       /* owned */
    int late[REVIVE_LATE];     /* owned, see silence_on() */
    unsigned nlate;
    bool passing;   /* the rules are empty, their table is there yet */
    int64_t age_ns; /* of the image; set by revive_begin(), or before */
    unsigned lost, connections;
    bool alone;     /* no connection goes on */
    bool has_begun; /* the rules of the silence are loaded */
    bool again;     /* what follows .before may have been done already, in part */
    const struct freezer *freezer; /* borrowed; see stubs_wake(); NULL: none */

    /* once nothing but their first instruction is missing; NULL: nothing to do.  Not 0:
     * they do not run. */
    int (*before)(void *arg);
    void *arg;
};

void revive_init(struct revive *r);

/* revive_age - how old @l is, by the clocks of both hosts. */
int64_t revive_age(const struct loaded *l);

/* revive_begin - silence, and a stub for each process of @l with its mappings and
 * threads; .age_ns is set.  0 or -errno with .why or .error; revive_end() in any case.
 */
int revive_begin(struct revive *r, const struct loaded *l);

/* revive_item - content of a process, of a record of type QUEUES or PAGES. */
struct revive_room {
    struct page_run *runs; /* owned; freed by the caller */
    size_t max;
};
int revive_item(
    struct revive *r, const struct imgfile_item *item, struct revive_room *room);

/* revive_renew - the same processes, later: @l (borrowed from now on) has what they are
 * now.  -EAGAIN: what is here does not fit any more, .error says why. */
int revive_renew(struct revive *r, const struct loaded *l);

/* revive_wake - they run.  .lost connections could not be made again. */
int revive_wake(struct revive *r);

/* revive_groups - into the control groups that they were in; who cannot be is named in
 * .why.  Done by revive_wake() where there is no .freezer. */
void revive_groups(struct revive *r);

/* revive_settle - what can wait until they run. */
void revive_settle(struct revive *r);

/* revive_end - @failed: take away what is here of them. */
void revive_end(struct revive *r, bool failed);

#endif
