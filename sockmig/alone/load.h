/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * load.h - an image file in memory: its processes decoded and checked, its pages still
 * in the file. */
#ifndef BSC_LOAD_H
#define BSC_LOAD_H

#include "sockmig/alone/imgfile.h"
#include "sockmig/core/family.h"
#include "sockmig/pages.h"

struct loaded {
    struct imgfile_in file;
    struct imgfile_head head;
    struct imgfile_tree tree;
    struct family all; /* owned */
};

/* load - the image at @path (imgfile_open()).  0, or -errno with @error; load_free() in
 * any case. */
int load(struct loaded *l, const char *path, char error[IMGFILE_ERROR]);
void load_free(struct loaded *l);

/* load_add - the same for an image that comes record by record: @l is zeroed first.
 * load_whole - is it all there?  As above. */
int load_add(
    struct loaded *l, const struct imgfile_item *item, char error[IMGFILE_ERROR]);
int load_whole(const struct loaded *l, char error[IMGFILE_ERROR]);

/* load_pages - the runs of a PAGES record, cut to what @im has mapped.  @out: its
 * arrays are borrowed from the record and *@runs (owned, grown as needed, *@max of
 * them). False: the record is malformed. */
bool load_pages(const struct imgfile_item *item, const struct image *im,
    struct page_run **runs, size_t *max, struct pages *out);

#endif
