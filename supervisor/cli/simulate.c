/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * simulate.c - what would happen if a node failed, were drained, or another
 * configuration were loaded. */
#include "supervisor/cli/cli.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYNOPSIS "simulate fail NODE | drain NODE | conf FILE [--json]"

static void
print_answer(const struct jv *reply)
{
    const struct jv *moves = jv_get(reply, "moves"), *gone = jv_get(reply, "gone");
    const char *by = jv_str(reply, "decided_by", "");

    if (!jv_bool(reply, "quorate", false))
        printf("the nodes that are left are no majority: they decide nothing\n");
    if (!strcmp(by, "fence"))
        printf("once the fence has switched it off, the other node decides:\n");
    if (!strcmp(by, "device"))
        printf("once the quorum device has voted for it, the other node decides:\n");
    for (size_t i = 0; i < jv_len(moves); i++)
        printf("%s: %s\n", jv_str(jv_at(moves, i), "service", "?"),
            jv_str(jv_at(moves, i), "text", "?"));
    if (!jv_len(moves))
        printf("nothing is started, taken over or moved\n");
    if (jv_bool(reply, "endless", false))
        printf("and so on: the constraints contradict each other\n");
    for (size_t i = 0; i < jv_len(gone); i++)
        printf("%s: is not in that configuration\n", jv_at_str(gone, i));
}

/* False: wrong usage. */
static bool
read_question(int n, char **words, struct jv *request)
{
    char path[PATH_MAX];

    if (n != 2)
        return false;
    jv_set_str(request, "op", "simulate");
    if (!strcmp(words[0], "fail") || !strcmp(words[0], "drain"))
        jv_set_str(request, words[0], words[1]);
    else if (!strcmp(words[0], "conf")) /* basculed reads it, in its own folder */
        jv_set_str(request, "conf", realpath(words[1], path) ? path : words[1]);
    else
        return false;
    return true;
}

int
simulate_cmd(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' }, { 0 } };
    struct jv *request, *reply = NULL;
    bool json = cli->json;
    int c, code;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'h') {
            printf("Usage: bascule " SYNOPSIS "\n\nWhat would happen; nothing does.\n");
            return CLI_OK;
        }
        if (c != 'j')
            return cli_usage(SYNOPSIS);
        json = true;
    }
    request = jv_object();
    if (!read_question(argc - optind, argv + optind, request)) {
        jv_free(request);
        return cli_usage(SYNOPSIS);
    }
    code = cli_ask(cli, request, &reply);
    if (code != CLI_OK)
        return code;
    if (json)
        cli_print_json(reply);
    else
        print_answer(reply);
    jv_free(reply);
    return CLI_OK;
}
