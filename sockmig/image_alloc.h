/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_alloc.h - storage of an image: its arrays at their full capacity, as address
 * space that becomes memory where it is used.  (The core that encodes and checks
 * images may not allocate.) */
#ifndef BSC_IMAGE_ALLOC_H
#define BSC_IMAGE_ALLOC_H

#include "sockmig/core/image.h"

/* image_alloc - make @im empty, all bytes zero.  0, or -ENOMEM.
 * image_release: give its arrays back; a zeroed image is legal. */
int image_alloc(struct image *im);
void image_release(struct image *im);

#endif
