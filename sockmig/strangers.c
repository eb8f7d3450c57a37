/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * strangers.c - what came to the engine's ports and was refused: told to the journal,
 * seldom, since whoever can send one can send millions. */
#include "sockmig/engine.h"

#include "lib/log.h"

#include <stdio.h>

#define TELL_MS 10000

void
strangers_tick(struct engine *e)
{
    const uint64_t now[] = { atomic_load(&e->forged), e->malformed, e->stale };
    const uint64_t *was = e->strangers.told;
    struct mono at = mono_clock();
    char text[256];

    if (now[0] == was[0] && now[1] == was[1] && now[2] == was[2])
        return;
    if (e->strangers.at.us && mono_us_between(e->strangers.at, at) < TELL_MS * 1000)
        return;
    snprintf(text, sizeof text,
        "refused from the cluster network: %llu forged, replayed or damaged, %llu "
        "malformed, %llu of another epoch; have all nodes the same secret and version, "
        "and who else is in that network?",
        (unsigned long long)(now[0] - was[0]), (unsigned long long)(now[1] - was[1]),
        (unsigned long long)(now[2] - was[2]));
    for (unsigned i = 0; i < 3; i++)
        e->strangers.told[i] = now[i];
    e->strangers.at = at;
    log_warn("service %s: %s", e->service->name, text);
    engine_note(e, "stranger", "warn", text);
}
