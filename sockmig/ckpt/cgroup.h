/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cgroup.h - the control group of a process, in the hierarchy of cgroup2, which need
 * not be mounted anywhere. Source: Documentation/admin-guide/cgroup-v2.rst,
 * cgroup_namespaces(7). */
#ifndef BSC_CGROUP_H
#define BSC_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* cgroup_root - the root of the hierarchy, to be closed by the caller; -1: none. */
int cgroup_root(void);

/* cgroup_of - the path of the group of @pid (0: the caller) below the root, from "/"
 * on. False: there is no cgroup2, or the group is out of reach or its path too long. */
bool cgroup_of(pid_t pid, char *path, size_t size);

/* cgroup_put - @pid is in the group whose folder is @group from now on.  0 or -errno.
 */
int cgroup_put(int group, pid_t pid);

/* cgroup_join - @pid, of the caller's pid namespace, is in group @path from now on.
 * 0, also if it was; -ENOENT: there is no such group; -EOPNOTSUPP: no cgroup2 that this
 * program may use; other -errno of the kernel. */
int cgroup_join(const char *path, pid_t pid);

#endif
