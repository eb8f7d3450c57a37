/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hugepool.h - huge pages of hugetlb for tests: a setting of the whole machine. */
#ifndef BSC_FEATURES_HUGEPOOL_H
#define BSC_FEATURES_HUGEPOOL_H

/* hugepool_grow - by @pages, whatever others of the same time have added; who needs one
 * that could not be had finds out, and first what killed tests have left is given back.
 * hugepool_restore - less by as many. */
void hugepool_grow(unsigned pages);
void hugepool_restore(void);

#endif
