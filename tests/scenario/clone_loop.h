/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clone_loop.h - the services that clone_loop moves. */
#ifndef BSC_TEST_CLONE_LOOP_H
#define BSC_TEST_CLONE_LOOP_H

#include "tests/scenario/netlab.h"

struct service {
    const char *name;
    char *const *command;
    bool has_clients;

    /* It runs and is ready; it went on since the last call without any error. */
    bool (*begin)(const struct netlab *lab, const char *log);
    bool (*goes_on)(const struct netlab *lab, const char *log);
    void (*moves)(const char *log); /* what it did up to now is no sign of life; NULL */
    bool (*disturb)(void);          /* has it make a child; NULL: nothing to do */
    void (*end)(void);              /* of its clients; NULL: none */
};

const struct service *service_selfcheck(const char *program);
const struct service *service_redis(void); /* NULL: not installed */

#endif
