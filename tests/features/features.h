/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * features.h - what a server process may hold, a row per feature of the kernel.
 *
 * feature_app sets some of them up, says so, and looks at them again each time it is
 * told to; feature_loop takes checkpoints of it, wakes its clones, and expects every
 * row to hold, or to be refused by name (promise P8).
 *
 * To add one: a function that sets it up, one that checks it, a row in the table of
 * its area.  doc/features.md is made from the tables (feature_loop --table). */
#ifndef BSC_FEATURES_H
#define BSC_FEATURES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

enum {                /* feature.flags */
    FEATURE_ALONE = 1 /* changes the whole process: shares it with no other */
};

/* All three run in feature_app.  They return NULL, or a text that says what is wrong;
 * set_up() may say that this host cannot: a text that begins with "skip". */
struct feature {
    const char *name;
    const char *refused; /* the refusal contains it; NULL: it is kept */
    unsigned flags;
    const char *(*set_up)(void);
    const char *(*check)(void); /* after each takeover: leaves it as it was; NULL:
                                   refused */
    void (*step)(void);         /* every millisecond or so; NULL: nothing */
};

struct feature_area {
    const char *title;
    const struct feature *rows;
    unsigned n;
};

extern const struct feature_area *const feature_areas[]; /* NULL-terminated */

/* feature_at - row @number of all areas, counted from 0; NULL behind the last. */
const struct feature *feature_at(unsigned number, const struct feature_area **area);

/* feature_wrong - "file:line: text: errno" in a buffer of its own. */
const char *feature_wrong(const char *file, int line, const char *text);

#define WANT(claim)                                                                    \
    do {                                                                               \
        errno = 0;                                                                     \
        if (!(claim))                                                                  \
            return feature_wrong(__FILE__, __LINE__, #claim);                          \
    } while (0)

#define AREA(variable, words, table)                                                   \
    extern const struct feature_area variable;                                         \
    const struct feature_area variable = { words, table,                               \
        sizeof(table) / sizeof((table)[0]) }

#endif
