/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * show.c - status, services and nodes: what basculed says, as tables. */
#include "supervisor/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
ask_status(const struct cli *cli, struct jv **reply)
{
    struct jv *request = jv_object();

    jv_set_str(request, "op", "status");
    return cli_ask(cli, request, reply);
}

static void
print_ms(int64_t ms)
{
    if (ms < 0)
        printf(" %9s", "-");
    else
        printf(" %6lld ms", (long long)ms);
}

static void
print_standbys(const struct jv *standbys)
{
    for (size_t i = 0; i < jv_len(standbys); i++) {
        const struct jv *s = jv_at(standbys, i);
        int64_t lag = jv_int(s, "lag", -1);

        printf(
            "%s%s %s", i ? ", " : "", jv_str(s, "node", "?"), jv_str(s, "state", "?"));
        if (lag > 0)
            printf(" (%lld behind)", (long long)lag);
    }
    if (jv_len(standbys) == 0)
        printf("none");
}

static void
print_services(const struct jv *services)
{
    printf("%-16s %-12s %-8s %6s %-7s %6s %9s  %s\n", "SERVICE", "STATE", "ACTIVE",
        "EPOCH", "POLICY", "CONNS", "BLACKOUT", "STANDBYS");
    for (size_t i = 0; i < jv_len(services); i++) {
        const struct jv *s = jv_at(services, i);

        printf("%-16s %-12s %-8s %6lld %-7s %6lld", jv_str(s, "name", "?"),
            jv_str(s, "state", "?"), jv_str(s, "active", "-"),
            (long long)jv_int(s, "epoch", 0), jv_str(s, "policy", "?"),
            (long long)jv_int(s, "connections", 0));
        print_ms(jv_int(s, "last_blackout_ms", -1));
        printf("  ");
        print_standbys(jv_get(s, "standbys"));
        printf("\n");
    }
}

static void
print_standby_reasons(const struct jv *service)
{
    const struct jv *standbys = jv_get(service, "standbys");

    for (size_t i = 0; i < jv_len(standbys); i++) {
        const struct jv *s = jv_at(standbys, i);
        const char *reason = jv_str(s, "reason", "");

        if (*reason)
            printf("%s: standby %s: %s\n", jv_str(service, "name", "?"),
                jv_str(s, "node", "?"), reason);
    }
}

static void
print_service_marks(const struct jv *s)
{
    const struct jv *fails = jv_get(s, "fails");
    const char *name = jv_str(s, "name", "?");

    if (jv_bool(s, "maintenance", false))
        printf("%s: is in maintenance: nothing is done if it fails\n", name);
    if (jv_bool(s, "frozen", false))
        printf("%s: is frozen: it is not moved for order's sake\n", name);
    for (size_t i = 0; i < jv_len(fails); i++)
        printf("%s: failed on %s, %lld times%s\n", name,
            jv_str(jv_at(fails, i), "node", "?"),
            (long long)jv_int(jv_at(fails, i), "count", 0),
            jv_bool(jv_at(fails, i), "held", false)
                ? ": a last resort for a while (bascule clear)"
                : "");
}

static void
print_reasons(const struct jv *services)
{
    for (size_t i = 0; i < jv_len(services); i++) {
        const struct jv *s = jv_at(services, i), *order = jv_get(s, "switchover");
        const char *reason = jv_str(s, "reason", ""),
                   *error = jv_str(s, "last_error", "");

        print_service_marks(s);
        if (*reason)
            printf("%s: %s\n", jv_str(s, "name", "?"), reason);
        if (*error)
            printf("%s: last error: %s\n", jv_str(s, "name", "?"), error);
        print_standby_reasons(s);
        if (jv_has(order, "order"))
            printf("%s: switchover, order %lld: %s\n", jv_str(s, "name", "?"),
                (long long)jv_int(order, "order", 0), jv_str(order, "step", "?"));
    }
}

static void
print_strangers(const struct jv *stream)
{
    int64_t forged = jv_int(stream, "forged", 0),
            malformed = jv_int(stream, "malformed", 0),
            stale = jv_int(stream, "stale", 0);

    if (forged + malformed + stale > 0)
        printf("  refused by this node from the network: %lld forged, replayed or "
               "damaged, %lld malformed, %lld of another epoch\n",
            (long long)forged, (long long)malformed, (long long)stale);
}

static void
print_details(const struct jv *services)
{
    for (size_t i = 0; i < jv_len(services); i++) {
        const struct jv *s = jv_at(services, i), *c = jv_get(s, "checkpoint"),
                        *g = jv_get(s, "gate"), *addresses = jv_get(s, "addresses");

        printf("%s:", jv_str(s, "name", "?"));
        for (size_t k = 0; k < jv_len(addresses); k++)
            printf(" %s", jv_at_str(addresses, k));
        printf("\n  checkpoints %lld, last pause %lld us, last size %lld bytes, at the "
               "latest every %lld ms\n",
            (long long)jv_int(c, "count", 0), (long long)jv_int(s, "last_pause_us", 0),
            (long long)jv_int(c, "last_bytes", 0),
            (long long)jv_int(c, "interval_ms", 0));
        printf("  gate %s: held %lld, released %lld, dropped %lld, passed in %lld, "
               "out %lld\n",
            jv_bool(g, "open", false) ? "open" : "shut",
            (long long)jv_int(g, "held", 0), (long long)jv_int(g, "released", 0),
            (long long)jv_int(g, "dropped", 0), (long long)jv_int(g, "passed_in", 0),
            (long long)jv_int(g, "passed_out", 0));
        print_strangers(jv_get(s, "stream"));
    }
}

static void
print_marks(const struct jv *j)
{
    const char *drain = jv_str(j, "drain", "no");

    if (strcmp(drain, "no") != 0)
        printf("[%s] ", drain);
    if (jv_bool(j, "maintenance", false))
        printf("[maintenance] ");
    if (jv_bool(j, "frozen", false))
        printf("[frozen] ");
}

static void
print_nodes(const struct jv *nodes)
{
    printf("%-16s %4s %-8s %-9s %s\n", "NODE", "ID", "STATE", "HEALTH", "REASON");
    for (size_t i = 0; i < jv_len(nodes); i++) {
        const struct jv *n = jv_at(nodes, i);

        printf("%-16s %4lld %-8s %-9s ", jv_str(n, "name", "?"),
            (long long)jv_int(n, "id", 0), jv_str(n, "state", "?"),
            jv_str(n, "health", "?"));
        print_marks(n);
        printf("%s\n", jv_str(n, "reason", ""));
    }
}

static void
print_status(const struct jv *status)
{
    const struct jv *services = jv_get(status, "services");

    printf("cluster %s, seen from %s: %s\n", jv_str(status, "cluster", "?"),
        jv_str(status, "node", "?"),
        jv_bool(status, "quorate", false)
            ? "quorate"
            : "WITHOUT QUORUM: nothing is taken over from here");
    if (jv_str(status, "journal_error", NULL))
        printf("THE JOURNAL of this node CANNOT BE WRITTEN: %s; services go on without "
               "it\n\n",
            jv_str(status, "journal_error", ""));
    print_marks(status);
    printf("\n");
    print_nodes(jv_get(status, "nodes"));
    printf("\n");
    print_services(services);
    print_reasons(services);
}

/* The commands take nothing but --json. */
static bool
read_json_option(int argc, char **argv, bool *json)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
        { 0 } };
    int c;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return false;
        *json = true;
    }
    return optind == argc;
}

static int
show(const struct cli *cli, int argc, char **argv, const char *part,
    void (*print)(const struct jv *status))
{
    struct jv *reply = NULL;
    const struct jv *status;
    bool json = cli->json;
    int code;

    if (!read_json_option(argc, argv, &json))
        return cli_usage("%s [--json]", argv[0]);
    code = ask_status(cli, &reply);
    if (code != CLI_OK)
        return code;
    status = jv_get(reply, "status");
    if (json)
        cli_print_json(part ? jv_get(status, part) : status);
    else
        print(status);
    jv_free(reply);
    return CLI_OK;
}

static void
print_only_nodes(const struct jv *status)
{
    print_nodes(jv_get(status, "nodes"));
}

static void
print_only_services(const struct jv *status)
{
    const struct jv *services = jv_get(status, "services");

    print_services(services);
    printf("\n");
    print_details(services);
    print_reasons(services);
}

static void
print_orders(const struct jv *orders)
{
    printf("%6s %-11s %-9s %-12s %-8s %-8s %s\n", "ORDER", "KIND", "WHY", "SERVICE",
        "NODE", "STATE", "BY");
    for (size_t i = jv_len(orders); i-- > 0;) {
        const struct jv *o = jv_at(orders, i);
        const char *value = jv_str(o, "value", ""), *text = jv_str(o, "text", "");

        printf("%6lld %-11s %-9s %-12s %-8s %-8s %s (%s)%s%s%s%s\n",
            (long long)jv_int(o, "order", 0), jv_str(o, "kind", "?"),
            jv_str(o, "why", "?"), jv_str(o, "service", "-"), jv_str(o, "node", "-"),
            jv_str(o, "state", "?"), jv_str(o, "owner", "?"), jv_str(o, "from", "?"),
            *value ? " " : "", value, *text ? ": " : "", text);
    }
}

int
orders_cmd(const struct cli *cli, int argc, char **argv)
{
    struct jv *request = jv_object(), *reply = NULL;
    bool json = cli->json;
    int code;

    if (!read_json_option(argc, argv, &json)) {
        jv_free(request);
        return cli_usage("%s [--json]", argv[0]);
    }
    jv_set_str(request, "op", "orders");
    code = cli_ask(cli, request, &reply);
    if (code != CLI_OK)
        return code;
    if (json)
        cli_print_json(jv_get(reply, "orders"));
    else
        print_orders(jv_get(reply, "orders"));
    jv_free(reply);
    return CLI_OK;
}

int
status_cmd(const struct cli *cli, int argc, char **argv)
{
    return show(cli, argc, argv, NULL, print_status);
}

int
services_cmd(const struct cli *cli, int argc, char **argv)
{
    return show(cli, argc, argv, "services", print_only_services);
}

int
nodes_cmd(const struct cli *cli, int argc, char **argv)
{
    return show(cli, argc, argv, "nodes", print_only_nodes);
}
