/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arrive_parts.h - what the files of arrive.h share. */
#ifndef BSC_ARRIVE_PARTS_H
#define BSC_ARRIVE_PARTS_H

#include "sockmig/alone/arrive.h"
#include "sockmig/alone/heir.h"
#include "sockmig/alone/revive.h"
#include "sockmig/alone/unfinished.h"

#define ARRIVE_TEXT 4096

struct waiting {              /* a record that comes before there is room for it */
    struct imgfile_item item; /* its data are owned */
};

struct arrival {
    struct channel channel;
    struct arrive_page *page; /* borrowed */
    const struct arrive_conf *conf;
    struct loaded images[2], *now;
    struct waiting *waiting; /* owned */
    size_t nwaiting, max_waiting;
    struct revive revive;
    struct revive_room room;
    struct unfinished unfinished;
    struct freezer freezer;
    struct heir heir;
    struct vip vips[CHANNEL_ADDRESSES];
    struct mono taken; /* when the last list came */
    struct mono go, woken;
    bool built, ready, runs;
    bool tidy;         /* nothing is left that could wait until they run */
    int announcer;     /* owned */
    bool is_heir;      /* the worker before this one was killed */
    bool inside, left; /* this is the worker in the cell; or that has the rest */
    char error[ARRIVE_TEXT];
};

/* arrive_fail - @ret, and the reason for it. */
int arrive_fail(struct arrival *a, int ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* arrive_order - what is to come, from an ORDER or a question.
 * arrive_check - are all local addresses of its sockets here, or do they come along?
 * 0 or -errno with .error. */
int arrive_order(struct arrival *a, const struct imgfile_item *item);
int arrive_check(struct arrival *a);

/* arrive_begin - from here on it is known that this move is worked on; the processes
 * are born into a freezer, if this host has any.  0 or -errno with .error. */
int arrive_begin(struct arrival *a);

/* arrive_decide - they run here, and nothing but to let them go is left; then an heir
 * can do that, too.  0; not 0: they do not run. */
int arrive_decide(void *arrival);

/* arrive_dismiss - the heir may end.
 * arrive_finished - all is done, or undone: the heir has ended, the freezer goes. */
void arrive_dismiss(struct arrival *a);
void arrive_finished(struct arrival *a);

/* arrive_enter - make the cell of the order; @run goes on in it, and this process waits
 * for its end.  0, or -errno with .error. */
int arrive_enter(struct arrival *a, void (*run)(struct arrival *a));

/* arrive_add - the addresses that come along.  arrive_announce: once; arrive_remove:
 * all that were added. */
int arrive_add(struct arrival *a);
void arrive_announce(const struct arrival *a);
void arrive_remove(struct arrive_page *page);

#endif
