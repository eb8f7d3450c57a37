/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * freezer.h - a control group in which processes are held, whoever traces them or does
 * not any more, and from which all of them are let go by one write.
 *
 * It is a child of the caller's group in the hierarchy of cgroup2, which need not be
 * mounted anywhere, and is there only while it is needed.
 * Source: Documentation/admin-guide/cgroup-v2.rst, cgroup.freeze and cgroup.kill. */
#ifndef BSC_FREEZER_H
#define BSC_FREEZER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FREEZER_PATH 512

struct freezer {
    int home, group; /* owned: folders of the caller's group and of this one; -1 */
    char name[48];
    char path[FREEZER_PATH]; /* of the caller's group */
};

/* freezer_make - an empty group with a name of @id (16 bytes).  0; -EOPNOTSUPP: there
 * is no cgroup2 that this program may use; other -errno. freezer_open - one that
 * somebody else made in @path. freezer_close - forget it; it stays. */
int freezer_make(struct freezer *f, const uint8_t *id);
int freezer_open(struct freezer *f, const uint8_t *id, const char *path);
void freezer_close(struct freezer *f);

/* freezer_put - @pid and what it will give birth to are in it from now on. */
int freezer_put(const struct freezer *f, pid_t pid);

/* freezer_hold - none of them will execute an instruction of its own; one that is
 * stopped for a tracer will not when that lets it go.  freezer_release - all run. */
int freezer_hold(const struct freezer *f);
int freezer_release(const struct freezer *f);

/* freezer_each - @visit every process in it. */
void freezer_each(
    const struct freezer *f, void (*visit)(pid_t pid, void *arg), void *arg);

/* freezer_end - the group goes: its processes are back in the caller's.
 * freezer_kill - with its processes; waits for their end, 5 s at most. */
void freezer_end(struct freezer *f);
void freezer_kill(struct freezer *f);

#endif
