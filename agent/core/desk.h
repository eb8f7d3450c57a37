/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * desk.h - where orders are given by SET: what is right, what is refused, and why.
 *
 * The SNMP engine asks three times: is each binding well-formed (desk_syntax), can the
 * whole message be done now (desk_check), do it (desk_take; desk_undo takes it back).
 * Only then the shell forwards the order; its answer comes with desk_answered().
 * Pure. */
#ifndef BSC_AGENT_DESK_H
#define BSC_AGENT_DESK_H

#include "agent/core/snapshot.h"

enum set_error {
    SET_OK,
    SET_NO_CREATION,        /* there is no such instance */
    SET_NOT_WRITABLE,       /* there is, but it is read-only */
    SET_WRONG_TYPE,         /* ASN.1 type */
    SET_WRONG_LENGTH,       /* a name is too long */
    SET_WRONG_VALUE,        /* never allowed */
    SET_INCONSISTENT_VALUE, /* not allowed now: stale lock, unknown service or node */
    SET_UNAVAILABLE,        /* no supervisor, or an earlier order is not answered yet */
};

enum desk_field { DESK_LOCK, DESK_KIND, DESK_SERVICE, DESK_NODE, DESK_ENABLE, DESK_N };

struct desk_binding {
    const uint32_t *oid; /* borrowed, below the root */
    uint32_t noid;
    bool is_text;   /* OCTET STRING: text, size */
    bool is_number; /* INTEGER: number */
    int64_t number;
    const char *text; /* borrowed, no NUL */
    uint32_t size;
};

struct desk_request { /* one SET message */
    bool has[DESK_N];
    uint32_t at[DESK_N]; /* number of the binding */
    int64_t lock, kind, enable;
    char service[SNAP_NAME], node[SNAP_NAME];
};

struct desk {
    int64_t lock, kind, number;
    bool enable; /* notifications */
    enum order_outcome outcome;
    char service[SNAP_NAME], node[SNAP_NAME], reason[SNAP_TEXT];
    int64_t asked_us; /* when the order that is pending was taken */
    uint32_t orders;  /* taken so far: tells one pending order from the next */
};

/* desk_init - @seed: anything; the lock must not start where it did last time. */
void desk_init(struct desk *d, uint32_t seed);

/* desk_syntax - add binding number @at to @r (zeroed before the first). */
enum set_error desk_syntax(const struct snapshot *s, const struct desk_binding *b,
    uint32_t at, struct desk_request *r);

/* desk_check - may @r be done now?  @at is the number of the binding to blame. */
enum set_error desk_check(const struct desk *d, const struct snapshot *s,
    const struct desk_request *r, uint32_t *at);

/* desk_take - do @r, which was checked.  True: there is an order to forward. */
bool desk_take(struct desk *d, const struct desk_request *r, int64_t now_us);

/* desk_answered - the supervisor's answer to the pending order: accepted under
 * @number, or refused because of @reason. */
void desk_answered(struct desk *d, bool accepted, int64_t number, const char *reason);

/* desk_give_up - the pending order, if any, will not be answered any more. */
void desk_give_up(struct desk *d, const char *reason);

/* desk_show - write the rows of the scalars. */
void desk_show(const struct desk *d, struct snapshot *s);

#endif
