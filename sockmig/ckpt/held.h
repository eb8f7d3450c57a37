/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * held.h - shared mappings of files that have no name: whose memory they are. */
#ifndef BSC_HELD_H
#define BSC_HELD_H

#include "sockmig/core/image.h"
#include "sockmig/refusal.h"

/* held_resolve - with the descriptors of @im at hand: a mapping stays HELD where one of
 * them has its file; else nobody but its mappings can reach it, and it is the same as
 * shared anonymous memory.  0; -EOPNOTSUPP: the same bytes are mapped twice. */
int held_resolve(struct image *im, int cell_pid, struct refusals *why);

#endif
