/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/words.h"

#include <stddef.h>
#include <string.h>

#define WORDS(name, ...)                                                               \
    static const char *const name##_list[] = { __VA_ARGS__ };                          \
    const struct words words_##name = { name##_list,                                   \
        sizeof name##_list / sizeof name##_list[0] }

WORDS(health, NULL, "ok", "degraded", "failed");
WORDS(policy, NULL, "commit", "replay", "warm", "cold");
WORDS(role, NULL, "none", "standby", "active");
WORDS(engine, NULL, "idle", "starting", "running", "frozen", "seeding", "ready",
    "taking-over", "failed", "freezing", "resuming", "ending");
WORDS(service, NULL, "protected", "unprotected", "taking-over", "stopped", "failed");
WORDS(node, NULL, "online", "offline");
WORDS(standby, NULL, "connecting", "seeding", "ready", "behind", "down");
WORDS(severity, NULL, "info", "warn", "error");
WORDS(order, NULL, "switchover", "drain", "resume", "maintenance", "policy",
    "checkpoint", "interval", "clear", "ack", "freeze");
WORDS(progress, NULL, "running", "done", "failed");
WORDS(drain, NULL, "no", "draining", "drained");
WORDS(fenced, NULL, "no", "running", "done", "failed");

int64_t
word_value(const struct words *w, const char *text)
{
    for (int32_t i = 0; text && i < w->n; i++)
        if (w->word[i] && strcmp(w->word[i], text) == 0)
            return i;
    return 0;
}

const char *
word_text(const struct words *w, int64_t value)
{
    return value > 0 && value < w->n && w->word[value] ? w->word[value] : "unknown";
}
