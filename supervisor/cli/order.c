/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * order.c - the commands that give an order, and follow it to its end. */
#include "lib/loop.h"
#include "supervisor/cli/cli.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 20000
#define TIMEOUT_S 60

struct order {
    bool wait;
    unsigned timeout_s;
    const char *interval; /* of checkpoint; NULL: not given */
};

/* Commands that give an order.  fill: the request from the words that are left; false:
 * they are wrong. */
struct command {
    const char *name, *synopsis, *what;
    bool (*fill)(const struct order *o, int n, char **words, struct jv *request);
};

static int
look(const struct cli *cli, int64_t order, struct jv **reply)
{
    struct jv *request = jv_object();

    jv_set_str(request, "op", "orders");
    jv_set_int(request, "order", order);
    return cli_ask(cli, request, reply);
}

static const struct jv *
find_order(const struct jv *reply, int64_t order)
{
    const struct jv *orders = jv_get(reply, "orders");

    for (size_t i = 0; i < jv_len(orders); i++)
        if (jv_int(jv_at(orders, i), "order", -1) == order)
            return jv_at(orders, i);
    return NULL;
}

/* Prints the order's text whenever it changes.  CLI_OK while it runs. */
static int
report(const struct jv *o, char *said, size_t size, bool *ended)
{
    const char *state = jv_str(o, "state", "unknown"), *text = jv_str(o, "text", "");

    if (strcmp(text, said) != 0) {
        printf("order %lld: %s\n", (long long)jv_int(o, "order", 0), text);
        fflush(stdout);
        snprintf(said, size, "%s", text);
    }
    *ended = strcmp(state, "running") != 0;
    if (!*ended || !strcmp(state, "done"))
        return CLI_OK;
    cli_error("the order came to nothing: %s", *text ? text : state);
    return CLI_FAILED;
}

static int
follow(const struct cli *cli, int64_t order, unsigned timeout_s)
{
    struct mono end = mono_add_ms(mono_clock(), timeout_s * 1000LL);
    char said[400] = "";
    bool ended = false;
    int code = CLI_OK;

    while (!ended && code == CLI_OK && mono_before(mono_clock(), end)) {
        struct jv *reply = NULL;
        const struct jv *o;

        code = look(cli, order, &reply);
        if (code != CLI_OK)
            break;
        o = find_order(reply, order);
        if (o)
            code = report(o, said, sizeof said, &ended);
        jv_free(reply);
        if (!ended)
            usleep(LOOK_US);
    }
    if (!ended && code == CLI_OK) {
        cli_error("order %lld still runs after %u s: see `bascule journal`",
            (long long)order, timeout_s);
        code = CLI_FAILED;
    }
    return code;
}

static bool
fill_switchover(const struct order *o, int n, char **words, struct jv *request)
{
    (void)o;
    if (n != 1 && n != 2)
        return false;
    jv_set_str(request, "service", words[0]);
    if (n == 2)
        jv_set_str(request, "node", words[1]);
    return true;
}

static bool
fill_node(const struct order *o, int n, char **words, struct jv *request)
{
    (void)o;
    if (n != 1)
        return false;
    jv_set_str(request, "node", words[0]);
    return true;
}

static bool
fill_mark(const struct order *o, int n, char **words, struct jv *request)
{
    (void)o;
    if ((n != 1 && n != 3) || (strcmp(words[0], "on") && strcmp(words[0], "off")))
        return false;
    jv_set_bool(request, "on", !strcmp(words[0], "on"));
    if (n == 1)
        return true;
    if (strcmp(words[1], "node") != 0 && strcmp(words[1], "service") != 0)
        return false;
    jv_set_str(request, words[1], words[2]);
    return true;
}

static bool
fill_policy(const struct order *o, int n, char **words, struct jv *request)
{
    (void)o;
    if (n != 2)
        return false;
    jv_set_str(request, "service", words[0]);
    jv_set_str(request, "policy", words[1]);
    return true;
}

static bool
fill_checkpoint(const struct order *o, int n, char **words, struct jv *request)
{
    long ms = 0;

    if (n != 1)
        return false;
    jv_set_str(request, "service", words[0]);
    if (!o->interval)
        return true;
    if (!cli_number(o->interval, 0, 1000000, &ms))
        return false;
    jv_set_str(request, "op", "interval");
    jv_set_int(request, "ms", ms);
    return true;
}

static bool
fill_ack(const struct order *o, int n, char **words, struct jv *request)
{
    long serial = 0;

    (void)o;
    if (n != 1 || !cli_number(words[0], 1, LONG_MAX, &serial))
        return false;
    jv_set_int(request, "serial", serial);
    return true;
}

static const struct command commands[] = {
    { "switchover", "SERVICE [NODE] [--no-wait] [--timeout S]",
        "Moves SERVICE to NODE, or to its best standby.  Clients notice a wait.",
        fill_switchover },
    { "drain", "NODE [--no-wait] [--timeout S]",
        "Moves all services of NODE elsewhere, one after the other.  Until `bascule\n"
        "resume NODE` it is used only if no other node can do it.",
        fill_node },
    { "resume", "NODE", "Ends `bascule drain NODE`.", fill_node },
    { "maintenance", "on|off [node NODE | service SERVICE]",
        "Hands off the cluster, a node or a service: while it is on, nothing is "
        "started,\n"
        "taken over or moved there.  What runs goes on.",
        fill_mark },
    { "freeze", "on|off [node NODE | service SERVICE]",
        "While it is on, nothing is moved for order's sake (failback, balance, "
        "health).\n"
        "Takeover after a failure goes on, and so do orders.",
        fill_mark },
    { "policy", "SERVICE replay|commit|warm|cold",
        "Changes the policy of SERVICE, from now on.", fill_policy },
    { "checkpoint", "SERVICE [--interval MS]",
        "Takes a checkpoint now; or changes how often one is taken at least (0: as\n"
        "configured).",
        fill_checkpoint },
    { "clear", "SERVICE [NODE]",
        "Forgets the failures of SERVICE on NODE, or everywhere.", fill_switchover },
    { "ack", "SERIAL", "Says that event SERIAL of this node's journal has been seen.",
        fill_ack },
};

static int
read_options(int argc, char **argv, struct order *o)
{
    static const struct option options[] = {
        { "wait", no_argument, NULL, 'w' },
        { "no-wait", no_argument, NULL, 'n' },
        { "timeout", required_argument, NULL, 't' },
        { "interval", required_argument, NULL, 'i' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    long seconds;
    int c;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'w' || c == 'n')
            o->wait = c == 'w';
        else if (c == 't' && cli_number(optarg, 1, 86400, &seconds))
            o->timeout_s = (unsigned)seconds;
        else if (c == 'i')
            o->interval = optarg;
        else
            return c == 'h' ? 'h' : '?';
    }
    return 0;
}

static int
give(const struct cli *cli, const struct order *o, struct jv *request)
{
    struct jv *reply = NULL;
    int64_t order;
    int code = cli_ask(cli, request, &reply);

    if (code != CLI_OK)
        return code;
    order = jv_int(reply, "order", -1);
    jv_free(reply);
    if (!order) { /* of this node alone: it is done */
        printf("done\n");
        return CLI_OK;
    }
    printf("order %lld\n", (long long)order);
    fflush(stdout);
    return o->wait ? follow(cli, order, o->timeout_s) : CLI_OK;
}

int
order_cmd(const struct cli *cli, int argc, char **argv)
{
    struct order o = { .wait = true, .timeout_s = TIMEOUT_S };
    const struct command *cmd = commands;
    struct jv *request;
    int c;

    while (strcmp(cmd->name, argv[0]) != 0)
        cmd++;
    c = read_options(argc, argv, &o);
    if (c == 'h') {
        printf("Usage: bascule %s %s\n\n%s\n", cmd->name, cmd->synopsis, cmd->what);
        return CLI_OK;
    }
    request = jv_object();
    jv_set_str(request, "op", cmd->name);
    if (c || (o.interval && cmd->fill != fill_checkpoint) ||
        !cmd->fill(&o, argc - optind, argv + optind, request)) {
        jv_free(request);
        return cli_usage("%s %s", cmd->name, cmd->synopsis);
    }
    return give(cli, &o, request);
}
