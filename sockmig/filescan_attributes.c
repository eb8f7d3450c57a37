/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_attributes.c - what a file has besides its content, and is not kept. */
#include "sockmig/filescan_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

int
scan_refuse(const struct filescan *s, unsigned root, const char *path,
    struct refusals *why, const char *cure, const char *what)
{
    refuse(why, 0, -1, cure, "state folder: %.90s/%.60s: %s", s->conf.roots[root], path,
        what);
    return -EOPNOTSUPP;
}

/* The label that SELinux gives is the standby's own to give. */
static bool
is_standbys_own(const char *attribute)
{
    return strcmp(attribute, "security.selinux") == 0;
}

int
scan_bare(const struct filescan *s, const struct files_entry *e, struct refusals *why)
{
    char path[64 + FILES_PATH], names[2048], what[96];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", s->fds[e->root], e->path);
    n = llistxattr(path, names, sizeof names);
    if (n < 0 && errno != ERANGE)
        return errno == ENOENT || errno == EOPNOTSUPP ? 0 : -errno;
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
        if (is_standbys_own(names + i))
            continue;
        snprintf(what, sizeof what, "attribute %.40s is not kept", names + i);
        return scan_refuse(s, e->root, e->path, why,
            strncmp(names + i, "system.posix_acl", 16) == 0
                ? "take the access control list away: setfacl -b"
                : "take it away: setfattr -x",
            what);
    }
    return n < 0 ? scan_refuse(s, e->root, e->path, why, "take them away: setfattr -x",
                       "it has many extended attributes, none is kept")
                 : 0;
}
