/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/chance.h"

#include <stdlib.h>

unsigned
chance_dice(uint32_t *state, unsigned sides)
{
    *state = *state * 1103515245u + 12345u;
    return *state / 65536 % sides;
}

void
chance_need(bool ok)
{
    if (!ok)
        abort();
}
