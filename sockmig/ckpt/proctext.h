/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * proctext.h - files of /proc, read into a buffer that was made beforehand. */
#ifndef BSC_PROCTEXT_H
#define BSC_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proctext {
    char *data; /* owned mapping; NUL-terminated after a read */
    size_t size, capacity;
};

int proctext_init(struct proctext *t, size_t capacity); /* 0 or -ENOMEM */
void proctext_fini(struct proctext *t);

/* proctext_read - the whole of the file whose path is the format's result.
 * proctext_pread - the whole of the open file @fd, from its beginning.
 *
 * 0, or -errno; -EFBIG: larger than the buffer. */
int proctext_read(struct proctext *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int proctext_pread(struct proctext *t, int fd);

/* proctext_field - what follows "@name" at the beginning of a line, blanks skipped.
 * NULL if there is no such line.  @name includes its colon. */
const char *proctext_field(const char *text, const char *name);

/* proctext_number - the number after that; @otherwise if there is none. */
uint64_t proctext_number(
    const char *text, const char *name, int base, uint64_t otherwise);

/* proctext_last_id - the last number of the NSpid: line: the id in the innermost pid
 * namespace.  0: none. */
int proctext_last_id(const char *status);

/* number_at - parse a number at **at and step behind it; false if there is none. */
bool number_at(const char **at, int base, uint64_t *out);

#endif
