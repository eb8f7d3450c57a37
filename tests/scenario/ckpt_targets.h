/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_targets.h - the programs that ckpt_loop takes checkpoints of: how to start them,
 * give them work, and tell whether they are well. */
#ifndef BSC_CKPT_TARGETS_H
#define BSC_CKPT_TARGETS_H

#include <stdbool.h>
#include <sys/types.h>

struct app {
    const char *name;
    bool redis;
    const char
        *argument; /* for ckpt_app; load, save, connections that rest for redis */
};

struct app_state {
    pid_t pid, load; /* load: a program that keeps it busy; 0: none */
    char log[64];
    long count; /* from its log when last looked at */
};

/* apps_prepare - into a network namespace of our own.  False: not root. */
bool apps_prepare(void);
const struct app *app_find(const char *name);

/* app_start - 0, or 77: its program is not installed; 1: it does not start. */
int app_start(const struct app *app, struct app_state *st);

/* app_halfway - something happens in the middle of the checkpoints (BGSAVE). */
void app_halfway(const struct app *app, struct app_state *st);
bool app_lives(const struct app *app, struct app_state *st);
int app_check(const struct app *app, struct app_state *st); /* 0: it works, no errors */
void app_stop(const struct app *app, struct app_state *st);

#endif
