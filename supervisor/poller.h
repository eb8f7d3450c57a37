/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * poller.h - the child that reads the MIBs of all nodes, and its last words.
 *
 * bascule-poller prints one JSON object per node and round.  What it says is used to
 * compare candidates and to show; nothing waits for it.  It is started again when it
 * ends, ever more slowly while it ends at once. */
#ifndef BSC_POLLER_H
#define BSC_POLLER_H

#include "lib/conf.h"
#include "lib/jv.h"
#include "lib/loop.h"

struct poller;

/* @program, @conf_path and @conf are borrowed.  @changed: there is
 * news of node @id. */
struct poller *poller_new(struct loop *loop, const char *program, const char *conf_path,
    const struct conf *conf, void (*changed)(unsigned id, void *arg), void *arg);
void poller_free(struct poller *p); /* NULL is legal; ends the child */

/* poller_reading - the last object about node @id, or NULL: none yet.  Borrowed.
 * @age_ms  out: since it came; may be NULL */
const struct jv *poller_reading(const struct poller *p, unsigned id, int64_t *age_ms);

#endif
