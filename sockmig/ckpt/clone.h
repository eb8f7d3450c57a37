/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clone.h - the warm clone of a service: a stopped skeleton of its process that is
 * kept up to date by checkpoints and becomes the process at a takeover.
 *
 * All calls come from one thread (ptrace).  The skeleton is seized with EXITKILL: a
 * clone never outlives its engine.  Design: doc/design/restore.md. */
#ifndef BSC_CLONE_H
#define BSC_CLONE_H

#include "sockmig/cell.h"
#include "sockmig/core/image.h"
#include "sockmig/pages.h"
#include "sockmig/refusal.h"

struct clone;

/* clone_new - make cell, reaper and skeleton for @im, with its mappings and threads.
 *
 * Compares what the host must have the same: vdso layout, CPU state size, mapped files
 * (path and build, image_vma.file_hash), open files.
 *
 * 0 and *out; -EOPNOTSUPP: refused, see @why; other -errno.  Nothing is left behind on
 * failure. */
int clone_new(const struct cell_conf *conf, const struct image *im, struct clone **out,
    struct refusals *why);
void clone_free(struct clone *c); /* kills it; NULL is legal */

/* clone_apply - bring the skeleton to the state of a whole checkpoint.  @im is the new
 * image; the clone keeps what it needs of @parcels.  0, or -errno: the clone is broken
 * and must be freed. */
int clone_apply(struct clone *c, const struct image *im, const struct pages *pages,
    const struct parcels *parcels);

/* clone_schedule - its threads, and those that they make, get the scheduling of the
 * caller: made at leisure, it is to wake in real time.  What the image has comes last.
 */
void clone_schedule(struct clone *c);

struct clone_timing { /* microseconds */
    uint32_t listeners, sockets, protect, fds, process, threads, registers, total;
};

struct clone_wake_request {
    const struct image *im; /* of the last clone_apply() */
    uint32_t age_ms;        /* since it was taken, by this host's clock */
    int tun;    /* in the cell's network namespace, for half-closed connections; -1 */
    int raw;    /* raw socket there, to send data in flight again; -1: none */
    bool alone; /* no connection goes on: all become ones whose peer is gone */
};

/* clone_wake - make the skeleton the process: sockets (listeners first, all
 * connections in repair mode, then released), protections, descriptors, process and
 * thread state, credentials, registers; then let it run, untraced.
 *
 * @pid      out: of the process, as the caller sees it
 *
 * 0, after which the clone is only good for clone_release(); or -errno with @why
 * telling what failed: the clone is to be freed.  Connections that could not be
 * restored are counted in *lost and named in @why; they do not fail the call. */
int clone_wake(struct clone *c, const struct clone_wake_request *request, pid_t *pid,
    unsigned *lost, struct clone_timing *timing, struct refusals *why);

/* clone_release - after clone_wake(): give up @c without killing its cell.  The
 * reaper's pid, for cell_kill() later. */
pid_t clone_release(struct clone *c);

#endif
