/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree_describe.c - what /proc tells of a process and its kin. */
#include "sockmig/ckpt/tree.h"

#include "lib/fd.h"
#include "sockmig/ckpt/proctext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 16384
#define EXIT_SIGNAL_FIELD 38 /* of /proc/PID/stat, proc_pid_stat(5) */
#define EXIT_CODE_FIELD 52

/* The last number of a line like "NSpgid:\t7\t3". */
static int
last_number(const char *status, const char *name)
{
    const char *at = proctext_field(status, name);
    uint64_t v = 0;

    while (at && number_at(&at, 10, &v))
        at += strspn(at, " \t");
    return (int)v;
}

static long
stat_field(const char *stat, int field)
{
    const char *at = strrchr(stat, ')');

    for (int i = 2; at && i < field; i++)
        at = strchr(at + 1, ' ');
    return at ? strtol(at + 1, NULL, 10) : 0;
}

bool
tree_describe(pid_t pid, struct family_member *info)
{
    char path[64], text[TEXT_SIZE];
    const char *at;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, text, sizeof text) < 0)
        return false;
    info->pid = last_number(text, "NSpid:");
    info->pgid = last_number(text, "NSpgid:");
    info->sid = last_number(text, "NSsid:");
    at = proctext_field(text, "State:");
    info->flags = at && (*at == 'Z' || *at == 'X') ? FAMILY_ZOMBIE : 0;
    if (at && *at == 'T')
        info->flags |= FAMILY_JOB_STOPPED;
    at = proctext_field(text, "Name:");
    memset(info->name, 0, sizeof info->name);
    if (at)
        memcpy(info->name, at, strcspn(at, "\n") < 15 ? strcspn(at, "\n") : 15);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, text, sizeof text) < 0)
        return false;
    info->exit_signal = (int32_t)stat_field(text, EXIT_SIGNAL_FIELD);
    info->status = (int32_t)stat_field(text, EXIT_CODE_FIELD);
    return info->pid > 0;
}
