/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * notice.h - a change worth waking somebody for, and the objects its notification
 * carries.  Pure. */
#ifndef BSC_AGENT_NOTICE_H
#define BSC_AGENT_NOTICE_H

#include "agent/core/snapshot.h"

enum notice_kind { /* the notifications of BASCULE-CLUSTER-MIB, from 1 */
    NOTICE_SERVICE = 1,
    NOTICE_NODE,
    NOTICE_TAKEOVER_STARTED,
    NOTICE_TAKEOVER_FINISHED,
    NOTICE_SWITCHOVER_STARTED,
    NOTICE_SWITCHOVER_FINISHED,
    NOTICE_HEALTH,
    NOTICE_PROBE,
    NOTICE_EVENT
};

struct notice {
    enum notice_kind kind;
    uint32_t number;    /* from 1 */
    struct mib_row row; /* index of the service, node, probe or event */
    char name[SNAP_NAME];
    int64_t before, after; /* states */
    int64_t severity;      /* BasculeSeverity */
    uint32_t event;        /* serial number, 0: none */
    char active[SNAP_NAME];
    char text[SNAP_TEXT]; /* of NOTICE_HEALTH, NOTICE_PROBE, NOTICE_EVENT */
    char word[SNAP_WORD]; /* kind of NOTICE_EVENT */
    int64_t epoch;        /* 0 if not known */
};

struct notice_object {
    uint32_t oid[MIB_OID_MAX], noid; /* below the root */
    enum mib_type type;              /* MIB_TEXT, MIB_INTEGER or MIB_UNSIGNED */
    int64_t number;
    const char *text; /* MIB_TEXT: borrowed from the notice or from the caller */
};

#define NOTICE_OBJECTS 10

/* notice_objects - what the notification of @notice, of node @node, carries, in the
 * order of the module; @kind: out, its own identifier below the root.  Their number,
 * up to NOTICE_OBJECTS. */
unsigned notice_objects(const struct notice *notice, const char *node, uint32_t kind[4],
    struct notice_object out[NOTICE_OBJECTS]);

#endif
