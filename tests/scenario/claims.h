/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * claims.h - what a test outside of check claims, a line each. */
#ifndef BSC_CLAIMS_H
#define BSC_CLAIMS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned failed; /* claims that did not hold */

/* check - @claim holds; check_of - of @of, one of several rows. */
static inline void
check_of(bool ok, const char *of, const char *claim)
{
    printf("%s: %s%s%s\n", ok ? "ok" : "FAILED", of, of[0] ? ": " : "", claim);
    fflush(stdout);
    failed += !ok;
}

static inline void
check(bool ok, const char *claim)
{
    check_of(ok, "", claim);
}

/* claims_end - the exit status. */
static inline int
claims_end(void)
{
    printf("%u failed\n", failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
