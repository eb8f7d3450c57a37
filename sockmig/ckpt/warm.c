/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/warm.h"

#include "lib/fault.h"
#include "lib/loop.h"
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/stubs.h"

#include <errno.h>
#include <stdlib.h>

struct warm {
    const struct cell_conf *conf; /* borrowed */
    const struct family *family;  /* borrowed */
    unsigned turn;                /* warm_ahead(): whose */
    struct clone *one;            /* owned; NULL: there are .many */
    struct stubs many;
};

static int
check_hosts(const struct warm *w, const struct family *family, struct refusals *why)
{
    int ret = 0;

    for (uint32_t i = 0; i < family->n; i++) {
        const struct family_member *m = &family->members[i];
        bool known = w->family && family_place(w->family, m->number) >= 0;
        int one = known || family_is_zombie(m)
                      ? 0
                      : clone_check_host(w->conf, family->images[i], why);

        if (one == -EOPNOTSUPP) /* name what the others lack, too */
            ret = one;
        else if (one < 0)
            return one;
    }
    return ret;
}

static int
make_many(struct warm *w, const struct family *family, struct refusals *why)
{
    int ret = check_hosts(w, family, why);

    if (ret == 0)
        ret = stubs_new(&w->many, family, w->conf, -1, NULL, why);
    return ret == 0 ? stubs_fill(&w->many) : ret;
}

int
warm_new(const struct cell_conf *conf, const struct family *family, struct warm **out,
    struct refusals *why)
{
    struct warm *w = calloc(1, sizeof *w);
    int ret;

    if (!w)
        return -ENOMEM;
    w->conf = conf;
    w->many.pidfd = -1;
    ret = family->n == 1 ? clone_new(conf, family->images[0], &w->one, why)
                         : make_many(w, family, why);
    w->family = family;
    if (ret == 0)
        *out = w;
    else
        warm_free(w);
    return ret;
}

void
warm_free(struct warm *w)
{
    if (!w)
        return;
    if (w->one)
        clone_free(w->one);
    else
        stubs_free(&w->many);
    free(w);
}

/* Its one process has children now, or is another one. */
static int
become_many(struct warm *w, struct refusals *why)
{
    struct clone *c = w->one;

    ahead_drop(c); /* whole connections may be shared from here on */
    w->one = NULL;
    return stubs_from_clone(&w->many, c, w->family, why);
}

static struct clone *
clone_of(const struct warm *w, uint32_t number)
{
    int i = family_place(w->family, number);

    if (i < 0)
        return NULL;
    return w->one ? w->one : w->many.clones[i];
}

int
warm_content(struct warm *w, const struct pages *pages, const struct parcels *parcels)
{
    struct parcels queues;
    struct pages part;
    size_t at = 0;
    int ret = 0;

    while (ret == 0 && pages_part(pages, &at, &part))
        if (clone_of(w, part.process))
            ret = content_pages(clone_of(w, part.process), &part);
    at = 0;
    while (ret == 0 && parcels_part(parcels, &at, &queues))
        if (clone_of(w, queues.process))
            ret = content_queues(clone_of(w, queues.process), &queues);
    return ret;
}

static int
check_updates(const struct warm *w, const struct family *family)
{
    int ret = 0;

    for (uint32_t i = 0; i < family->n && ret == 0; i++) {
        const struct clone *c = clone_of(w, family->members[i].number);

        if (c && !family_is_zombie(&family->members[i]))
            ret = clone_check_update(c, family->images[i]);
    }
    return ret;
}

static int
apply_many(struct warm *w, const struct family *family, const struct pages *pages,
    const struct parcels *parcels, struct refusals *why)
{
    int ret = check_updates(w, family);

    if (ret == 0)
        ret = check_hosts(w, family, why);
    if (ret == 0 && w->one)
        ret = become_many(w, why);
    w->many.why = why;
    if (ret == 0)
        ret = stubs_adapt(&w->many, family);
    if (ret == 0 && !stubs_same_terminals(&w->many, family))
        ret = -EAGAIN; /* one has got a controlling terminal since it was made */
    w->family = family;
    if (ret == 0)
        ret = stubs_renew(&w->many, family);
    FAULT_POINT("standby-half-applied");
    return ret == 0 ? warm_content(w, pages, parcels) : ret;
}

int
warm_apply(struct warm *w, const struct family *family, const struct pages *pages,
    const struct parcels *parcels, struct refusals *why)
{
    if (!w->one || family->n > 1 ||
        family->members[0].number != w->family->members[0].number)
        return apply_many(w, family, pages, parcels, why);
    w->family = family;
    return clone_apply(w->one, family->images[0], pages, parcels);
}

bool
warm_ahead(struct warm *w, int tun)
{
    if (w->one)
        return ahead_turn(w->one, w->family->images[0], true, tun);
    if (w->turn >= w->many.n)
        w->turn = 0;
    else if (!w->many.clones[w->turn] || !ahead_turn(w->many.clones[w->turn],
                                             w->family->images[w->turn], false, tun))
        w->turn++;
    return w->turn < w->many.n;
}

void
warm_schedule(struct warm *w)
{
    if (w->one)
        clone_schedule(w->one);
    for (unsigned i = 0; !w->one && i < w->many.n; i++)
        if (w->many.clones[i])
            clone_schedule(w->many.clones[i]);
}

static int
wake_many(struct warm *w, const struct clone_wake_request *request, pid_t *pid,
    unsigned *lost, struct clone_timing *timing, struct refusals *why)
{
    const struct stub_wake wake = { .age_ms = request->age_ms,
        .tun = request->tun,
        .raw = request->raw,
        .alone = request->alone };
    struct mono begin = mono_clock();
    int ret;

    w->many.why = why;
    *pid = w->many.clones[0]->pid;
    ret = stubs_wake(&w->many, &wake, lost);
    *timing = (struct clone_timing){ .total = (uint32_t)mono_us_between(
                                         begin, mono_clock()) };
    return ret;
}

int
warm_wake(struct warm *w, const struct clone_wake_request *request, pid_t *pid,
    unsigned *lost, struct clone_timing *timing, struct refusals *why)
{
    struct clone_wake_request one = *request;

    if (!w->one)
        return wake_many(w, request, pid, lost, timing, why);
    one.im = w->family->images[0];
    return clone_wake(w->one, &one, pid, lost, timing, why);
}

pid_t
warm_release(struct warm *w)
{
    pid_t init;

    if (w->one) {
        init = clone_release(w->one);
        w->one = NULL;
        w->many.pidfd = -1;
    } else {
        init = w->many.clones[0]->init;
        w->many.clones[0]->init = 0;
    }
    warm_free(w);
    return init;
}
