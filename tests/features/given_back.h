/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * given_back.h - memory that is written, given back, and only read again, at random:
 * what is where is known in usual memory besides. */
#ifndef BSC_FEATURES_GIVEN_BACK_H
#define BSC_FEATURES_GIVEN_BACK_H

#include <stddef.h>
#include <stdint.h>

#define GIVEN_BACK_PAGES 4u
#define GIVEN_BACK_SPOTS 5u /* that are looked at in each page */

struct given_back {
    size_t page; /* bytes */
    int flags;   /* of the mapping, besides MAP_ANONYMOUS */
    int advice;  /* that gives back */
    uint32_t random, now;
    char *at;
    uint32_t values[GIVEN_BACK_PAGES][GIVEN_BACK_SPOTS]; /* 0: given back, or never
                                                            touched */
};

/* As those of a feature. */
const char *given_back_set_up(struct given_back *g);
const char *given_back_check(const struct given_back *g);
void given_back_step(struct given_back *g);

#endif
