/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files_held.h - writes to files of a state folder by way of mappings. */
#ifndef BSC_FILES_HELD_H
#define BSC_FILES_HELD_H

#include "sockmig/filescan.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t held_below(uint32_t n); /* a number below @n, at random */

/* held_visit - to file @path, by a mapping that is gone before anybody looks. */
void held_visit(const char *path, held_below *below);

/* held_write - to the file a/held below @top, by a mapping that stays for some looks.
 * held_tell - after a look: what was written so is told, as from the page tables of a
 * process; or it is @lost, with who had them.  0 or -errno. */
void held_write(const char *top, held_below *below);
int held_tell(struct filescan *s, bool lost, struct refusals *why);

#endif
