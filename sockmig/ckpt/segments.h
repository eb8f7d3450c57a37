/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * segments.h - shared memory that has a name: System V segments, files of tmpfs that
 * are mapped shared (POSIX shared memory).  Their content comes with the pages. */
#ifndef BSC_SEGMENTS_H
#define BSC_SEGMENTS_H

#include "sockmig/core/image.h"
#include "sockmig/refusal.h"

#include <sys/types.h>

/* segments_is_sysv - is mapping @v of a System V segment, or of a file? */
bool segments_is_sysv(const struct image_vma *v);

/* segments_read - what im->vmas map, of process @pid, into im->segments.
 * 0; -EOPNOTSUPP with @why; -ESRCH; other -errno. */
int segments_read(pid_t pid, struct image *im, struct refusals *why);

/* segments_check_others - 0, or -EOPNOTSUPP: of @there System V segments in its
 * namespace some are not attached, and so not in the image. */
int segments_check_others(const struct image *im, unsigned there, struct refusals *why);

/* segments_remove - those of System V that nobody has any more: they are elsewhere. */
void segments_remove(const struct image *im);

#endif
