/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/wish.h"

static bool
newer(const struct wish *a, const struct wish *than)
{
    return a->version > than->version ||
           (a->version == than->version && a->author > than->author);
}

static void
merge(struct wish *into, const struct wish *w)
{
    if (newer(w, into))
        *into = *w;
}

/* A member that was silent when the others merged still has what it has. */
static void
keep(struct wishes *w, unsigned service, struct effects *out)
{
    merge(&w->durable, &w->w);
    effects_add(out, DO_KEEP, service)->msg.w = w->durable;
}

void
wish_view(struct wishes *w, uint64_t view, uint32_t round, uint32_t key,
    unsigned service, struct effects *out)
{
    struct peermsg *msg;

    w->merged = (struct wish){ 0 };
    if (!view || !w->durable.version)
        return;
    msg = &effects_add(out, DO_BROADCAST, service)->msg;
    msg->kind = PEER_WISH;
    msg->service = key;
    msg->view = view;
    msg->value = round;
    msg->w = w->durable;
}

void
wish_heard(struct wishes *w, const struct wish *theirs, bool ready, unsigned service,
    struct effects *out)
{
    merge(&w->merged, theirs);
    if (!ready || !newer(theirs, &w->w))
        return;
    w->w = *theirs;
    keep(w, service, out);
}

void
wish_merge(struct wishes *w, unsigned service, struct effects *out)
{
    bool news = w->merged.version != w->w.version || w->merged.author != w->w.author;

    w->w = w->merged;
    if (news)
        keep(w, service, out);
}

void
wish_changed(struct wishes *w, unsigned author, unsigned service, struct effects *out)
{
    w->w.version++;
    w->w.author = author;
    keep(w, service, out);
}

bool
wish_failed(struct wish *w, unsigned node, unsigned limit)
{
    uint64_t bit = node_bit(node);

    if (w->fails[node] < UINT8_MAX)
        w->fails[node]++;
    if (!limit || w->fails[node] < limit || w->held & bit)
        return false;
    w->held |= bit;
    return true;
}
