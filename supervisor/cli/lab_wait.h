/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lab_wait.h - ask the lab's cluster how it is, from outside of it. */
#ifndef BSC_LAB_WAIT_H
#define BSC_LAB_WAIT_H

#include "lib/jv.h"
#include "supervisor/cli/lab.h"

/* lab_cluster_status - `status` of the first node that answers, preferring one that
 * has quorum.  New value, or NULL. */
struct jv *lab_cluster_status(const struct lab *lab);

/* lab_missing - what keeps the lab from being all protected, in words.
 * False: nothing does. */
bool lab_missing(
    const struct lab *lab, const struct jv *status, char *out, size_t size);

/* lab_wait_protected - until every service is; says what it waits for whenever that
 * changes.  An exit code. */
int lab_wait_protected(const struct lab *lab, int timeout_s);

#endif
