/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mono.h - monotonic time as a type of its own.
 *
 * A bare integer invites adding seconds to milliseconds and wall clock to
 * monotonic; a struct makes the compiler refuse.  Pure: nothing here reads a
 * clock, loop_now() does. */
#ifndef BSC_MONO_H
#define BSC_MONO_H

#include <stdbool.h>
#include <stdint.h>

struct mono {
    int64_t us; /* microseconds since an arbitrary start, never negative */
};

static inline struct mono
mono_add_us(struct mono t, int64_t us)
{
    return (struct mono){ t.us + us };
}

static inline struct mono
mono_add_ms(struct mono t, int64_t ms)
{
    return (struct mono){ t.us + ms * 1000 };
}

static inline bool
mono_before(struct mono a, struct mono b)
{
    return a.us < b.us;
}

/* mono_us_between - microseconds from @from to @to; negative if @to is earlier. */
static inline int64_t
mono_us_between(struct mono from, struct mono to)
{
    return to.us - from.us;
}

#endif
