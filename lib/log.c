/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *program_name = "bascule";
static enum log_level shown = LOG_LEVEL_INFO;

void
log_init(const char *program, enum log_level level)
{
    program_name = program;
    shown = level;
}

/* One write per line: lines of several processes in one file stay whole. */
static void __attribute__((format(printf, 2, 0)))
vlog(enum log_level level, const char *fmt, va_list ap)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    char line[1024];
    struct timespec ts;
    struct tm tm;
    int saved = errno, n, m;

    if (level > shown)
        return;
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    n = snprintf(line, sizeof line, "%02d:%02d:%02d.%06ld %s[%d] %s: ", tm.tm_hour,
        tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000, program_name, (int)getpid(),
        names[level]);
    m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    if (m > 0)
        n += m < (int)sizeof line - n - 1 ? m : (int)sizeof line - n - 2;
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0) {
        /* nowhere left to say so */
    }
    errno = saved;
}

#define DEFINE_LOG(name, level)                                                        \
    void name(const char *fmt, ...)                                                    \
    {                                                                                  \
        va_list ap;                                                                    \
                                                                                       \
        va_start(ap, fmt);                                                             \
        vlog(level, fmt, ap);                                                          \
        va_end(ap);                                                                    \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

void
log_fatal(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vlog(LOG_LEVEL_ERROR, fmt, ap);
    va_end(ap);
    exit(1);
}
