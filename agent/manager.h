/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manager.h - the reading side of SNMP: asynchronous SNMPv3 GETs (net-snmp behind it,
 * see manager.c).
 *
 * Nobody waits for anybody: the engine identifiers of the nodes are known beforehand
 * (net-snmp would ask for an unknown one synchronously), and a request that is not
 * answered in time ends by itself. */
#ifndef BSC_AGENT_MANAGER_H
#define BSC_AGENT_MANAGER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANAGER_MAX_FDS 64
#define MANAGER_MAX_OBJECTS 72 /* of one request */
#define MANAGER_TEXT 256

enum manager_type {
    MANAGER_NUMBER,
    MANAGER_BYTES,
    MANAGER_NO_INSTANCE,
    MANAGER_NO_OBJECT
};

struct manager_value {
    enum manager_type type;
    int64_t number;
    char text[MANAGER_TEXT]; /* of MANAGER_BYTES, with a NUL */
};

struct manager_session;

/* manager_init - once in a process: the user of all sessions, authentication SHA-256,
 * encryption AES-128, both keys from @phrase (8 bytes at least). False: it is too
 * short. */
bool manager_init(const char *user, const char *phrase);
void manager_fini(void);

/* manager_open - @peer as in bascule.conf, "udp:ADDRESS:PORT"; @node: the name its
 * engine identifier is made of.  NULL: the address cannot be used. */
struct manager_session *manager_open(const char *peer, const char *node);
void manager_close(struct manager_session *session);

struct manager_oid {
    uint32_t part[80];
    unsigned n;
};

/* manager_get - ask for the objects @oids, below the root of the product.
 * False: it could not be sent; @reply is not called.
 *
 * @reply  called once, at the end of the request.  Its @why is NULL if it was answered,
 *         else what went wrong, for the operator; @values (borrowed for the call) are
 *         in the order asked for */
bool manager_get(struct manager_session *session, const struct manager_oid *oids,
    unsigned n,
    void (*reply)(const char *why, const struct manager_value *values, unsigned nvalues,
        void *arg),
    void *arg);

/* manager_timeout - of an attempt, in ms; there are two.  Set before manager_open(). */
void manager_timeout(unsigned ms);

unsigned manager_poll(struct pollfd *fds, int *timeout_ms); /* as agentx_poll() */
void manager_turn(const struct pollfd *fds, unsigned n);

#endif
