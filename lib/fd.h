/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fd.h - the few things one does with file descriptors again and again. */
#ifndef BSC_FD_H
#define BSC_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void fd_close(int fd); /* does nothing for -1; keeps errno */

/* fd_expect - room in the table of descriptors for @n more, if the limit allows them.
 * Where threads share the table each of its doublings waits for all processors, some
 * milliseconds; the last one that is needed does for all. */
void fd_expect(unsigned n);

/* fd_write_all, fd_read_all - the whole of @n bytes, blocking, through EINTR.
 * 0 or -errno; fd_read_all: -ECONNRESET at an early end. */
int fd_write_all(int fd, const void *data, size_t n);
int fd_read_all(int fd, void *data, size_t n);

/* file_read - the whole of a small file, NUL-terminated into @text.
 * Its length, or -errno; -EFBIG if it is @size bytes or more. */
ssize_t file_read(const char *path, char *text, size_t size);

/* file_write - @text as the whole content of the existing or new file @path.
 * 0 or -errno. */
int file_write(const char *path, const char *text);

/* fd_is_remote - on a file system whose change times are another host's, or nobody's.
 */
bool fd_is_remote(int fd);

#endif
