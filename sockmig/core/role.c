/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/role.h"

#include <stddef.h>

enum when { ANY, SAME, NEWER }; /* the order's epoch, against the own one */

#define BIT(s) (1u << (s))
#define ANYWHERE (BIT(ROLE_NSTATES) - 1)
/* An order that takes time is under way: its end comes first. */
#define SETTLED                                                                        \
    (BIT(ROLE_IDLE) | BIT(ROLE_RUNNING) | BIT(ROLE_FROZEN) | BIT(ROLE_FOLLOWING) |     \
        BIT(ROLE_FAILED))

/* clang-format off */
/* First row that matches decides; none: refused. */
static const struct {
    enum role_order order;
    unsigned in; /* states, as bits */
    enum when when;
    enum role_answer answer;
    int to; /* -1: the state stays */
} rules[] = {
    /* order          in state                                  epoch   answer     go to */
    { ORDER_START,    BIT(ROLE_RUNNING),                        SAME,   ROLE_DONE, -1 },
    { ORDER_START,    BIT(ROLE_IDLE) | BIT(ROLE_FOLLOWING)
                          | BIT(ROLE_FAILED),                   ANY,    ROLE_DO,   ROLE_STARTING },
    { ORDER_FOLLOW,   BIT(ROLE_FOLLOWING),                      SAME,   ROLE_DO,   -1 },
    { ORDER_FOLLOW,   BIT(ROLE_FOLLOWING),                      NEWER,  ROLE_DO,   ROLE_ENDING },
    { ORDER_FOLLOW,   BIT(ROLE_RUNNING) | BIT(ROLE_FROZEN),     NEWER,  ROLE_DO,   ROLE_ENDING },
    { ORDER_FOLLOW,   BIT(ROLE_IDLE) | BIT(ROLE_FAILED),        ANY,    ROLE_DO,   ROLE_ENDING },
    { ORDER_FENCE,    ANYWHERE,                                 ANY,    ROLE_DO,   -1 },
    { ORDER_TAKEOVER, BIT(ROLE_RUNNING),                        SAME,   ROLE_DONE, -1 },
    { ORDER_TAKEOVER, BIT(ROLE_FOLLOWING),                      ANY,    ROLE_DO,   ROLE_WAKING },
    { ORDER_SET,      BIT(ROLE_RUNNING) | BIT(ROLE_FREEZING),   SAME,   ROLE_DO,   -1 },
    { ORDER_HANDOVER, BIT(ROLE_RUNNING),                        SAME,   ROLE_DO,   ROLE_FREEZING },
    { ORDER_RESUME,   BIT(ROLE_FROZEN),                         ANY,    ROLE_DO,   ROLE_RESUMING },
    { ORDER_RESUME,   BIT(ROLE_RUNNING),                        SAME,   ROLE_DONE, -1 },
    { ORDER_RESUME,   BIT(ROLE_RUNNING),                        NEWER,  ROLE_DO,   ROLE_RESUMING },
    { ORDER_STOP,     SETTLED,                                  ANY,    ROLE_DO,   ROLE_ENDING },
};
/* clang-format on */

static bool
fits(enum when when, uint64_t own, uint64_t epoch)
{
    switch (when) {
    case SAME:
        return epoch == own;
    case NEWER:
        return epoch > own;
    case ANY:
        break;
    }
    return true;
}

enum role_answer
role_order(const struct role *role, enum role_order order, uint64_t epoch,
    enum role_state *next)
{
    if (epoch < role->seen)
        return ROLE_STALE;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].order != order || !(rules[i].in & BIT(role->state)) ||
            !fits(rules[i].when, role->own, epoch))
            continue;
        *next = rules[i].to < 0 ? role->state : (enum role_state)rules[i].to;
        return rules[i].answer;
    }
    return ROLE_REFUSED;
}

const char *
role_state_name(enum role_state state)
{
    static const char *const names[] = { "idle", "starting", "running", "freezing",
        "frozen", "resuming", "following", "taking-over", "ending", "failed" };

    _Static_assert(sizeof names / sizeof names[0] == ROLE_NSTATES, "a name for each");
    return names[state];
}

static const char *const order_names[] = { "start", "follow", "fence", "takeover",
    "set", "handover", "resume", "stop" };

_Static_assert(
    sizeof order_names / sizeof order_names[0] == ORDER_NORDERS, "a name for each");

const char *
role_order_name(enum role_order order)
{
    return order_names[order];
}

bool
role_order_by_name(const char *name, enum role_order *order)
{
    for (int i = 0; i < ORDER_NORDERS; i++) {
        const char *a = order_names[i], *b = name;

        while (*a && *a == *b)
            a++, b++;
        if (*a == *b) {
            *order = (enum role_order)i;
            return true;
        }
    }
    return false;
}
