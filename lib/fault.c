/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/fault.h"

#ifdef BSC_FAULT_POINTS

#include "lib/fd.h"
#include "lib/log.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

void
fault_point(const char *name)
{
    char text[64];
    ssize_t n = file_read(FAULT_FILE, text, sizeof text);

    if (n <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (strcmp(text, name) != 0 || unlink(FAULT_FILE) < 0)
        return;
    log_warn("fault point %s: killed here by a test", name);
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

#endif
