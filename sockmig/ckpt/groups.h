/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * groups.h - multicast groups that a UDP socket has joined. */
#ifndef BSC_GROUPS_H
#define BSC_GROUPS_H

#include "sockmig/ckpt/descriptors.h"

/* groups_read - those of the socket that is looked at, into l->im->groups.
 * 0, or -EOPNOTSUPP: refused. */
int groups_read(struct look *l);

/* groups_any - is any socket of its network namespace in a group? */
bool groups_any(struct look *l);

/* groups_join - @sock joins those that @im has of descriptor @fd, on devices of the
 * same names.  0 or -errno. */
int groups_join(const struct image *im, int fd, int sock);

#endif
