/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/words.h"

#include "supervisor/core/switchover.h"

#include <stdio.h>
#include <string.h>

const char *
words_node(const struct conf *conf, unsigned id)
{
    const struct conf_node *node = id ? conf_node_by_id(conf, id) : NULL;

    return node ? node->name : "?";
}

void
words_set(const struct conf *conf, uint64_t set, char text[WORDS_LEN])
{
    size_t n = 0;

    text[0] = '\0';
    for (unsigned i = 1; i <= PEER_MAX_NODE && n < WORDS_LEN - 40; i++)
        if (set & node_bit(i))
            n += (size_t)snprintf(
                text + n, WORDS_LEN - n, "%s%s", n ? ", " : "", words_node(conf, i));
    if (!n)
        snprintf(text, WORDS_LEN, "nobody");
}

static const struct {
    const char *severity, *format; /* %N: the node */
} rows[JOURNAL_NKINDS] = {
    [JOURNAL_NODE_JOINED] = { "info", "node %N joined" },
    [JOURNAL_NODE_LEFT] = { "warn", "node %N left" },
    [JOURNAL_NODE_SILENT] = { "warn", "the supervisor of node %N does not answer" },
    [JOURNAL_NODE_BACK] = { "info", "the supervisor of node %N answers again" },
    [JOURNAL_QUORUM_GAINED] = { "info", "a majority of nodes is here: may decide" },
    [JOURNAL_QUORUM_LOST] = { "error",
        "no majority of nodes is here: services of this node end their lease, nothing "
        "is decided until more nodes are back" },
    [JOURNAL_ENGINE_UP] = { "info", "sockmigd of node %N is connected" },
    [JOURNAL_ENGINE_DOWN] = { "error",
        "sockmigd of node %N cannot be reached: start it, see its log" },
    [JOURNAL_CLAIM] = { "warn", "%N wants to be active" },
    [JOURNAL_TAKING] = { "info", "%N may serve from here on" },
    [JOURNAL_STEP] = { "info", "orders the engine" },
    [JOURNAL_STEP_FAILED] = { "warn", "the engine refused" },
    [JOURNAL_ACTIVE] = { "info", "active on %N" },
    [JOURNAL_FAILED] = { "error", "does not run on %N any more" },
    [JOURNAL_CONTEXT_LOST] = { "error",
        "context lost: no node has a usable clone; starting afresh on %N" },
    [JOURNAL_HANDOVER] = { "info", "has stopped to be handed over to %N" },
    [JOURNAL_SET] = { "info", "replication set" },
    [JOURNAL_LOST] = { "warn", "the clone on %N is gone" },
    [JOURNAL_ORDER] = { "info", "" },
    [JOURNAL_ORDER_FAILED] = { "error", "" },
    [JOURNAL_ORDER_DONE] = { "info", "" },
    [JOURNAL_HELD] = { "warn", "has failed too often on %N: a last resort there until "
                               "failures are forgotten" },
    [JOURNAL_FENCE] = { "warn", "node %N is lost: it is going to be fenced" },
    [JOURNAL_FENCED] = { "warn", "node %N is off" },
    [JOURNAL_FENCE_FAILED] = { "error",
        "node %N could not be fenced: switch it off by hand, or mend its fence; tried "
        "again" },
    [JOURNAL_FORGIVEN] = { "info", "failures on %N are forgotten" },
    [JOURNAL_DEVICE_WON] = { "warn",
        "the quorum device decided against node %N: it decides nothing until it is "
        "back" },
    [JOURNAL_DEVICE_LOST] = { "error",
        "the quorum device did not decide for this node: it decides nothing until it "
        "is together with node %N again" },
};

static size_t
expand(const struct conf *conf, const char *format, unsigned node, char *text)
{
    const char *at = strstr(format, "%N");

    if (!at)
        return (size_t)snprintf(text, WORDS_LEN, "%s", format);
    return (size_t)snprintf(text, WORDS_LEN, "%.*s%s%s", (int)(at - format), format,
        words_node(conf, node), at + 2);
}

static const char *
reason_text(enum order_reason reason)
{
    static const char *const texts[ORDER_NREASONS] = {
        [ORDER_OK] = "done",
        [ORDER_NO_QUORUM] = "no majority of nodes is here",
        [ORDER_NOT_ACTIVE] = "the service is not active on any node",
        [ORDER_SAME_NODE] = "the service is active there already",
        [ORDER_NOT_IN_SET] =
            "that node has no complete clone; wait until its standby is "
            "ready",
        [ORDER_NO_STANDBY] = "no standby is ready; wait until one is",
        [ORDER_RUNNING] = "an order for this service is running",
        [ORDER_SILENT] = "the supervisor of the active node does not answer",
        [ORDER_TARGET_SILENT] = "the supervisor or the engine of that node does not "
                                "answer",
        [ORDER_MEMBERSHIP] = "the membership changed; order it again",
        [ORDER_SERVICE_FAILED] = "the service failed before it was handed over",
        [ORDER_HANDOVER_FAILED] = "the engine could not hand over",
        [ORDER_RESUMED] = "the target failed; the service runs where it ran before",
        [ORDER_ELSEWHERE] = "the target failed; another node took over",
        [ORDER_MAINTENANCE] = "it is in maintenance (or its node, or the cluster): end "
                              "that first",
        [ORDER_TARGET_MAINTENANCE] = "that node is in maintenance: end that first",
        [ORDER_NEVER] = "the configuration says never on that node",
        [ORDER_FROZEN] = "it is frozen (or its node, or the cluster)",
        [ORDER_BUSY] = "another switchover is running",
        [ORDER_ALREADY] = "it is so already",
        [ORDER_UNDONE] = "the node was resumed before it was empty",
        [ORDER_REFUSED] = "sockmigd refused",
    };

    return reason < ORDER_NREASONS ? texts[reason] : "?";
}

void
words_order(const struct conf *conf, const struct effect *e, char text[WORDS_LEN])
{
    (void)conf;
    if (e->reason == ORDER_RUNNING && e->order)
        snprintf(text, WORDS_LEN, "%s: order %llu", reason_text(ORDER_RUNNING),
            (unsigned long long)e->order);
    else if (e->msg.text[0] && !strchr(e->msg.text, '\t') && /* not who gave it */
             e->reason != ORDER_OK && e->step == STEP_FAILED)
        snprintf(text, WORDS_LEN, "%s: %s", reason_text(e->reason), e->msg.text);
    else if (e->step == STEP_DONE || e->step == STEP_FAILED)
        snprintf(text, WORDS_LEN, "%s", reason_text(e->reason));
    else
        snprintf(text, WORDS_LEN, "%s", switchover_step_name(e->step));
}

const char *
words_forecast(const struct conf *conf, const struct service *s,
    const struct cluster *c, const char **why)
{
    static const char *const texts[PLACE_NRULES] = {
        [PLACE_ONLY] = "no other standby can take it now",
        [PLACE_RESORT] = ("the others are drained, in maintenance, or it failed there "
                          "too often"),
        [PLACE_HEALTH] = "its health is better than that of the others",
        [PLACE_APART] = "the others run a service that it is to be apart from",
        [PLACE_TOGETHER] = "a service that it is to be together with runs there",
        [PLACE_PREFERRED] = "the configuration prefers that node",
        [PLACE_LOAD] = "its load is less than that of the others",
        [PLACE_NUMBER] = "all that can take it are alike; the lowest number goes first",
    };
    enum place_rule rule;
    unsigned to;
    enum order_reason reason = switchover_forecast(s, c, &to, &rule);

    *why = reason == ORDER_OK ? texts[rule] : reason_text(reason);
    return reason == ORDER_OK ? words_node(conf, to) : NULL;
}

void
words_split(const char *text, char *owner, char *from)
{
    const char *tab = strchr(text, '\t');

    owner[0] = from[0] = '\0';
    if (!tab)
        return;
    snprintf(owner, PEER_TEXT, "%.*s", (int)(tab - text), text);
    snprintf(from, PEER_TEXT, "%s", tab + 1);
}

void
words_why(const struct conf *conf, const struct member *m, const struct peermsg *msg,
    const char *detail, char text[PEER_TEXT])
{
    const struct service *s = m->services;
    const char *here, *there = words_node(conf, msg->node);
    size_t n = (size_t)snprintf(text, PEER_TEXT, "planner\t");

    while (s->key != msg->service)
        s++;
    here = words_node(conf, s->r.active);
    text += n;
    n = PEER_TEXT - n;
    if (msg->why == WHY_DRAIN)
        snprintf(text, n, "%s is to be emptied", here);
    else if (msg->why == WHY_HEALTH && msg->value)
        snprintf(text, n, "the service is %s on %s%s%s",
            health_name(s->prospect.health), here, *detail ? ": " : "", detail);
    else if (msg->why == WHY_HEALTH)
        snprintf(text, n, "%s is %s%s%s", here,
            health_name(m->cluster.health[s->r.active]), *detail ? ": " : "", detail);
    else if (msg->why == WHY_PLACEMENT)
        snprintf(text, n, "%s does not fit its never, together or apart", here);
    else if (msg->why == WHY_FAILBACK)
        snprintf(text, n, "%s is preferred", there);
    else
        snprintf(text, n, "to even out load between %s and %s", here, there);
}

void
words_value(enum order_what what, uint32_t value, char text[VALUE_LEN])
{
    text[0] = '\0';
    if (what == WHAT_MAINTENANCE || what == WHAT_FREEZE)
        snprintf(text, VALUE_LEN, "%s", value ? "on" : "off");
    else if (what == WHAT_POLICY)
        snprintf(text, VALUE_LEN, "%s", conf_policy_name((enum conf_policy)value));
    else if (what == WHAT_INTERVAL && value)
        snprintf(text, VALUE_LEN, "%u", value);
    else if (what == WHAT_INTERVAL)
        snprintf(text, VALUE_LEN, "as configured");
}

/* "drain n1", "maintenance on of the cluster", "switchover to n2". */
static void
what_is_ordered(
    const struct conf *conf, const struct effect *e, char *text, size_t size)
{
    const char *what = order_what_name(e->msg.what), *node = words_node(conf, e->node);
    char value[VALUE_LEN];

    words_value(e->msg.what, e->msg.value, value);
    switch (e->msg.what) {
    case WHAT_SWITCHOVER:
        snprintf(text, size, "%s to %s", what, e->node ? node : "the best standby");
        break;
    case WHAT_MAINTENANCE:
    case WHAT_FREEZE:
        snprintf(text, size, "%s %s%s%s", what, value,
            e->service != NO_SERVICE ? "" : " of ",
            e->service != NO_SERVICE ? ""
            : e->node                ? node
                                     : "the cluster");
        break;
    case WHAT_CLEAR:
        snprintf(text, size, "%s of failures%s%s", what, e->node ? " on " : "",
            e->node ? node : "");
        break;
    case WHAT_POLICY:
    case WHAT_INTERVAL:
    case WHAT_CHECKPOINT:
        snprintf(text, size, "%s%s%s", what, value[0] ? " " : "", value);
        break;
    default:
        snprintf(text, size, "%s %s", what, node);
    }
}

static void
order_row(const struct conf *conf, const struct effect *e, char text[WORDS_LEN])
{
    char owner[PEER_TEXT], from[PEER_TEXT], what[200];

    what_is_ordered(conf, e, what, sizeof what);
    if (e->journal == JOURNAL_ORDER) {
        words_split(e->msg.text, owner, from);
        snprintf(text, WORDS_LEN, "order %llu of %.60s (%.100s): %s",
            (unsigned long long)e->order, owner, from, what);
    } else if (e->journal == JOURNAL_ORDER_DONE)
        snprintf(text, WORDS_LEN, "order %llu is done: %s",
            (unsigned long long)e->order, what);
    else
        snprintf(text, WORDS_LEN, "order %llu came to nothing: %s: %s%s%s",
            (unsigned long long)e->order, what, reason_text(e->reason),
            e->msg.text[0] ? ": " : "", e->msg.text);
}

const char *
words_journal(const struct conf *conf, const struct effect *e, char text[WORDS_LEN])
{
    char set[WORDS_LEN];
    size_t n = expand(conf, rows[e->journal].format, e->node, text);
    char *end = text + n;
    size_t left = WORDS_LEN - n;

    switch (e->journal) {
    case JOURNAL_CLAIM:
    case JOURNAL_TAKING:
    case JOURNAL_ACTIVE:
        snprintf(end, left, " (%s)", peer_mode_name(e->r.mode));
        break;
    case JOURNAL_STEP:
    case JOURNAL_STEP_FAILED:
        words_set(conf, e->r.set, set);
        snprintf(end, left, ": %s%s%s%s%s", engine_op_name(e->op),
            e->op == ENGINE_SET ? " to require " : "", e->op == ENGINE_SET ? set : "",
            e->msg.text[0] ? ": " : "", e->msg.text);
        break;
    case JOURNAL_SET:
        words_set(conf, e->r.set, set);
        snprintf(end, left, ": %s", set);
        break;
    case JOURNAL_FENCED:
    case JOURNAL_FENCE_FAILED:
    case JOURNAL_FAILED:
        snprintf(end, left, ": %s", e->msg.text);
        break;
    case JOURNAL_ORDER:
    case JOURNAL_ORDER_DONE:
    case JOURNAL_ORDER_FAILED:
        order_row(conf, e, text);
        break;
    default:
        break;
    }
    return rows[e->journal].severity;
}
