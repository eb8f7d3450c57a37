/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
set_value(struct jv *msg, const struct desk_order *o)
{
    switch (o->kind) {
    case ORDER_MAINTENANCE:
    case ORDER_FREEZE:
        jv_set_bool(msg, "on", strcmp(o->value, "on") == 0);
        break;
    case ORDER_POLICY:
        jv_set_str(msg, "policy", o->value);
        break;
    case ORDER_INTERVAL:
        jv_set_int(msg, "ms", atoll(o->value));
        break;
    case ORDER_ACKNOWLEDGE:
        jv_set_int(msg, "serial", atoll(o->value));
        break;
    default:
        break;
    }
}

/* The subagent protocol tells nothing of who asks: the owner is the row's first index,
 * which access control ties to the user.  Orders by the scalars have none. */
struct jv *
order_message(const struct desk_given *given)
{
    const struct desk_order *o = &given->order;
    struct jv *msg = jv_object();
    char owner[SNAP_NAME];

    jv_set_str(msg, "op", word_text(&words_order, o->kind));
    if (o->service[0])
        jv_set_str(msg, "service", o->service);
    if (o->node[0])
        jv_set_str(msg, "node", o->node);
    set_value(msg, o);
    desk_owner(given, owner, sizeof owner);
    jv_set_str(msg, "owner", owner[0] ? owner : "snmp");
    jv_set_str(msg, "from", "snmp");
    return msg;
}

const char *
order_text(const struct desk_given *given)
{
    static char text[SNAP_TEXT];
    const struct desk_order *o = &given->order;
    char owner[SNAP_NAME];

    desk_owner(given, owner, sizeof owner);
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s, by %s",
        word_text(&words_order, o->kind), o->service[0] ? " of " : "", o->service,
        o->node[0] ? ", node " : "", o->node, o->value[0] ? ", " : "", o->value,
        owner[0] ? owner : "whoever may set the scalars");
    return text;
}

struct jv *
order_refusal(const struct desk_request *r, enum set_error error, uint32_t at)
{
    static const char *const names[] = { [SET_OK] = "",
        [SET_NO_CREATION] = "noCreation: there is no such object",
        [SET_NOT_WRITABLE] = "notWritable: it can only be read",
        [SET_WRONG_TYPE] = "wrongType",
        [SET_WRONG_LENGTH] = "wrongLength: a name has up to 31 characters",
        [SET_WRONG_VALUE] = "wrongValue: see BASCULE-CLUSTER-MIB for what is allowed",
        [SET_INCONSISTENT_VALUE] =
            "inconsistentValue: the lock is not the present one, something is missing, "
            "or there is no such service or node",
        [SET_INCONSISTENT_NAME] = "inconsistentName: a row is made with its status",
        [SET_UNAVAILABLE] = "resourceUnavailable: basculed does not answer, or too "
                            "many orders wait for its answer" };
    const struct desk_order *o = &r->order;
    struct jv *msg = jv_object();
    char text[SNAP_TEXT];

    snprintf(text, sizeof text, "SET: %s (binding %u%s%s%s%s)", names[error], at + 1,
        o->service[0] ? ", service " : "", o->service, o->node[0] ? ", node " : "",
        o->node);
    jv_set_str(msg, "op", "refused");
    jv_set_str(msg, "service", o->service);
    jv_set_str(msg, "owner", "an SNMP manager");
    jv_set_str(msg, "text", text);
    return msg;
}
