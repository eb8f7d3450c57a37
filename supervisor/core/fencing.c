/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/fencing.h"

#include <string.h>

#define IDLE_MS                                                                        \
    1500 /* who serves nothing lets the other go first: two that are cut off           \
            from each other do not both die */
#define TURN_MS 500 /* and of two that serve the one with the lower number */
#define AGAIN_MS 5000
#define AGAIN_MAX_MS 60000

static bool
is_small(const struct cluster *c)
{
    return nodes_count(c->all) == 2;
}

bool
fencing_suffices(const struct fencing *f, const struct cluster *c)
{
    return !is_small(c) || !(c->all & ~f->can);
}

static bool
leads(const struct cluster *c)
{
    uint64_t answering = cluster_answering(c);

    return answering & node_bit(c->me) && !(answering & (node_bit(c->me) - 1));
}

/* Lost, and not only its supervisor. */
static bool
is_lost(const struct fencing *f, const struct cluster *c, unsigned node)
{
    uint64_t bit = node_bit(node);

    return c->ready && f->can & f->met & c->all & bit && node != c->me &&
           !((c->members | c->process_left | c->fenced) & bit) &&
           (is_small(c) || cluster_quorate(c));
}

static struct mono
first(const struct cluster *c, bool serves, struct mono now)
{
    bool lowest = !(c->all & (node_bit(c->me) - 1));

    if (!is_small(c))
        return now;
    return mono_add_ms(now, (serves ? 0 : IDLE_MS) + (lowest ? 0 : TURN_MS));
}

static void
begin(struct fencing *f, unsigned node, struct effects *out)
{
    f->state[node] = FENCE_RUNNING;
    f->tries[node]++;
    effects_journal(out, JOURNAL_FENCE, NO_SERVICE, node);
    effects_add(out, DO_FENCE, NO_SERVICE)->node = node;
}

struct mono
fencing_next(struct fencing *f, struct cluster *c, bool serves, struct mono now,
    struct effects *out)
{
    struct mono wake = { INT64_MAX };

    if (cluster_quorate(c))
        f->met |= c->members;
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        enum fence_state *state = &f->state[n];

        if (*state == FENCE_RUNNING)
            continue; /* an agent is not called back */
        if (!is_lost(f, c, n)) {
            *state = c->fenced & node_bit(n) ? FENCE_DONE : FENCE_NONE;
            f->tries[n] = 0;
            continue;
        }
        if (*state == FENCE_NONE || *state == FENCE_DONE) {
            *state = FENCE_WAITING;
            f->due[n] = first(c, serves, now);
        }
        if (leads(c) && !mono_before(now, f->due[n]))
            begin(f, n, out);
        else if (leads(c) && mono_before(f->due[n], wake))
            wake = f->due[n];
    }
    return wake;
}

void
fencing_ended(struct fencing *f, const struct cluster *c, unsigned node, bool ok,
    const char *text, struct mono now, struct effects *out)
{
    int64_t again = AGAIN_MS << (f->tries[node] < 5 ? f->tries[node] : 5);
    struct effect *e;

    if (f->state[node] != FENCE_RUNNING)
        return;
    f->state[node] = ok ? FENCE_DONE : FENCE_FAILED;
    f->due[node] = mono_add_ms(now, again < AGAIN_MAX_MS ? again : AGAIN_MAX_MS);
    e = effects_journal(
        out, ok ? JOURNAL_FENCED : JOURNAL_FENCE_FAILED, NO_SERVICE, node);
    if (text)
        memcpy(e->msg.text, text, strnlen(text, PEER_TEXT - 1));
    if (!ok ||
        c->members & node_bit(node)) /* it came back by itself, before it was off */
        return;
    e = effects_add(out, DO_BROADCAST, NO_SERVICE);
    e->msg.kind = PEER_FENCED;
    e->msg.node = node;
}
