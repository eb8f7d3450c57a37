/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filehash.h - which build of a file a host has: what must be the same where a
 * process that maps the file is restored. */
#ifndef BSC_FILEHASH_H
#define BSC_FILEHASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* filehash - identify the build of the regular file at @path.
 *
 * xxHash of the ELF build-id note if there is one; otherwise of the size and the first
 * and the last 64 KiB.  Never 0.  Known files are not read again while device, inode,
 * size and modification time stay.  Callable from several threads.
 *
 * 0, or -errno and *out is untouched. */
int filehash(const char *path, uint64_t *out);

/* filehash_bytes - xxHash (64 bits) of @size bytes: equal content, equal hash. */
uint64_t filehash_bytes(const void *data, size_t size);

/* filehash_parts - XXH3 (64 bits) of @n pieces as if they were one: for what is large
 * or kept. */
uint64_t filehash_parts(const struct iovec *parts, unsigned n);

/* filehash_seeded - XXH3 (64 bits); who does not know @seed cannot make two contents of
 * one hash. */
uint64_t filehash_seeded(const void *data, size_t size, uint64_t seed);

#endif
