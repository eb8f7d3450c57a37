/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * desk.h - where orders are given by SET: what is right, what is refused, and why.
 *
 * The SNMP engine asks three times: is each binding well-formed (desk_syntax), can the
 * whole message be done now (desk_check), do it (desk_take; desk_undo takes it back).
 * Only then the shell forwards the order; its answer comes with desk_answered().
 *
 * An order is given in one of two places: in the scalars, guarded by a lock, or as a
 * new row whose first index is the user.  One message holds one order.  Pure. */
#ifndef BSC_AGENT_DESK_H
#define BSC_AGENT_DESK_H

#include "agent/core/snapshot.h"

#define DESK_PENDING 8 /* orders that may wait for an answer at one time */

enum set_error {
    SET_OK,
    SET_NO_CREATION,        /* there is no such instance */
    SET_NOT_WRITABLE,       /* there is, but it is read-only */
    SET_WRONG_TYPE,         /* ASN.1 type */
    SET_WRONG_LENGTH,       /* a name is too long */
    SET_WRONG_VALUE,        /* never allowed */
    SET_INCONSISTENT_VALUE, /* not allowed now: stale lock, unknown service or node */
    SET_INCONSISTENT_NAME,  /* a row is not made without its status */
    SET_UNAVAILABLE,        /* no supervisor, or too many orders not answered yet */
};

enum desk_field {
    DESK_LOCK,
    DESK_KIND,
    DESK_SERVICE,
    DESK_NODE,
    DESK_VALUE,
    DESK_ENABLE,
    DESK_ROW_KIND,
    DESK_ROW_SERVICE,
    DESK_ROW_NODE,
    DESK_ROW_VALUE,
    DESK_ROW_STATUS,
    DESK_N
};

enum row_status { ROW_ACTIVE = 1, ROW_CREATE_AND_GO = 4, ROW_DESTROY = 6 };

struct desk_binding {
    const uint32_t *oid; /* borrowed, below the root */
    uint32_t noid;
    bool is_text;   /* OCTET STRING: text, size */
    bool is_number; /* INTEGER: number */
    int64_t number;
    const char *text; /* borrowed, no NUL */
    uint32_t size;
};

struct desk_order { /* what is asked for */
    int64_t kind;
    char service[SNAP_NAME], node[SNAP_NAME], value[SNAP_WORD];
};

struct desk_request { /* one SET message */
    bool has[DESK_N];
    uint32_t at[DESK_N]; /* number of the binding */
    int64_t lock, enable, status;
    struct desk_order order;
    bool is_row; /* it names a row of the table: its index */
    uint32_t index[MIB_INDEX_MAX], nindex;
};

struct desk_given {                        /* an order that was given here */
    uint32_t index[MIB_INDEX_MAX], nindex; /* 0: the scalars, or a free place */
    uint32_t serial;                       /* tells one order from the next; 0: free */
    struct desk_order order;
    enum order_outcome outcome;
    int64_t number, asked_us, time_ms;
    char reason[SNAP_TEXT];
};

struct desk {
    int64_t lock;
    bool enable;               /* notifications */
    uint32_t orders;           /* taken so far */
    struct desk_given scalars; /* the last one given by them */
    struct desk_given rows[SNAP_REQUESTS];
};

/* desk_init - @seed: anything; the lock must not start where it did last time. */
void desk_init(struct desk *d, uint32_t seed);

/* desk_syntax - add binding number @at to @r (zeroed before the first). */
enum set_error desk_syntax(const struct snapshot *s, const struct desk_binding *b,
    uint32_t at, struct desk_request *r);

/* desk_check - may @r be done now?  @at is the number of the binding to blame. */
enum set_error desk_check(const struct desk *d, const struct snapshot *s,
    const struct desk_request *r, uint32_t *at);

/* desk_take - do @r, which was checked, at @now_us (monotonic) and @time_ms (since
 * 1970).  The order to forward, within @d; NULL: there is none. */
const struct desk_given *desk_take(
    struct desk *d, const struct desk_request *r, int64_t now_us, int64_t time_ms);

/* desk_given - the order with this serial, which was just taken. */
const struct desk_given *desk_given(const struct desk *d, uint32_t serial);

/* desk_owner - who gave it, as access control guarantees it; @size bytes, empty for
 * the scalars. */
void desk_owner(const struct desk_given *given, char *out, size_t size);

/* desk_answered - the supervisor's answer to order @serial: accepted under @number, or
 * refused because of @reason.  Nothing if nobody waits for it. */
void desk_answered(
    struct desk *d, uint32_t serial, bool accepted, int64_t number, const char *reason);

/* desk_give_up - orders asked for before @before_us will not be answered any more.
 * True: there were some. */
bool desk_give_up(struct desk *d, int64_t before_us, const char *reason);

/* desk_show - write the rows. */
void desk_show(const struct desk *d, struct snapshot *s);

#endif
