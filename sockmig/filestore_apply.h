/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore_apply.h - operations (core/files.h) on real folders.
 *
 * To do a row of them again, from its beginning, after it was done in part leads to the
 * same end: that is what makes rolling forward safe. */
#ifndef BSC_FILESTORE_APPLY_H
#define BSC_FILESTORE_APPLY_H

#include "sockmig/core/files.h"

/* files_apply - 0 or -errno; @roots: descriptors of the folders; @again: it may have
 * been done before, so what is gone by the end may be missing now. */
int files_apply(
    const int *roots, unsigned nroots, const void *data, size_t size, bool again);

/* files_tidy - after a batch is done and durable: what it left in between. */
void files_tidy(const int *roots, unsigned nroots);

#endif
