/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * maps_private.h - shared by maps.c (what is mapped) and maps_flags.c (how). */
#ifndef BSC_MAPS_PRIVATE_H
#define BSC_MAPS_PRIVATE_H

#include "sockmig/ckpt/maps.h"

#define MAPS_SHARED 8u          /* of the parsed permissions */
#define MAPS_GUARDED (1u << 31) /* of maps_flags, beside the image's: by a key */

/* maps_parse_line - "start-end perms offset major:minor inode  path\n": false if it is
 * none. */
bool maps_parse_line(const char **at, struct image_vma *v, uint32_t *perms,
    const char **path, size_t *path_len);

#endif
