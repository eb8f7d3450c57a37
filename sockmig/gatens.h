/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gatens.h - network namespaces without a name: a descriptor holds one, and it ends
 * with its last holder.
 *
 * Namespaces belong to threads: these change the calling thread's only. */
#ifndef BSC_GATENS_H
#define BSC_GATENS_H

/* gatens_self - the calling thread's.  gatens_new - a fresh one; the thread stays where
 * it is.
 * 0 and *fd (close-on-exec, the caller closes it), or -errno. */
int gatens_self(int *fd);
int gatens_new(int *fd);

/* gatens_enter - go into @netns; *back leads out again.  0 or -errno (nothing changed).
 * gatens_leave - go back and close @back.  Ends the program if that is impossible: a
 * thread in the wrong namespace must not run on. */
int gatens_enter(int netns, int *back);
void gatens_leave(int back);

/* gatens_sysctl - write @value to net/@name as the calling thread's namespace has it.
 * 0 or -errno (-ENOENT: this kernel has no such setting). */
int gatens_sysctl(const char *name, const char *value);

#endif
