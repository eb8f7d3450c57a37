/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hugepool.h - huge pages of hugetlb for tests: a setting of the whole machine. */
#ifndef BSC_FEATURES_HUGEPOOL_H
#define BSC_FEATURES_HUGEPOOL_H

/* hugepool_grow - so that at least @free are free; what of it cannot be is left to
 * those who need one.  hugepool_restore - as it was. */
void hugepool_grow(unsigned free);
void hugepool_restore(void);

#endif
