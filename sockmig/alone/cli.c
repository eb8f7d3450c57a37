/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cli.c - what the commands say and how they read their arguments. */
#include "sockmig/alone/alone.h"

#include "lib/cmdline.h"
#include "lib/jv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
alone_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cmdline_error("sockmig", fmt, ap);
    va_end(ap);
}

void
alone_refusals(const struct refusals *why)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++) {
        const struct refusal *r = &why->v[i];
        char fd[32] = "";

        if (r->fd >= 0)
            snprintf(fd, sizeof fd, " descriptor %d", r->fd);
        alone_error("process %d%s: %s; cure: %s", r->pid, fd, r->what, r->cure);
    }
    if (why->n > REFUSALS_MAX)
        alone_error("and %u more: see sockmig inspect", why->n - REFUSALS_MAX);
}

int
alone_nobody(pid_t pid, int ret)
{
    alone_error("process %d: %s; %s", (int)pid, strerror(-ret),
        ret == -ESRCH ? "see `pgrep NAME` for its number"
                      : "call this as root, and end the debugger that holds it, if "
                        "TracerPid in /proc/PID/status names one");
    return ALONE_NOBODY;
}

bool
alone_given(int argc, char **argv, int first, const char *names)
{
    int at = first;

    while (*names) {
        int n = (int)strcspn(names, " ");

        if (at == argc) {
            alone_error("%.*s is missing", n, names);
            return false;
        }
        at++;
        names += n + (names[n] == ' ');
    }
    if (at < argc)
        alone_error("%s: one argument too many", argv[at]);
    return at == argc;
}

static bool
is_number(const char *text, unsigned long min, unsigned long max, unsigned *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    *out = (unsigned)n;
    return *text >= '0' && *text <= '9' && !*end && n >= min && n <= max;
}

bool
alone_number(const char *text, unsigned long min, unsigned long max, unsigned *out)
{
    if (is_number(text, min, max, out))
        return true;
    alone_error("%s: not a number from %lu to %lu", text, min, max);
    return false;
}

bool
alone_process(const char *text, pid_t *pid)
{
    unsigned n;

    if (!is_number(text, 1, 4194304, &n)) {
        alone_error("%s: not a process id: \"ps -e\" lists them", text);
        return false;
    }
    *pid = (pid_t)n;
    return true;
}

void
alone_print(struct jv *taken)
{
    char *text = jv_text(taken, true);

    if (text)
        puts(text);
    free(text);
    jv_free(taken);
}
