/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * program.h - BPF programs, loaded from an object embedded in this
 * program.
 *
 * Nothing is pinned.  What is attached stays with its device when this process dies. */
#ifndef BSC_PROGRAM_H
#define BSC_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct program;

enum program_side { PROGRAM_INGRESS = 1, PROGRAM_EGRESS = 2 };

/* program_load - @object of @size bytes (borrowed for the call, aligned to 8) into the
 * kernel.  A function in SEC("?...") is left out where this kernel has not what it
 * traces.
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

/* program_iterate_task - an iterator that runs @function over process @pid (of the
 * caller's pid namespace).  Its descriptor, for the caller to close, or -errno.
 * program_iteration - one run of it: a descriptor to read to its end; or -errno. */
int program_iterate_task(const struct program *p, const char *function, pid_t pid);
int program_iteration(int iterator);

/* program_function - descriptor of a function, owned by @p; or -ENOENT.
 * program_run - call one that waits for nothing else (SEC("syscall")).  0 or -errno. */
int program_function(const struct program *p, const char *name);
int program_run(int function);

/* program_trace_all - attach every function of it that is not called (program_run()) to
 * where its section says, until program_free().  0 or -errno. */
int program_trace_all(struct program *p);

/* Values of a map, by its descriptor; 0 or -errno.  program_take: it is gone from
 * there.  program_drop: so it is, unread. */
int program_store(int map, const void *key, const void *value);
int program_load_value(int map, const void *key, void *value);
int program_first_key(int map, void *key); /* -ENOENT: it is empty */
int program_take(int map, const void *key, void *value);
int program_drop(int map, const void *key);

/* program_detach_all - from both sides of a device, in the calling thread's namespace,
 * whoever attached them. */
void program_detach_all(int ifindex);

/* program_map - descriptor of a map, owned by @p; or -ENOENT. */
int program_map(const struct program *p, const char *name);

/* program_share - the first @size bytes of a map that can be mapped, in this process
 * and for as long as it lives, but in no child, which may become a service.  @writable:
 * it may write to them.  NULL: errno. */
void *program_share(
    const struct program *p, const char *name, size_t size, bool writable);

/* program_ring - a map that is a ring of rows; program_ring_read() calls @cb for each
 * that is new, without a system call.  0 and *out, for the caller to free before @p; or
 * -errno. */
struct program_ring;
int program_ring(const struct program *p, const char *map,
    void (*cb)(const void *row, size_t size, void *arg), void *arg,
    struct program_ring **out);
void program_ring_read(struct program_ring *r);
void program_ring_free(struct program_ring *r); /* NULL is legal */

/* program_cpus - entries that a per-CPU map gives at a look-up. */
int program_cpus(void);

#endif
