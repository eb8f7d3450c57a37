/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * chance.h - for rows that do things at random, the same ones each time. */
#ifndef BSC_FEATURES_CHANCE_H
#define BSC_FEATURES_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

/* chance_dice - 0..@sides - 1; *state is any number to begin with. */
unsigned chance_dice(uint32_t *state, unsigned sides);

/* chance_need - the process ends if not @ok: without it, nothing to come makes sense.
 */
void chance_need(bool ok);

/* The functions of a row that is about @object, of kind @kind. */
#define CHANCE_ROW(kind, object)                                                       \
    static const char *check_##object(void)                                            \
    {                                                                                  \
        return kind##_check(&(object));                                                \
    }                                                                                  \
    static void step_##object(void)                                                    \
    {                                                                                  \
        kind##_step(&(object));                                                        \
    }

#endif
