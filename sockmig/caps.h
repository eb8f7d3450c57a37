/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * caps.h - the capabilities that the engine keeps (libcap-ng behind it, see caps.c). */
#ifndef BSC_CAPS_H
#define BSC_CAPS_H

/* caps_keep_needed - give up all capabilities but those in the table of caps.c, for
 * this process and what it starts.  0, or -errno. */
int caps_keep_needed(void);

#endif
