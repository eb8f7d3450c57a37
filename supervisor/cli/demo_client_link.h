/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo_client_link.h - the demo's client process, ordered about over a pair of pipes.
 */
#ifndef BSC_DEMO_CLIENT_LINK_H
#define BSC_DEMO_CLIENT_LINK_H

#include "lib/jv.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct demo_client {
    pid_t pid;
    int to;     /* owned; its standard input */
    FILE *from; /* owned; its reports */
};

#define DEMO_CLIENT_NONE ((struct demo_client){ 0, -1, NULL })

/* demo_client_start - on the host "client" of @lab; returns when it is connected.
 * False after a message. */
bool demo_client_start(struct demo_client *c, const char *self, const char *lab,
    const char *address, unsigned port, unsigned connections);

bool demo_client_mark(struct demo_client *c, const char *name);
struct jv *demo_client_report(struct demo_client *c); /* new value, or NULL */

/* demo_client_stop - its last report (new value, or NULL); the process is gone. */
struct jv *demo_client_stop(struct demo_client *c);

#endif
