/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agentx.h - the SNMP side: an AgentX subagent over a snapshot (net-snmp behind it,
 * see agentx.c).
 *
 * Opening, registering and the keep-alive of the session are synchronous inside
 * net-snmp: agentx_turn() blocks while snmpd hangs.  Nothing in failure detection may
 * wait for this process. */
#ifndef BSC_AGENT_AGENTX_H
#define BSC_AGENT_AGENTX_H

#include "agent/core/desk.h"
#include "agent/core/notify.h"
#include "lib/core/mono.h"

#include <poll.h>

#define AGENTX_MAX_FDS 64

struct agentx_owner { /* what a SET asks for, in this order */
    enum set_error (*check)(const struct desk_request *r, uint32_t *at, void *arg);
    /* a SET that is answered with @error; @at: which of its bindings */
    void (*refused)(
        const struct desk_request *r, enum set_error error, uint32_t at, void *arg);
    void (*take)(const struct desk_request *r, void *arg);
    void (*undo)(void *arg);   /* after take */
    void (*commit)(void *arg); /* after take; cannot fail */
    struct mono (*clock)(void);
    void *arg;
};

/* agentx_init - once in a process.  @socket: of the master, "unix:PATH" or NULL for
 * net-snmp's own (/var/agentx/master).  Goes on trying while no master is there. */
void agentx_init(const char *socket, const struct agentx_owner *owner);
void agentx_fini(void);

/* agentx_show - serve @snap (borrowed until the next call). */
void agentx_show(const struct snapshot *snap);

/* agentx_poll - the descriptors to wait for, up to AGENTX_MAX_FDS, as of now: they
 * change behind the caller's back.  @timeout_ms: lowered to what the library needs.
 * The number of descriptors. */
unsigned agentx_poll(struct pollfd *fds, int *timeout_ms);

void agentx_turn(const struct pollfd *fds, unsigned n);

bool agentx_connected(void); /* to a master */
void agentx_notify(const struct notice *notice);

#endif
