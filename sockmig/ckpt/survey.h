/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey.h - all descriptors of a stopped process in one run of a BPF program.
 *
 * A row tells whether a descriptor is what it was at the checkpoint before; looking at
 * it through a duplicate takes six system calls and more (measured: 0.4 us against 15
 * us a connection).  Of a connection that rested then not even a row is needed.  Needs
 * Linux 6.2 with CONFIG_DEBUG_INFO_BTF; without it each descriptor is looked at each
 * time.
 *
 * Source: kernel/bpf/task_iter.c; sockmig/bpf/survey.bpf.c. */
#ifndef BSC_SURVEY_H
#define BSC_SURVEY_H

#include "sockmig/bpf/survey_row.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct survey {
    int files, mappings; /* owned: iterators over one process; -1: none */
    /* Of the last survey_read() of any process: */
    const struct survey_row *rows;
    const struct survey_found *found; /* of the same index; of one that rests the row
                                         is that of the survey before */
    const struct survey_item *items;  /* of all rows, see survey_row.first_item */
    uint32_t map_seq;
};

/* survey_allow - false: survey_open() fails from now on, as on a kernel that has it
 * not. For tests, which go both ways. */
void survey_allow(bool allowed);

/* survey_load - what survey_open() would do once, the first time: 100 ms. */
void survey_load(void);

/* survey_open - of process @pid.  0; -EOPNOTSUPP and the like: this kernel, or the
 * caller's rights, have it not. */
int survey_open(struct survey *s, pid_t pid);
void survey_close(struct survey *s);

/* survey_read - the process must stand still.  Sorted by descriptor into s->found and
 * s->rows, of which there is one set: one thread surveys at a time, forks of this
 * process included.  @rests (NULL: none are known): by number of the descriptor, what
 * survey_rest() made of the rows before, for @n of them, a multiple of 8.  How many,
 * -E2BIG: more than SURVEY_ROWS, or -errno. */
int survey_read(struct survey *s, const struct survey_rest *rests, uint32_t n);

/* survey_rest - of a connection with @row; zeros if it does not rest. */
struct survey_rest survey_rest(const struct survey_row *row);

/* survey_mappings - a number that moves with every change of its mappings; 0: not
 * known. */
uint32_t survey_mappings(const struct survey *s);

#endif
