/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/words.h"

#include <glib/gstdio.h>
#include <string.h>

#define PICK(list, value)                                                              \
    ((value) >= 0 && (value) < (int64_t)G_N_ELEMENTS(list) && (list)[value]            \
            ? _((list)[value])                                                         \
            : _("not known"))

const char *words_sign(enum view_class class)
{
    static const char *const signs[N_CLASSES] = { "?", "\u2714", "\u21bb", "\u25b2",
        "\u2716" };

    return signs[class];
}

const char *words_class(enum view_class class)
{
    static const char *const words[N_CLASSES] = { N_("not known"), N_("good"),
        N_("busy"), N_("attention"), N_("trouble") };

    return _(words[class]);
}

const char *
words_service(int64_t state)
{
    static const char *const words[] = { N_("not known"), N_("protected"),
        N_("unprotected"), N_("taking over"), N_("stopped"), N_("failed") };

    return PICK(words, state);
}

const char *
words_node(int64_t state)
{
    static const char *const words[] = { N_("not known"), N_("online"), N_("offline") };

    return PICK(words, state);
}

const char *
words_health(int64_t health)
{
    static const char *const words[] = { N_("not known"), N_("healthy"), N_("degraded"),
        N_("failed") };

    return PICK(words, health);
}

const char *
words_standby(int64_t state)
{
    static const char *const words[] = { N_("not known"), N_("connecting"),
        N_("being seeded"), N_("ready"), N_("behind"), N_("down") };

    return PICK(words, state);
}

const char *
words_severity(int64_t severity)
{
    static const char *const words[] = { N_("not known"), N_("information"),
        N_("warning"), N_("error") };

    return PICK(words, severity);
}

const char *
words_policy(int64_t policy)
{
    static const char *const words[] = { N_("not known"), "commit", "replay", "warm",
        "cold" };

    return PICK(words, policy);
}

const char *
words_order(int64_t kind)
{
    static const char *const words[] = { N_("other"), N_("switchover"), N_("drain"),
        N_("resume"), N_("maintenance"), N_("policy"), N_("checkpoint"), N_("interval"),
        N_("clear failures"), N_("acknowledge"), N_("freeze") };

    return PICK(words, kind);
}

const char *
words_progress(int64_t state)
{
    static const char *const words[] = { N_("not known"), N_("running"), N_("done"),
        N_("failed") };

    return PICK(words, state);
}

/* The names of RFC 9293 are the same in every language. */
const char *
words_tcp(int64_t state)
{
    static const char *const words[] = { N_("not known"), "ESTABLISHED", "SYN-SENT",
        "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", "CLOSE-WAIT",
        "LAST-ACK", "LISTEN", "CLOSING" };

    return PICK(words, state);
}

const char *
words_truth(int64_t value)
{
    static const char *const words[] = { N_("not known"), N_("yes"), N_("no") };

    return PICK(words, value);
}

/* A word of the supervisor's in words; one that is not known here stays as it is. */
static const char *
words_of(const char *const (*rows)[2], size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i][0], word))
            return _(rows[i][1]);
    return word[0] ? word : _("not known");
}

static char *
with_sign(enum view_class class, char *text)
{
    g_autofree char *taken = text;

    return class < CLASS_BUSY ? g_steal_pointer(&taken)
                              : g_strdup_printf("%s %s", words_sign(class), taken);
}

char *
words_fencing(const struct view *v)
{
    static const char *const words[][2] = { { "none", N_("not needed") },
        { "ready", N_("ready") }, { "refused", N_("missing, no automatic takeover") } };

    return with_sign(
        v->fencing_class, g_strdup_printf(_("Fencing: %s"),
                              words_of(words, G_N_ELEMENTS(words), v->fencing)));
}

char *
words_device(const struct view *v)
{
    static const char *const words[][2] = { { "together", N_("both nodes are there") },
        { "split", N_("the other node is lost") },
        { "won", N_("this node goes on alone") },
        { "lost", N_("this node decides nothing") },
        { "apart", N_("this node waits for the other") } };
    static const char *const votes[] = { "", N_(", its vote is here"),
        N_(", its vote is not here") };
    int64_t vote = v->device_votes == MIB_TRUE || v->device_votes == MIB_FALSE
                       ? v->device_votes
                       : 0;

    return with_sign(
        v->device_class, g_strdup_printf(_("Quorum device: %s%s"),
                             words_of(words, G_N_ELEMENTS(words), v->device),
                             vote ? _(votes[vote]) : ""));
}

const char *
words_drain(int64_t state)
{
    static const char *const words[] = { N_("not known"), N_("no"), N_("draining"),
        N_("drained") };

    return PICK(words, state);
}

char *
words_overall(const struct view *v)
{
    switch (v->overall) {
    case OVERALL_NOT_CONNECTED:
        return g_strdup(_("Not connected"));
    case OVERALL_CONNECTING:
        return g_strdup(_("Connecting\u2026"));
    case OVERALL_LOST:
        return g_strdup(_("No node answers"));
    case OVERALL_NO_SUPERVISOR:
        return g_strdup(_("The supervisor does not answer"));
    case OVERALL_NO_QUORUM:
        return g_strdup(_("No quorum: the cluster does not act"));
    case OVERALL_FAILED:
        return g_strdup_printf(
            ngettext("%u of %u services failed", "%u of %u services failed", v->a),
            v->a, v->b);
    case OVERALL_TAKING_OVER:
        return g_strdup_printf(ngettext("%u of %u services is being taken over",
                                   "%u of %u services are being taken over", v->a),
            v->a, v->b);
    case OVERALL_STOPPED:
        return g_strdup_printf(ngettext("%u of %u services is stopped",
                                   "%u of %u services are stopped", v->a),
            v->a, v->b);
    case OVERALL_UNPROTECTED:
        return g_strdup_printf(ngettext("%u of %u services is not protected",
                                   "%u of %u services are not protected", v->a),
            v->a, v->b);
    case OVERALL_NODES:
        return g_strdup_printf(
            ngettext("Protected, but %u of %u nodes needs attention",
                "Protected, but %u of %u nodes need attention", v->a),
            v->a, v->b);
    case OVERALL_PROTECTED:
        return v->b == 1 ? g_strdup(_("The service is protected"))
                         : g_strdup_printf(ngettext("%u service is protected",
                                               "All %u services are protected", v->b),
                               v->b);
    case OVERALL_NO_SERVICES:
        break;
    }
    return g_strdup(_("No services are configured"));
}

char *
words_count(int64_t n)
{
    if (n < 0) /* NOT_KNOWN too */
        return g_strdup(_("not known"));
    return g_strdup_printf("%'" G_GINT64_FORMAT, n);
}

char *
words_ms(int64_t ms)
{
    if (ms < 0 || ms > 100 * 365 * 86400000ll) /* NOT_KNOWN, and what nobody measured */
        return g_strdup(_("not known"));
    if (ms < 1000)
        return g_strdup_printf(_("%d ms"), (int)ms);
    if (ms < 60000)
        return g_strdup_printf(_("%.1f s"), (double)ms / 1000);
    if (ms < 3600000)
        return g_strdup_printf(
            _("%d min %d s"), (int)(ms / 60000), (int)(ms / 1000 % 60));
    if (ms < 48 * 3600000ll)
        return g_strdup_printf(
            _("%d h %d min"), (int)(ms / 3600000), (int)(ms / 60000 % 60));
    return g_strdup_printf(_("%.0f days"), (double)ms / 86400000);
}

char *
words_phase(const struct takeover *o, unsigned i)
{
    int64_t us = o->phases[i].us;

    if (us == NOT_KNOWN)
        return g_strdup("");
    return o->coarse && us < 100000 ? g_strdup("< 100 ms") : words_us(us);
}

char *
words_us(int64_t us)
{
    if (us < 0)
        return g_strdup(_("not known"));
    if (us < 1000)
        return g_strdup_printf(_("%d \u00b5s"), (int)us);
    if (us < 100000)
        return g_strdup_printf(_("%.1f ms"), (double)us / 1000);
    return words_ms(us / 1000);
}

char *
words_bytes(int64_t bytes)
{
    if (bytes == NOT_KNOWN || bytes < 0)
        return g_strdup(_("not known"));
    return g_format_size_full((guint64)bytes, G_FORMAT_SIZE_IEC_UNITS);
}

char *
words_kib(int64_t kib)
{
    return words_bytes(kib > INT64_MAX / 1024 ? NOT_KNOWN : kib < 0 ? kib : kib * 1024);
}

char *
words_mib(int64_t mib)
{
    return words_kib(mib > INT64_MAX / 1024 ? NOT_KNOWN : mib < 0 ? mib : mib * 1024);
}

static char *
format_time(int64_t ms, const char *format)
{
    g_autoptr(GDateTime) t = NULL;
    g_autofree char *text = NULL;

    if (ms == NOT_KNOWN || ms <= 0)
        return g_strdup("");
    t = g_date_time_new_from_unix_local(ms / 1000);
    if (!t)
        return g_strdup(_("not known"));
    text = g_date_time_format(t, format);
    return g_strdup_printf("%s.%03d", text, (int)(ms % 1000));
}

char *
words_time(int64_t ms)
{
    return format_time(ms, "%Y-%m-%d %H:%M:%S");
}

char *
words_clock(int64_t ms)
{
    return format_time(ms, "%H:%M:%S");
}

char *
words_lag(int64_t checkpoints)
{
    if (checkpoints == NOT_KNOWN)
        return g_strdup(_("lag not known"));
    if (checkpoints > 1000000)
        return g_strdup(_("more than a million checkpoints behind"));
    if (checkpoints == 0)
        return g_strdup(_("up to date"));
    return g_strdup_printf(
        ngettext("%d checkpoint behind", "%d checkpoints behind", (gulong)checkpoints),
        (int)checkpoints);
}

char *
words_node_line(const struct view *v, unsigned i)
{
    const struct view_node *n = &v->nodes[i];
    GString *s = g_string_new(NULL);

    g_string_printf(s, _("Node %s: %s, %s"), n->name, words_node(n->state),
        words_health(n->health));
    if (n->reason[0])
        g_string_append_printf(s, " (%s)", n->reason);
    if (n->maintenance == MIB_TRUE)
        g_string_append_printf(s, ", %s", _("in maintenance"));
    if (n->drain > DRAIN_NO)
        g_string_append_printf(s, ", %s", words_drain(n->drain));
    if (n->cut)
        g_string_append_printf(s, _(", device %s is down"), n->down);
    g_string_append_printf(s,
        ngettext("; runs %d service", "; runs %d services", (gulong)n->active),
        n->active);
    g_string_append_printf(s,
        ngettext(", standby of %d", ", standby of %d", (gulong)n->clones), n->clones);
    return g_string_free(s, FALSE);
}

char *
words_service_line(const struct view *v, unsigned i)
{
    const struct view_service *s = &v->services[i];
    GString *t = g_string_new(NULL);

    g_string_printf(t, _("Service %s: %s"), s->name, words_service(s->state));
    if (s->active[0])
        g_string_append_printf(t, _(", active on %s"), s->active);
    else
        g_string_append(t, _(", active nowhere"));
    if (s->addresses[0])
        g_string_append_printf(t, _(", address %s"), s->addresses);
    if (s->step[0])
        g_string_append_printf(t, _(", step: %s"), s->step);
    if (s->reason[0])
        g_string_append_printf(t, " (%s)", s->reason);
    return g_string_free(t, FALSE);
}

char *
words_standby_line(const struct view *v, unsigned i)
{
    const struct view_standby *s = &v->standbys[i];
    g_autofree char *lag = words_lag(s->lag), *age = words_ms(s->clone_age);

    return g_strdup_printf(_("Standby %s of %s: %s, %s, last checkpoint %s ago"),
        s->name, s->service, words_standby(s->state), lag, age);
}

const char *
words_report(uint32_t usm_stat)
{
    static const char *const words[] = {
        N_("the agent sent a report instead of an answer"),
        N_("the agent refuses authPriv for the user"),
        N_("the clocks of the SNMP engines differ"),
        N_("the agent does not know the user"),
        N_("the agent has another engine identifier now"),
        N_("wrong authentication pass phrase"), N_("wrong privacy pass phrase")
    };

    return words[usm_stat < G_N_ELEMENTS(words) ? usm_stat : 0];
}

/* As in supervisor/words.c. */
const char *
words_said(const char *text)
{
    static const char *const known[] = { N_("done"), N_("no majority of nodes is here"),
        N_("the service is not active on any node"),
        N_("the service is active there already"),
        N_("that node has no complete clone; wait until its standby is ready"),
        N_("no standby is ready; wait until one is"),
        N_("an order for this service is running"),
        N_("the supervisor of the active node does not answer"),
        N_("the supervisor or the engine of that node does not answer"),
        N_("the membership changed; order it again"),
        N_("the service failed before it was handed over"),
        N_("the engine could not hand over"),
        N_("the target failed; the service runs where it ran before"),
        N_("the target failed; another node took over"),
        N_("it is in maintenance (or its node, or the cluster): end that first"),
        N_("that node is in maintenance: end that first"),
        N_("the configuration says never on that node"),
        N_("it is frozen (or its node, or the cluster)"),
        N_("another switchover is running"), N_("it is so already"),
        N_("the node was resumed before it was empty"), N_("sockmigd refused"),
        N_("no other standby can take it now"),
        N_("the others are drained, in maintenance, or it failed there too often"),
        N_("its health is better than that of the others"),
        N_("the others run a service that it is to be apart from"),
        N_("a service that it is to be together with runs there"),
        N_("the configuration prefers that node"),
        N_("all that can take it are alike; the lowest number goes first"),
        N_("no standby is ready yet") };

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (!strcmp(known[i], text))
            return _(known[i]);
    return text;
}
