/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * alone.h - the commands of sockmig(8): each takes its own arguments and returns what
 * the program exits with. */
#ifndef BSC_ALONE_H
#define BSC_ALONE_H

#include "sockmig/refusal.h"

#include <stdbool.h>
#include <sys/types.h>

struct jv;

#define ALONE_SECRET BSC_SYSCONFDIR "/bascule/secret"

enum {
    ALONE_DONE = 0,
    ALONE_FAILED = 1,
    ALONE_USAGE = 2,
    ALONE_NOBODY = 3, /* no such process, or it may not be looked at */
    ALONE_REFUSED = 4 /* something in it cannot be moved */
};

int alone_inspect(int argc, char **argv);
int alone_dump(int argc, char **argv);
int alone_restore(int argc, char **argv);
int alone_move(int argc, char **argv);
int alone_run(int argc, char **argv);
int alone_receive(int argc, char **argv);
int alone_rebind(int argc, char **argv);
int alone_show(int argc, char **argv);

/* alone_error - one line to standard error.  alone_usage: how @command is called. */
void alone_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int alone_usage(const char *command);

/* alone_nobody - process @pid is not there (@ret -ESRCH) or may not be looked at:
 * ALONE_NOBODY. */
int alone_nobody(pid_t pid, int ret);

/* alone_refusals - each with its process, descriptor and cure, to standard error. */
void alone_refusals(const struct refusals *why);

/* alone_given - are the arguments of @argv from @first on just those that @names has
 * ("PID DIR")?  alone_process: @text as a process id.  alone_number: as a number from
 * @min to @max.  False: it has been said what is wrong. */
bool alone_given(int argc, char **argv, int first, const char *names);
bool alone_process(const char *text, pid_t *pid);
bool alone_number(
    const char *text, unsigned long min, unsigned long max, unsigned *out);

/* alone_print - @taken as JSON on standard output. */
void alone_print(struct jv *taken);

#endif
