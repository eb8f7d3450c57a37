/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fill.h - content for pages that a clone does not have yet.
 *
 * A page that another process writes to is first made, and made empty.  UFFDIO_COPY of
 * a userfaultfd makes it with its content, in 1.0 us instead of 1.7; and two threads
 * have twice as much of it done.
 *
 * Source: Documentation/admin-guide/mm/userfaultfd.rst. */
#ifndef BSC_FILL_H
#define BSC_FILL_H

#include "sockmig/ckpt/clone.h"

/* fill_serves - can the pages of @run be made so: content of private memory. */
bool fill_serves(const struct clone *c, const struct page_run *run);

/* fill_pages - the content of those runs of @p from @first to @end - 1 that it serves.
 * The stub is stopped and its batch is empty.
 *
 * True: they have it.  False: they may have it in part, since there were pages before,
 * or it is not worth it, or this kernel does not have it: @c is then not asked again,
 * and content goes the other way. */
bool fill_pages(struct clone *c, const struct pages *p, size_t first, size_t end);

#endif
