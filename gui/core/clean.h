/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clean.h - text of others made fit to be shown.  Pure. */
#ifndef BSC_GUI_CLEAN_H
#define BSC_GUI_CLEAN_H

#include <stddef.h>

/* clean_text - valid UTF-8 without control characters from @n octets of anything.
 *
 * @out  @size > 4 octets, always with a NUL.  A bad octet becomes U+FFFD, a control
 *       character a space.  What does not fit is cut between characters and ends in
 *       an ellipsis.
 *
 * The length of what was written. */
size_t clean_text(char *out, size_t size, const char *in, size_t n);

#endif
