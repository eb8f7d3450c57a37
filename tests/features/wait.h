/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wait.h - threads of a feature, and waiting for them. */
#ifndef BSC_FEATURES_WAIT_H
#define BSC_FEATURES_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>

void nap(long ms); /* all of it, whatever signals come */

/* grows - true once @v has passed @from, within 5 s. */
bool grows(atomic_long *v, long from);

/* start_thread - detached. */
bool start_thread(void *(*run)(void *), void *arg);

/* count_open - pipes and sockets that this process has open. */
unsigned count_open(void);

#endif
