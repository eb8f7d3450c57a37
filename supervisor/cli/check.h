/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check.h - what `bascule check` finds. */
#ifndef BSC_CHECK_H
#define BSC_CHECK_H

#include "lib/jv.h"

#include <stdbool.h>

enum check_level { CHECK_OK, CHECK_WARN, CHECK_MISSING };

struct check {
    bool json;       /* print nothing yet */
    struct jv *rows; /* owned: { level, what, text } */
    unsigned missing;
};

void check_say(struct check *c, enum check_level level, const char *what,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* check_kernel - try the calls that the engine cannot do without (root only). */
void check_kernel(struct check *c);

#endif
