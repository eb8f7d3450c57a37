/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs.h - the skeletons of a tree of processes: made with their ids, sessions and
 * groups in the caller's namespaces, filled, and woken together.
 *
 * They are this program's descendants, seized with EXITKILL: if it ends before
 * stubs_wake() has let them go, nothing of them is left. */
#ifndef BSC_STUBS_H
#define BSC_STUBS_H

#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/freezer.h"
#include "sockmig/core/family.h"

struct stub_terminal { /* a pseudo-terminal of the tree */
    uint32_t index;
    int32_t session;   /* its leader has taken it; 0: nobody */
    int master, slave; /* owned; slave 0: none is needed */
};

struct stub_object {      /* shared anonymous memory */
    uint64_t inode, size; /* of the image; bytes */
    int fd;               /* owned */
};

struct stubs {
    const struct family *family; /* borrowed: what they are to become */
    unsigned n;                  /* of its members */
    struct clone *
        *clones;        /* owned, and what they point to; NULL: not yet, or a zombie */
    struct batch batch; /* the root's, whose mapping all have */
    int pidfd;          /* owned: of this program */
    int number;         /* where stubs keep it */
    struct wake *wakes; /* owned; during stubs_wake() */
    struct made_segments segments;
    struct unix_end *unixes;         /* owned; during stubs_wake() */
    struct stub_terminal *terminals; /* owned */
    unsigned nterminals;
    struct stub_object *objects; /* owned */
    unsigned nobjects;
    bool remapped; /* a mapping has changed since they were shared out */
    struct refusals *why;
};

/* stubs_new - all processes, empty.
 *
 * @cell     made for them; NULL: they are in the caller's namespaces, with its clocks
 * @freezer  they are born into it; NULL: none
 *
 * 0; -EOPNOTSUPP or another -errno with @why; stubs_free() in any case. */
int stubs_new(struct stubs *s, const struct family *family,
    const struct cell_conf *cell, int netns, const struct freezer *freezer,
    struct refusals *why);

/* stubs_from_clone - the same of a clone of one process, which is theirs from now on.
 * 0; -EAGAIN: it cannot become several; -ENOMEM.  stubs_free() in any case. */
int stubs_from_clone(struct stubs *s, struct clone *c, const struct family *family,
    struct refusals *why);

/* stubs_adapt - end those that are not in @family any more, make those that are new,
 * which is .family from now on.  Before stubs_renew().
 * 0; -EAGAIN: they must be made anew as a whole; other -errno with .why. */
int stubs_adapt(struct stubs *s, const struct family *family);

/* stubs_fill - their mappings and threads.  stubs_pages, stubs_queues: content.
 * stubs_renew - mappings and threads as the images of @family have them, which is
 * .family from now on; content that is where it was stays.  The processes themselves
 * must be the same. */
int stubs_fill(struct stubs *s);

/* stubs_same_terminals - have the sessions of @family the controlling terminals that
 * their stubs took when they were made? */
bool stubs_same_terminals(const struct stubs *s, const struct family *family);
int stubs_renew(struct stubs *s, const struct family *family);
int stubs_pages(struct stubs *s, uint32_t process, const struct pages *pages);
int stubs_queues(struct stubs *s, uint32_t process, const struct parcels *parcels);

struct stub_wake {
    uint32_t age_ms;
    int tun, raw; /* as in struct clone_wake_request */
    bool alone;
    const struct freezer *freezer; /* see below; NULL: none */
    /* Before anything runs; NULL: nothing to do.  decide: all is there, and if it is
     * given up, no peer notices.  sockets_ready: the connections are alive. */
    int (*decide)(void *arg), (*sockets_ready)(void *arg);
    void *arg;
};

/* stubs_wake - make them the processes and let them run.  0 or -errno; *lost: number
 * of connections that could not be made again.
 *
 * With a freezer they are not traced any more, but held by it, before .decide is
 * called: what is left after that can be done by a copy of this program.  If it fails
 * then, they are in the freezer still. */
int stubs_wake(struct stubs *s, const struct stub_wake *request, unsigned *lost);
void stubs_free(struct stubs *s);

/* stub_image - of process @i; NULL: a zombie. */
static inline const struct image *
stub_image(const struct stubs *s, unsigned i)
{
    return family_is_zombie(&s->family->members[i]) ? NULL : s->family->images[i];
}

#endif
