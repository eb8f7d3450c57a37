/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * silence_table.h - a silence as a table of nf_tables, in the caller's network
 * namespace.
 *
 * One message to the kernel each, in which no program is started: processes stand still
 * meanwhile.  The table has the silence's name, and is in the family inet. */
#ifndef BSC_SILENCE_TABLE_H
#define BSC_SILENCE_TABLE_H

#include "sockmig/alone/silence.h"

/* silence_table_is_there - has a table of that name been made?
 * silence_table_put - with the ends of @s; one that is there is replaced without a gap.
 * silence_table_empty - all packets pass.
 * silence_table_drop - take it away: 15 ms, in which the kernel waits for all
 * processors to have done with it.
 * 0 (put and empty: a socket, see silence_on()) or -errno: -EOPNOTSUPP if the kernel
 * has no such tables, -EPERM without CAP_NET_ADMIN, -ENOENT if there is nothing to be
 * taken away. */
bool silence_table_is_there(const char *name);
int silence_table_put(const struct silence *s, bool replace);
int silence_table_empty(const char *name);
int silence_table_drop(const char *name);

#endif
