/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/pace.h"

struct mono
pace_due(const struct pace *p, bool wanted)
{
    struct mono due = mono_add_us(p->started, wanted ? p->spacing_us : p->interval_us);
    struct mono rested = mono_add_us(p->ended, mono_us_between(p->started, p->ended));

    return mono_before(due, rested) ? rested : due;
}
