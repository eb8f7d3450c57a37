/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * warm.h - the warm clone of a service, of one process (clone.h) or of several
 * (stubs.h): it follows what the service is, also when processes come and go, and
 * becomes it at a takeover.
 *
 * All calls come from one thread (ptrace).  Design: doc/design/restore.md. */
#ifndef BSC_WARM_H
#define BSC_WARM_H

#include "sockmig/ckpt/clone.h"
#include "sockmig/core/family.h"

struct warm;

/* warm_new - cell and skeletons of all, empty; compared is what clone_new() compares.
 *
 * @conf    borrowed for the life of it
 * @family  borrowed until the next warm_apply()
 *
 * 0 and *out; -EOPNOTSUPP: refused, see @why; other -errno. */
int warm_new(const struct cell_conf *conf, const struct family *family,
    struct warm **out, struct refusals *why);
void warm_free(struct warm *w); /* kills it; NULL is legal */

/* warm_apply - bring them to the state of a whole checkpoint; @family as above.
 *
 * 0; -EAGAIN: processes came or went in a way that stubs cannot follow, the clone must
 * be made anew; other -errno: it is broken.  After a failure it must be freed. */
int warm_apply(struct warm *w, const struct family *family, const struct pages *pages,
    const struct parcels *parcels, struct refusals *why);

/* warm_content - pages and queues alone: of the processes that it has, others are left
 * out. */
int warm_content(
    struct warm *w, const struct pages *pages, const struct parcels *parcels);

/* warm_ahead - make some of the sockets that its connections will need (ahead.h): while
 * there is nothing else to do, until it is false.  @tun: as in struct tcp_parts. */
bool warm_ahead(struct warm *w, int tun);

void warm_schedule(struct warm *w); /* as clone_schedule() */

/* warm_wake - as clone_wake(): let them run.  @pid: of the root. */
int warm_wake(struct warm *w, const struct clone_wake_request *request, pid_t *pid,
    unsigned *lost, struct clone_timing *timing, struct refusals *why);
pid_t warm_release(struct warm *w); /* as clone_release() */

#endif
