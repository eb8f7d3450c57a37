/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * take.h - the image of a tree of processes, record by record: what dump writes to a
 * file and move sends to another host. */
#ifndef BSC_TAKE_H
#define BSC_TAKE_H

#include "lib/core/mono.h"
#include "sockmig/alone/guard.h"
#include "sockmig/alone/imgfile.h"
#include "sockmig/ckpt/tree.h"
#include "sockmig/refusal.h"

#define TAKE_PARTS 3u /* of a record, at most */

struct take {
    /* Takes one record, as imgfile_put() does; set by the caller before take_find(). */
    int (*put)(void *arg, enum imgfile_type type, uint32_t process,
        const struct iovec *parts, unsigned n);
    void *arg;
    bool looked;  /* take_look() has been */
    bool talking; /* the connections go on: no silence, they are looked at only */

    struct tree tree;
    struct imgfile_head head;
    struct guard guard; /* started by the caller */
    bool own_ipc;       /* it has an IPC namespace that goes with it */
    int netns;          /* owned: of the root, if it is not ours; -1 */
    struct pages pages;
    struct parcels parcels;
    uint8_t *encoded; /* owned */
    struct mono frozen;
    struct refusals why;
    char error[SILENCE_ERROR]; /* "": strerror() says it all */
    unsigned connections;
    uint64_t memory; /* bytes put */
};

/* take_find - the tree at @root, room for its records, .head filled in; nothing is
 * attached yet.  0, -ESRCH, other -errno; take_free() in any case. */
int take_find(struct take *t, pid_t root);
void take_free(struct take *t); /* those that still live run on */

/* take_head - the first record. */
int take_head(struct take *t);

/* take_ahead - the pages written since the last round (all, the first time), while the
 * processes run. */
int take_ahead(struct take *t);

/* take_stop - all of them, and what was born meanwhile.  0 or -errno with .error. */
int take_stop(struct take *t);

enum take_pages {
    TAKE_REST, /* all pages that were written since the last round */
    TAKE_NONE, /* take_ahead() has them, once they run on */
};

/* take_state - of the stopped tree: silence, list, records of each, links. */
int take_state(struct take *t, enum take_pages pages);

/* take_look - a first look at all of them, without memory: they stand still for it, and
 * run on.  In the pause only what has changed since is looked at.  0 or -errno;
 * -EAGAIN: a connection was in the middle of something. */
int take_look(struct take *t);

/* take_pages - put what .pages has, of member @i, and empty it. */
int take_pages(struct take *t, uint32_t i);

/* take_speak - the packet rules away again.  take_enter - into the tree's network
 * namespace; the way back, to be given to take_leave(), or -errno. */
void take_speak(struct take *t);
int take_enter(const struct take *t);
void take_leave(const struct take *t, int home);

/* take_bind - @on: none of the stopped tree may run again but by this program: if that
 * ends, the kernel and the guard kill them.  Not @on: they may again. */
void take_bind(struct take *t, bool on);

/* take_kill - end the stopped tree; its connections say nothing.  @meanwhile: called
 * now and then, for much memory takes its time; NULL: nothing else to do. */
void take_kill(struct take *t, void (*meanwhile)(void *arg), void *arg);

/* take_failed - tell why, after -errno @ret of a command about @root.
 * Its exit status. */
int take_failed(const struct take *t, int ret, pid_t root, const char *failed);

#endif
