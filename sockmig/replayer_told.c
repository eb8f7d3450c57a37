/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replayer_told.c - what operators are told of a replay: journal and status. */
#include "sockmig/replayer_private.h"

#include "lib/log.h"

#include <arpa/inet.h>
#include <stdio.h>

struct flow_ends {
    char local[64], remote[64];
};

static struct flow_ends
flow_ends(const struct flow_key *flow)
{
    int family = flow->version == 4 ? AF_INET : AF_INET6;
    struct flow_ends ends = { "?", "?" };

    inet_ntop(family, flow->local, ends.local, sizeof ends.local);
    inet_ntop(family, flow->remote, ends.remote, sizeof ends.remote);
    return ends;
}

static void
flow_text(const struct flow_key *flow, char *text, size_t size)
{
    struct flow_ends ends = flow_ends(flow);

    snprintf(text, size, "%s port %u to %s port %u", ends.remote, flow->remote_port,
        ends.local, flow->local_port);
}

/* A connection that cannot go on byte-exact is reset, and said so (promise P4). */
void
replayer_say_diverged(struct engine *e, const struct replay_effect *effect)
{
    struct replayer *r = e->replayer;
    char flow[192];

    if (r->ndivergences < DIVERGENCES)
        r->divergences[r->ndivergences++] = (struct divergence){ effect->flow,
            effect->seq, effect->reason };
    flow_text(&effect->flow, flow, sizeof flow);
    engine_journal(e, "error", "diverged",
        "connection from %s is reset: %s, first at sequence number %u; if this "
        "happens often, choose policy commit",
        flow, effect->reason, effect->seq);
}

/* There is no connection to reset. */
void
replayer_say_datagrams(struct engine *e, uint64_t n)
{
    if (n > 0)
        engine_journal(e, "warn", "diverged",
            "%llu datagram%s of the service came out otherwise than before, or not at "
            "all; if this happens often, choose policy commit",
            (unsigned long long)n, n == 1 ? "" : "s");
}

void
replayer_say_stalled(struct engine *e, const struct replay_effect *effect)
{
    struct replayer *r = e->replayer;
    char flow[192];

    flow_text(&effect->flow, flow, sizeof flow);
    snprintf(r->reason, sizeof r->reason, "%s", effect->reason);
    engine_journal(e, "error", "replay-stalled",
        "the replay is given up (%s; connection from %s waits for sequence number "
        "%u): the service goes on as under policy warm, all its old connections are "
        "reset; if this happens often, choose policy commit",
        effect->reason, flow, effect->seq);
}

void
replayer_say_insisted(struct engine *e)
{
    uint64_t n = replay_stat(e->replayer->machine).insisted;

    if (n > 0)
        log_warn("service %s: %llu packet%s of answers left before they were compared, "
                 "as a client has no room for more (4 KB are compared at a time); if "
                 "such clients must be sure, choose policy commit",
            e->service->name, (unsigned long long)n, n == 1 ? "" : "s");
}

static struct jv *
divergences_array(const struct replayer *r)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < r->ndivergences; i++) {
        const struct divergence *d = &r->divergences[i];
        struct flow_ends ends = flow_ends(&d->flow);
        struct jv *one = jv_object();

        jv_set_str(one, "local", ends.local);
        jv_set_int(one, "local_port", d->flow.local_port);
        jv_set_str(one, "remote", ends.remote);
        jv_set_int(one, "remote_port", d->flow.remote_port);
        jv_set_int(one, "sequence", d->seq);
        jv_set_str(one, "reason", d->reason);
        jv_set_str(one, "policy", conf_policy_name(CONF_COMMIT));
        jv_push(list, one);
    }
    return list;
}

struct jv *
replayer_status(const struct engine *e)
{
    const struct replayer *r = e->replayer;
    struct replay_stat s = { 0 };
    struct jv *o;

    if (r->end.us == 0)
        return NULL;
    s = replay_stat(r->machine);
    o = jv_object();
    jv_set_int(o, "epoch", (int64_t)r->epoch);
    jv_set_int(o, "duration_us", mono_us_between(r->began, r->end));
    jv_set_int(o, "injected", (int64_t)s.injected);
    jv_set_int(o, "synthetic", (int64_t)s.synthetic);
    jv_set_int(o, "rebuilt", (int64_t)s.rebuilt);
    jv_set_int(o, "half_open", (int64_t)s.half_open);
    jv_set_int(o, "swallowed", (int64_t)s.swallowed);
    jv_set_int(o, "compared", (int64_t)s.compared);
    jv_set_int(o, "diverged", (int64_t)s.diverged);
    jv_set_int(o, "stalled", (int64_t)s.stalled);
    jv_set_int(o, "insisted", (int64_t)s.insisted);
    jv_set_int(o, "datagrams", (int64_t)s.datagrams);
    jv_set_int(o, "unmade", (int64_t)r->unmade);
    jv_set_str(o, "reason", r->reason[0] ? r->reason : NULL);
    jv_set(o, "divergences", divergences_array(r));
    return o;
}
