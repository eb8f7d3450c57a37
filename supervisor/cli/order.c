/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * order.c - switchover: give the order, then follow it to its end. */
#include "lib/loop.h"
#include "supervisor/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 20000
#define TIMEOUT_S 60

struct options {
    bool wait;
    unsigned timeout_s;
};

static bool
read_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "wait", no_argument, NULL, 'w' },
        { "no-wait", no_argument, NULL, 'n' },
        { "timeout", required_argument, NULL, 't' },
        { 0 },
    };
    long seconds;
    int c;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'w' || c == 'n')
            o->wait = c == 'w';
        else if (c == 't' && cli_number(optarg, 1, 86400, &seconds))
            o->timeout_s = (unsigned)seconds;
        else
            return false;
    }
    return argc - optind == 1 || argc - optind == 2;
}

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
    cli_error("the switchover failed: %s", *text ? text : state);
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

int
switchover_cmd(const struct cli *cli, int argc, char **argv)
{
    struct options o = { .wait = true, .timeout_s = TIMEOUT_S };
    struct jv *request = NULL, *reply = NULL;
    int64_t order;
    int code;

    if (!read_options(argc, argv, &o))
        return cli_usage("switchover SERVICE [NODE] [--no-wait] [--timeout S]");
    request = jv_object();
    jv_set_str(request, "op", "switchover");
    jv_set_str(request, "service", argv[optind]);
    if (argc - optind == 2)
        jv_set_str(request, "node", argv[optind + 1]);
    code = cli_ask(cli, request, &reply);
    if (code != CLI_OK)
        return code;
    order = jv_int(reply, "order", -1);
    jv_free(reply);
    printf("order %lld: %s is switched over\n", (long long)order, argv[optind]);
    return o.wait ? follow(cli, order, o.timeout_s) : CLI_OK;
}
