/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fault.h - named points at which a test ends a process or its whole node (configure
 * --enable-fault-points; otherwise they are nothing).
 *
 * A test writes "POINT ACTION" to FAULT_FILE (`bascule lab fault arm`).  The first
 * process that comes to that point removes the file, and then
 *   kill   is killed there, as by a crash of the program;
 *   hang   is stopped there, all of its threads;
 *   crash  takes its node with it: cables out, everything killed;
 *   overflow, leak  does what the sanitizers must report, to see that they do;
 *   leaks  looks for leaks, as it would at its end (nothing without the sanitizers). */
#ifndef BSC_FAULT_H
#define BSC_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#define FAULT_FILE "/run/bascule/fault"

/* Every point, and how a test gets there: `when` is the occasion (lab_points.py). */
struct fault_name {
    const char *name, *program, *when;
};
extern const struct fault_name fault_names[];
extern const size_t fault_nnames;

bool fault_known(const char *name);
bool fault_action_known(const char *name);
bool fault_built_in(void); /* the programs of this build have the points */

#ifdef BSC_FAULT_POINTS
void fault_point(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define FAULT_POINT(...) fault_point(__VA_ARGS__)
#else
#define FAULT_POINT(...) ((void)0)
#endif

#endif
