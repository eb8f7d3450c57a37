/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/notice.h"

#include <string.h>

/* What only notifications carry: the arcs of basculeNotice. */
enum own {
    OWN_PREVIOUS_SERVICE = 1,
    OWN_PREVIOUS_NODE,
    OWN_NUMBER,
    OWN_SEVERITY,
    OWN_EVENT,
    OWN_PREVIOUS_HEALTH,
    OWN_SERVICE
};

struct list {
    struct notice_object *at; /* where the next one goes */
};

static void
put(struct list *l, enum mib_type type, int64_t number, const char *text)
{
    l->at->type = type;
    l->at->number = number;
    l->at->text = text;
    l->at++;
}

/* own - an object of basculeNotice. */
static void
own(struct list *l, enum own arc, enum mib_type type, int64_t number, const char *text)
{
    const uint32_t oid[] = { 1, 4, 1, 8, arc, 0 };

    memcpy(l->at->oid, oid, sizeof oid);
    l->at->noid = sizeof oid / sizeof oid[0];
    put(l, type, number, text);
}

/* column - of the row of @table with the index of @row. */
static void
column(struct list *l, enum snapshot_table table, uint32_t arc,
    const struct mib_row *row, enum mib_type type, int64_t number, const char *text)
{
    const struct mib_table *t = &snapshot_tables[table];
    uint32_t *oid = l->at->oid;

    memcpy(oid, t->path, t->npath * sizeof *oid);
    oid[t->npath] = arc;
    memcpy(oid + t->npath + 1, row->index, row->nindex * sizeof *oid);
    l->at->noid = t->npath + 1 + row->nindex;
    put(l, type, number, text);
}

static void
of_service(struct list *l, const struct notice *n)
{
    own(l, OWN_SERVICE, MIB_TEXT, 0, n->name);
    own(l, OWN_PREVIOUS_SERVICE, MIB_INTEGER, n->before, NULL);
    column(l, SNAP_SERVICE, 2, &n->row, MIB_INTEGER, n->after, NULL);
    column(l, SNAP_SERVICE, 5, &n->row, MIB_TEXT, 0, n->active);
    column(l, SNAP_SERVICE, 4, &n->row, MIB_UNSIGNED, n->epoch, NULL);
}

static void
of_node(struct list *l, const struct notice *n)
{
    own(l, OWN_PREVIOUS_NODE, MIB_INTEGER, n->before, NULL);
    column(l, SNAP_MEMBER, 3, &n->row, MIB_INTEGER, n->after, NULL);
    column(l, SNAP_MEMBER, 2, &n->row, MIB_TEXT, 0, n->name);
}

/* of_verdict - columns @health and the one behind it, its reason. */
static void
of_verdict(
    struct list *l, const struct notice *n, enum snapshot_table t, uint32_t health)
{
    own(l, OWN_PREVIOUS_HEALTH, MIB_INTEGER, n->before, NULL);
    column(l, t, health, &n->row, MIB_INTEGER, n->after, NULL);
    column(l, t, health + 1, &n->row, MIB_TEXT, 0, n->text);
}

static void
of_event(struct list *l, const struct notice *n)
{
    column(l, SNAP_EVENT, 4, &n->row, MIB_TEXT, 0, n->name);
    column(l, SNAP_EVENT, 7, &n->row, MIB_TEXT, 0, n->word);
    column(l, SNAP_EVENT, 8, &n->row, MIB_TEXT, 0, n->text);
}

unsigned
notice_objects(const struct notice *notice, const char *node, uint32_t kind[4],
    struct notice_object out[NOTICE_OBJECTS])
{
    static const struct mib_row scalar = { .index = { 0 }, .nindex = 1 };
    struct list l = { out };

    memcpy(kind, (const uint32_t[]){ 1, 4, 0, notice->kind }, 4 * sizeof *kind);
    column(&l, SNAP_NODE_SCALARS, 1, &scalar, MIB_TEXT, 0, node);
    own(&l, OWN_NUMBER, MIB_UNSIGNED, notice->number, NULL);
    own(&l, OWN_SEVERITY, MIB_INTEGER, notice->severity, NULL);
    own(&l, OWN_EVENT, MIB_UNSIGNED, notice->event, NULL);
    switch (notice->kind) {
    case NOTICE_NODE:
        of_node(&l, notice);
        break;
    case NOTICE_HEALTH:
        of_verdict(&l, notice, SNAP_NODE_SCALARS, 3);
        break;
    case NOTICE_PROBE:
        of_verdict(&l, notice, SNAP_PROBE, 5);
        break;
    case NOTICE_EVENT:
        of_event(&l, notice);
        break;
    default:
        of_service(&l, notice);
        break;
    }
    return (unsigned)(l.at - out);
}
