/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ending.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/* linux/pidfd.h, of a newer kernel than its headers may be. */
struct kernel_pidfd_info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};
#define KERNEL_PIDFD_INFO_EXIT (1ull << 3)
#define KERNEL_PIDFD_GET_INFO _IOWR(0xff, 11, struct kernel_pidfd_info)

/* Nobody has waited for it: the last number of its line is the status of wait(2). */
static bool
status_of_zombie(pid_t pid, int *status)
{
    char path[32], line[1024], *end, *last;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    end = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    if (!end || strncmp(end, ") Z ", 4) != 0 || !(last = strrchr(end, ' ')))
        return false;
    *status = atoi(last);
    return true;
}

static bool
status_of_gone(int pidfd, int *status)
{
    struct kernel_pidfd_info info = { .mask = KERNEL_PIDFD_INFO_EXIT };

    if (ioctl(pidfd, KERNEL_PIDFD_GET_INFO, &info) < 0 ||
        !(info.mask & KERNEL_PIDFD_INFO_EXIT))
        return false;
    *status = info.exit_code;
    return true;
}

static const char *
signal_name(int number)
{
    const char *name = sigabbrev_np(number);

    return name ? name : "RT";
}

void
ending_text(pid_t pid, int pidfd, char text[ENDING_TEXT])
{
    int status;

    text[0] = '\0';
    if (!status_of_zombie(pid, &status) && !status_of_gone(pidfd, &status))
        return;
    if (WIFSIGNALED(status))
        snprintf(text, ENDING_TEXT, " by signal %d (SIG%s)", WTERMSIG(status),
            signal_name(WTERMSIG(status)));
    else
        snprintf(text, ENDING_TEXT, " with status %d", WEXITSTATUS(status));
}
