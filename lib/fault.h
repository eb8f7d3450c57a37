/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fault.h - named points at which a test can end a process (configure
 * --enable-fault-points; otherwise they are nothing).
 *
 * A test writes the name of a point to FAULT_FILE.  The first process that comes to
 * that point removes the file and is killed there, as by a crash. */
#ifndef BSC_FAULT_H
#define BSC_FAULT_H

#define FAULT_FILE "/run/bascule/fault"

#ifdef BSC_FAULT_POINTS
void fault_point(const char *name);
#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

#endif
