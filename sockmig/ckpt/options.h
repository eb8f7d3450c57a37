/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.h - what a socket was told by setsockopt(), to an image and back: of stream
 * sockets without a connection, and of unix sockets. */
#ifndef BSC_OPTIONS_H
#define BSC_OPTIONS_H

#include "sockmig/core/image.h"

/* options_read - @family: of @sock, AF_UNIX takes only what all sockets have. */
void options_read(int sock, int family, struct image_options *out);

/* options_write - 0 or -errno of the first that could not be set. */
int options_write(int sock, int family, const struct image_options *o);

/* options_refused - NULL, or a static text: what the socket has that no image holds. */
const char *options_refused(int sock, int family);

#endif
