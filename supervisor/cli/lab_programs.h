/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lab_programs.h - what runs on a node, and where its programs are found. */
#ifndef BSC_LAB_PROGRAMS_H
#define BSC_LAB_PROGRAMS_H

#include "supervisor/cli/lab.h"

#define LAB_PROGRAM_LEN 320
#define LAB_BIN "/run/bascule-lab/bin"       /* all of them, on each host */
#define LAB_DEVICE "/run/bascule-lab/device" /* of corosync-qnetd */

/* Where a program runs, again whenever it ends. */
enum lab_runs {
    LAB_RUNS_NOWHERE,     /* it is there to be called */
    LAB_RUNS_ON_NODES,    /* on every one */
    LAB_RUNS_WITH_DEVICE, /* too, if the lab has a quorum device */
    LAB_RUNS_AS_DEVICE    /* then, on the client's host */
};

struct lab_program {
    const char *name;
    const char *build; /* place in a build tree; NULL: a program of the system */
    const char *installed;
    const char *user;    /* NULL: root */
    const char *argv[9]; /* after argv[0]; only of those that are started */
    enum lab_runs runs;
};

extern const struct lab_program lab_programs[];
extern const unsigned lab_nprograms;

/* lab_program_find - into @out (LAB_PROGRAM_LEN bytes).  False: it is nowhere. */
bool lab_program_find(
    const struct lab *lab, const struct lab_program *program, char *out);

/* lab_program_runs - whether a host of this kind runs it. */
bool lab_program_runs(
    const struct lab *lab, const struct lab_program *program, enum lab_kind kind);

/* lab_bin_guess - the build tree that this program was built in, or "". */
void lab_bin_guess(char *out, size_t size);

#endif
