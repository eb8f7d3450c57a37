/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * log.h - one line per fact, to standard error, with time and level.
 *
 * Subject first, names not numbers: log_info("service redis: standby -> active:
 * order of epoch 4").  error: the operator must act; warn: may have to; info: a
 * state changed; debug: the rest.  errno is kept by every call. */
#ifndef BSC_LOG_H
#define BSC_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* log_init - @program (static string) starts each line; shows up to @level. */
void log_init(const char *program, enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* log_fatal - as log_error, then exit(1). */
void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
