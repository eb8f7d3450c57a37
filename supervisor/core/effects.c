/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/effects.h"

#include <assert.h>

struct effect *
effects_add(struct effects *out, enum effect_kind what, unsigned service)
{
    assert(out->n < EFFECTS_MAX);
    out->v[out->n] = (struct effect){ .what = what, .service = service };
    return &out->v[out->n++];
}

struct effect *
effects_journal(
    struct effects *out, enum journal_kind journal, unsigned service, unsigned node)
{
    struct effect *e = effects_add(out, DO_JOURNAL, service);

    e->journal = journal;
    e->node = node;
    return e;
}

const char *
engine_op_name(enum engine_op op)
{
    static const char *const names[] = { "start", "takeover", "resume", "fence",
        "follow", "set", "handover", "stop", "policy", "interval", "checkpoint" };

    _Static_assert(sizeof names / sizeof names[0] == ENGINE_NOPS, "a name for each");
    return names[op];
}

const char *
journal_kind_name(enum journal_kind kind)
{
    static const char *const names[] = { "node-joined", "node-left", "node-silent",
        "node-back", "quorum-gained", "quorum-lost", "engine-up", "engine-down",
        "claim", "taking", "step", "step-failed", "active", "failed", "context-lost",
        "handover", "set", "clone-lost", "order", "order-failed", "order-done", "held",
        "fence", "fenced", "fence-failed", "forgiven", "device-won", "device-lost" };

    _Static_assert(sizeof names / sizeof names[0] == JOURNAL_NKINDS, "a name for each");
    return names[kind];
}
