/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmdline.h - the command line of a daemon: what all of them take, and texts of its
 * own; and how a command says what is wrong. */
#ifndef BSC_CMDLINE_H
#define BSC_CMDLINE_H

#include "lib/log.h"

#include <stdarg.h>

struct cmdline_text { /* --NAME TEXT */
    const char *name;
    const char **to;
};

#define CMDLINE_TEXTS 8

struct cmdline {
    const char *program, *usage; /* .usage: all of the text that --help prints */
    const char *config;          /* -c, --config: in and out */
    enum log_level level;        /* out: -v, --verbose */
    struct cmdline_text texts[CMDLINE_TEXTS]; /* in; .name NULL: no more */
};

/* cmdline_read - the words of @argv into @c; each text keeps what it has if it is not
 * named.  Ends the program after --help and --version with status 0, and with 2 and
 * the usage if there is anything that it does not take. */
void cmdline_read(int argc, char **argv, struct cmdline *c);

/* cmdline_error - "PROGRAM: TEXT" of a command, after what it has printed so far. */
void cmdline_error(const char *program, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#endif
