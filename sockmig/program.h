/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * program.h - BPF programs for tc, loaded from an object embedded in this program.
 *
 * Nothing is pinned.  What is attached stays with its device when this process dies. */
#ifndef BSC_PROGRAM_H
#define BSC_PROGRAM_H

#include <stddef.h>

struct program;

enum program_side { PROGRAM_INGRESS = 1, PROGRAM_EGRESS = 2 };

/* program_load - @object of @size bytes (borrowed for the call, aligned to 8) into the
 * kernel.
 *
 * 0 and *out, or -errno; -ESRCH: it calls a function that this kernel has not. */
int program_load(
    const char *name, const void *object, size_t size, struct program **out);

/* program_free - closes the programs and maps; what is attached stays.  NULL is
 * legal. */
void program_free(struct program *p);

/* program_attach - run @function for every packet of device @ifindex, in the calling
 * thread's network namespace.  0 or -errno. */
int program_attach(
    const struct program *p, int ifindex, enum program_side side, const char *function);

/* program_detach_all - from both sides of a device, in the calling thread's namespace,
 * whoever attached them. */
void program_detach_all(int ifindex);

/* program_map - descriptor of a map, owned by @p; or -ENOENT. */
int program_map(const struct program *p, const char *name);

/* program_cpus - entries that a per-CPU map gives at a look-up. */
int program_cpus(void);

#endif
