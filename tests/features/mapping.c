/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/mapping.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void *
mapping_new(size_t pages, int prot, int flags)
{
    return mmap(NULL, pages * PAGE, prot, MAP_ANONYMOUS | flags, -1, 0);
}

/* The kernel reads it for us. */
bool
mapping_readable(const void *at)
{
    int fd[2];
    bool ok;

    if (pipe2(fd, O_CLOEXEC) < 0)
        return false;
    ok = write(fd[1], at, 1) == 1;
    close(fd[0]);
    close(fd[1]);
    return ok;
}

bool
mapping_has(const void *at, const char *flag)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512], want[8];
    bool inside = false, has = false;
    unsigned long start, end;

    snprintf(want, sizeof want, " %s", flag);
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (uintptr_t)at >= start && (uintptr_t)at < end;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            has = strstr(line, want) != NULL;
    }
    if (f)
        fclose(f);
    return has;
}
