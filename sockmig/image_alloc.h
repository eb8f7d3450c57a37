/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_alloc.h - storage of an image: its arrays at their full capacity, as address
 * space that becomes memory where it is used.  (The core that encodes and checks
 * images may not allocate.) */
#ifndef BSC_IMAGE_ALLOC_H
#define BSC_IMAGE_ALLOC_H

#include "sockmig/core/family.h"

/* image_alloc - make @im empty, all bytes zero.  0, or -ENOMEM.
 * image_release: give its arrays back; a zeroed image is legal. */
int image_alloc(struct image *im);
void image_release(struct image *im);

/* image_new - an empty one; NULL: no memory.  image_free: NULL is legal. */
struct image *image_new(void);
void image_free(struct image *im);

/* family_alloc - room for @n members with their images in @f, which is zeroed at first;
 * what is there stays.  0, or -ENOMEM.  family_release: as above. */
int family_alloc(struct family *f, uint32_t n);
void family_release(struct family *f);

#endif
