/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ROWS 20
#define MAX_ROWS 1000
#define LOOK_US 200000

struct options {
    long rows;
    bool follow, json;
};

static bool
read_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "follow", no_argument, NULL, 'f' },
        { "json", no_argument, NULL, 'j' },
        { 0 },
    };
    int c;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, "n:f", options, NULL)) != -1) {
        if (c == 'f')
            o->follow = true;
        else if (c == 'j')
            o->json = true;
        else if (c == 'n' && cli_number(optarg, 1, MAX_ROWS, &o->rows))
            continue;
        else
            return false;
    }
    return optind == argc;
}

static void
print_row(const struct jv *row, bool json)
{
    int64_t ms = jv_int(row, "time_ms", 0), epoch = jv_int(row, "epoch", 0);
    time_t seconds = (time_t)(ms / 1000);
    const char *service = jv_str(row, "service", "");
    char when[32], *text;
    struct tm tm;

    if (json) { /* one object a line, so that it can be followed */
        text = jv_text(row, false);
        puts(text);
        free(text);
        return;
    }
    localtime_r(&seconds, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    printf("%6lld %s.%03d %-5s %-6s ", (long long)jv_int(row, "serial", 0), when,
        (int)(ms % 1000), jv_str(row, "severity", "?"), jv_str(row, "node", "-"));
    if (*service && epoch > 0)
        printf("%s (epoch %lld): ", service, (long long)epoch);
    else if (*service)
        printf("%s: ", service);
    printf("%s\n", jv_str(row, "text", ""));
}

/* Rows after @serial in the order of their serials; @serial moves on. */
static int
print_after(const struct cli *cli, int64_t *serial, long limit, bool json)
{
    struct jv *request = jv_object(), *reply = NULL;
    const struct jv *rows;
    size_t n;
    bool newest_first;
    int code;

    jv_set_str(request, "op", "journal");
    if (*serial >= 0)
        jv_set_int(request, "after", *serial);
    jv_set_int(request, "limit", limit);
    code = cli_ask(cli, request, &reply);
    if (code != CLI_OK)
        return code;
    rows = jv_get(reply, "rows");
    n = jv_len(rows);
    newest_first = n > 1 && jv_int(jv_at(rows, 0), "serial", 0) >
                                jv_int(jv_at(rows, n - 1), "serial", 0);
    for (size_t i = 0; i < n; i++) {
        const struct jv *row = jv_at(rows, newest_first ? n - 1 - i : i);

        print_row(row, json);
        if (jv_int(row, "serial", 0) > *serial)
            *serial = jv_int(row, "serial", 0);
    }
    if (*serial < 0)
        *serial = 0;
    jv_free(reply);
    fflush(stdout);
    return CLI_OK;
}

int
journal_cmd(const struct cli *cli, int argc, char **argv)
{
    struct options o = { .rows = DEFAULT_ROWS, .json = cli->json };
    int64_t serial = -1;
    int code;

    if (!read_options(argc, argv, &o))
        return cli_usage("journal [-n 1..%d] [--follow] [--json]", MAX_ROWS);
    code = print_after(cli, &serial, o.rows, o.json);
    while (o.follow && code == CLI_OK) {
        usleep(LOOK_US);
        code = print_after(cli, &serial, MAX_ROWS, o.json);
    }
    return code;
}
