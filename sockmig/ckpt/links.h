/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * links.h - which descriptors of different processes are one open file. */
#ifndef BSC_LINKS_H
#define BSC_LINKS_H

#include "sockmig/ckpt/tree.h"

/* links_find - of the stopped tree @t, whose images are taken.
 *
 * @out  new array, to be freed; each link leads to the lowest process that has the file
 *
 * Their number, or -ENOMEM. */
long links_find(const struct tree *t, struct family_link **out);

#endif
