/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * imgfile_form.h - what writer and reader of image files share. */
#ifndef BSC_IMGFILE_FORM_H
#define BSC_IMGFILE_FORM_H

#include "sockmig/alone/imgfile.h"

#define IMGFILE_MAGIC 0x474d4942u /* "BIMG" */
#define IMGFILE_LINE 64u
#define IMGFILE_PARTS 4u

_Static_assert(sizeof(struct imgfile_record) == IMGFILE_LINE, "one line");

static inline size_t
imgfile_padding(uint64_t size)
{
    return (size_t)(-size & (IMGFILE_LINE - 1));
}

#endif
