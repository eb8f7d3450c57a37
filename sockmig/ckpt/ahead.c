/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/ahead.h"

#include "lib/fd.h"
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/crew.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Without a change for so long: likely to be so at a takeover, too. */
#define RESTS_NS 3000000000u
#define MADE_A_TURN 4u /* some 50 us each: a takeover waits for no more */
#define SEEN_A_TURN 256u
#define MADE_A_ROUND 1000u /* connections that move on keep no standby busy */

enum level { NOTHING, PREPARED, WHOLE };

struct spare {
    enum level level;
    int sock; /* owned if there is something */
    int nonblock;
    struct image_tcp of; /* what it was prepared for; WHOLE: what it is */
};

struct ahead {
    uint32_t next;                 /* in the image, of this round */
    uint32_t made;                 /* in this round */
    int end;                       /* none from this number on */
    struct spare v[IMAGE_MAX_FDS]; /* by descriptor */
};

static void
give_up(struct spare *s)
{
    if (s->level != NOTHING)
        fd_close(s->sock);
    s->level = NOTHING;
}

/* Those of descriptors @from to before @to, which are no connections now. */
static void
give_up_between(struct ahead *a, int from, int to)
{
    for (int fd = from; fd < to && fd < a->end; fd++)
        give_up(&a->v[fd]);
}

/* A dump counts the generation on: the same one, and nothing has moved. */
static bool
fits(const struct spare *s, const struct image_fd *f, const struct image_tcp *t)
{
    if (s->level == NOTHING || s->nonblock != net_nonblock(f))
        return false;
    return s->level == PREPARED ? tcp_is_prepared(&s->of, t)
                                : memcmp(&s->of, t, sizeof *t) == 0;
}

static bool
rests(const struct image *im, const struct image_tcp *t)
{
    return t->state == STATE_ESTABLISHED && t->inq == 0 && t->outq == 0 &&
           im->process.clock_ns > t->dumped_ns + RESTS_NS;
}

/* What cannot be made is made at the takeover, which then says why not. */
static void
prepare(struct clone *c, struct spare *s, const struct image_fd *f,
    const struct image_tcp *t)
{
    struct ahead *a = c->ahead;
    const char *step;

    give_up(s);
    s->nonblock = net_nonblock(f);
    s->sock = tcp_prepare(t, net_fresh(c, t->family), s->nonblock, &step);
    a->made++;
    if (s->sock < 0)
        return;
    s->level = PREPARED;
    s->of = *t;
    if (t->fd >= a->end)
        a->end = t->fd + 1;
}

static void
complete(struct clone *c, struct spare *s, const struct image_tcp *t, int tun)
{
    const struct tcp_parts parts = { .fresh = net_fresh(c, t->family), .tun = tun };
    const char *step;

    c->ahead->made++;
    if (tcp_establish(s->sock, &s->of, t, &parts, &step) < 0) {
        give_up(s);
        return;
    }
    s->level = WHOLE;
    s->of = *t;
}

/* A whole one whose connection has moved goes back to what is true of it still.  False:
 * a new one is needed. */
static bool
step_back(struct spare *s, const struct image_fd *f, const struct image_tcp *t)
{
    if (s->level != WHOLE || s->nonblock != net_nonblock(f) ||
        tcp_revert(s->sock, &s->of, t) < 0)
        return false;
    s->level = PREPARED;
    return true;
}

/* One connection of the image, and the descriptors between it and the one before. */
static void
see(struct clone *c, const struct image *im, uint32_t i, bool whole, int tun)
{
    struct ahead *a = c->ahead;
    const struct image_tcp *t = &im->tcps[i];
    const struct image_fd *f = image_fd_find(im, t->fd);
    struct spare *s = &a->v[t->fd];

    give_up_between(a, i > 0 ? im->tcps[i - 1].fd + 1 : 0, t->fd);
    if (!f || f->dup_of >= 0)
        give_up(s);
    else if (!fits(s, f, t) && step_back(s, f, t))
        a->made++;
    else if (!fits(s, f, t))
        prepare(c, s, f, t);
    else if (whole && s->level == PREPARED && rests(im, t))
        complete(c, s, t, tun);
}

/* So that a takeover need not wait for a larger table of descriptors. */
static void
begin_round(const struct ahead *a, const struct image *im)
{
    fd_expect(im->nfds > (uint32_t)a->end ? im->nfds - (uint32_t)a->end : 0);
}

bool
ahead_turn(struct clone *c, const struct image *im, bool whole, int tun)
{
    int before = -1, ret;
    struct ahead *a = c->ahead;
    uint32_t until;

    if (!a && im->ntcps > 0)
        a = c->ahead = calloc(1, sizeof *a);
    if (!a)
        return false;
    if (a->next == 0 && a->made == 0)
        begin_round(a, im);
    ret = net_enter(c, &before);
    until = a->made + MADE_A_TURN;
    for (uint32_t seen = 0; ret == 0 && seen < SEEN_A_TURN && a->next < im->ntcps &&
                            a->made < until && a->made < MADE_A_ROUND;
         seen++)
        if (im->tcps[a->next].fd < (int)IMAGE_MAX_FDS)
            see(c, im, a->next++, whole, tun);
        else
            a->next++;
    net_leave(before);
    if (ret == 0 && a->next < im->ntcps && a->made < MADE_A_ROUND)
        return true;
    if (a->next >= im->ntcps) {
        give_up_between(a, im->ntcps ? im->tcps[im->ntcps - 1].fd + 1 : 0, a->end);
        a->next = 0;
    }
    a->made = 0;
    return false;
}

struct sweep {
    struct ahead *ahead;
    const struct image *im;
};

static int
sweep_one(void *arg, uint32_t fd)
{
    const struct sweep *sweep = arg;
    struct spare *s = &sweep->ahead->v[fd];
    const struct image_tcp *t = s->level ? image_tcp_find(sweep->im, (int)fd) : NULL;
    const struct image_fd *f = t ? image_fd_find(sweep->im, (int)fd) : NULL;

    if (!f || f->dup_of >= 0 || (!fits(s, f, t) && !step_back(s, f, t)))
        give_up(s);
    return 0;
}

void
ahead_sweep(struct clone *c, const struct image *im)
{
    struct sweep sweep = { c->ahead, im };

    if (c->ahead)
        crew_run(sweep_one, &sweep, &sweep, (uint32_t)c->ahead->end, 10);
}

int
ahead_take(struct clone *c, const struct image_fd *f, const struct image_tcp *t,
    struct image_tcp *prepared, bool *whole)
{
    struct spare *s = c->ahead && f->fd < c->ahead->end ? &c->ahead->v[f->fd] : NULL;

    if (!s || !fits(s, f, t))
        return -1;
    *prepared = s->of;
    *whole = s->level == WHOLE;
    s->level = NOTHING;
    return s->sock;
}

void
ahead_drop(struct clone *c)
{
    if (c->ahead)
        give_up_between(c->ahead, 0, c->ahead->end);
    free(c->ahead);
    c->ahead = NULL;
}
