/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * secret.h - a secret of one line in a file that only the right people can read. */
#ifndef BSC_SECRET_H
#define BSC_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_ERROR_LEN 400

/* secret_line - the first line of @path, which may be readable by its owner and its
 * group and writable by its owner only.
 *
 * @text   out: @size bytes, without the line's end; the caller wipes it
 * @error  SECRET_ERROR_LEN bytes: what is wrong and what to do, only if false */
bool secret_line(const char *path, char *text, size_t size, char *error);

#endif
