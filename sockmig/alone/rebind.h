/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rebind.h - the parts of rebind.c: an address of this host, with its connections, to
 * another device of it.
 *
 *     find ─► check ─► plan ─► new address, host route, routes and rule for replies
 *        ─► announce, wait ─► old address, routes and rule away ─► announce again
 *
 * The address is on both devices between, so there is no moment at which the kernel
 * does not know it and would refuse a packet for it. */
#ifndef BSC_REBIND_H
#define BSC_REBIND_H

#include "sockmig/alone/hostroute.h"
#include "sockmig/alone/steps.h"
#include "sockmig/alone/vip.h"

#define REBIND_PRIORITY 4780u /* of the rule for what it sends */
#define REBIND_TABLE 4780000u /* the first table that such a rule may ask */
#define REBIND_PLACES 16u

struct rebind_page { /* shared with the watcher */
    struct vip from; /* to be announced again there */
    struct steps steps;
};

struct rebind_place { /* where it is now */
    unsigned device;  /* index */
    unsigned bits;
    uint32_t flags; /* IFA_F_... */
    struct rtnl_message message;
};

struct rebind {
    struct vip to;     /* .device: the way out; .bits: 0, or as was asked for */
    struct vip at;     /* where it is put: the same, or the loopback device */
    struct vip via;    /* gateway there; .family 0: none */
    bool route;        /* announced as a host route */
    unsigned table;    /* where that is written; 0: main */
    unsigned wait_ms;  /* between the new place and the end of the old one */
    bool probe;        /* is it free there? */
    unsigned out, put; /* indices of .to.device, .at.device */

    struct rebind_place places[REBIND_PLACES];
    unsigned nplaces;
    unsigned own_table; /* free for its routes */
    unsigned before;    /* steps that make the new place; the others end the old one */
    unsigned nlost;     /* routes that go with the last address of a device */
    bool has_rule;
    bool strange; /* the addresses of that device are of other networks */

    int nl;                   /* owned: socket to the kernel's tables */
    struct rebind_page *page; /* owned mapping */
    char error[512];
};

/* rebind_find - where it is, and which prefix it gets; rebind_check: can it go?
 * 0, or -errno with .error: nothing was changed. */
int rebind_find(struct rebind *r);
int rebind_check(struct rebind *r);

/* rebind_plan - .page->steps: the first .before make the new place. */
int rebind_plan(struct rebind *r);

/* rebind_forget - @v has left this host: its rule and routes for replies, too. */
void rebind_forget(const struct vip *v);

/* rebind_fail - @ret, and the reason for it. */
int rebind_fail(struct rebind *r, int ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
