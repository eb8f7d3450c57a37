/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_check.h - what the parts of image_check() share. */
#ifndef BSC_IMAGE_CHECK_H
#define BSC_IMAGE_CHECK_H

#include "sockmig/core/image.h"

#include <string.h>

static inline bool
terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static inline bool
bool_value(uint32_t v)
{
    return v <= 1;
}

/* image_check_sockets - image_check() of connections, unix sockets and what belongs to
 * other sockets. */
const char *image_check_sockets(const struct image *im);

#endif
