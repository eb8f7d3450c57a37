/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * describe.h - what a process holds, in words: for inspect and show. */
#ifndef BSC_DESCRIBE_H
#define BSC_DESCRIBE_H

#include "sockmig/core/family.h"
#include "sockmig/core/image.h"

struct jv;

/* describe - of @im (NULL: a zombie), a new value. */
struct jv *describe(const struct family_member *info, const struct image *im);

/* describe_print - the same for people, on standard output. */
void describe_print(const struct jv *process);

#endif
