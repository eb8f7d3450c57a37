/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kinds[] = { "net", "mnt", "ipc", "uts", "user", "cgroup",
    "pid" };

static ino_t
namespace_of(const char *task, const char *kind)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%s/ns/%s", task, kind);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* The kind in which they differ, or NULL. */
static const char *
difference(const char *task, const char *other)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        ino_t a = namespace_of(task, kinds[i]), b = namespace_of(other, kinds[i]);

        if (a && b && a != b)
            return kinds[i];
    }
    return NULL;
}

bool
place_same(const char *task, const char *other)
{
    return !difference(task, other);
}

bool
place_own_ipc(pid_t pid)
{
    char task[16];

    snprintf(task, sizeof task, "%d", (int)pid);
    return namespace_of(task, "ipc") != namespace_of("self", "ipc");
}

int
place_check(pid_t pid, int cell_pid, pid_t parent, struct refusals *why)
{
    char task[16], other[16];
    const char *kind;

    snprintf(task, sizeof task, "%d", (int)pid);
    snprintf(other, sizeof other, "%d", (int)parent);
    kind = parent > 0 ? difference(task, other) : NULL;
    if (kind) {
        refuse(why, cell_pid, -1, "configure the service without sandboxing of its own",
            "process made itself a namespace (%s)", kind);
        return -EOPNOTSUPP;
    }
    return 0;
}

/* Files are told by their names as the engine sees them, but for a process in another
 * mount namespace, whose root folder is the beginning of them. */
void
place_path(pid_t pid, const char *name, char *path, size_t size)
{
    char link[32], root[2];

    snprintf(link, sizeof link, "/proc/%d/root", (int)pid);
    if (readlink(link, root, sizeof root) == 1 && root[0] == '/')
        snprintf(path, size, "%s%s", link, name);
    else
        snprintf(path, size, "%s", name);
}
