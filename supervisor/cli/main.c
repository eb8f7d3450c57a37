/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - bascule, the operator's command line; see bascule(8). */
#include "lib/cmdline.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 5000
#define RUN_DIR_LEN 90 /* with the name of a socket, what the kernel takes */

static const char help[] =
    "Usage: bascule [--run-dir DIR] [--json] COMMAND [ARGUMENT...]\n"
    "\n"
    "  status                         the cluster, its nodes and services\n"
    "  services                       the services: state, where, standbys, gates\n"
    "  nodes                          the nodes: state, health\n"
    "  orders                         what was ordered, by whom, and what became of "
    "it\n"
    "  switchover SERVICE [NODE]      move a service; waits until it is done\n"
    "      --no-wait                  only give the order\n"
    "  drain NODE                     move all its services elsewhere; resume NODE "
    "ends it\n"
    "  maintenance on|off [...]       hands off the cluster, a node or a service\n"
    "  freeze on|off [...]            no moves for order's sake\n"
    "  policy SERVICE POLICY          replay, commit, warm or cold\n"
    "  checkpoint SERVICE             now; or --interval MS: how often at least\n"
    "  clear SERVICE [NODE]           forget its failures\n"
    "  ack SERIAL                     an event of the journal has been seen\n"
    "  simulate fail|drain NODE       what would happen; also: simulate conf FILE\n"
    "  journal [-n N] [--follow]      what happened, newest last\n"
    "  check [CONF]                   the configuration, and what this host lacks\n"
    "  lab up|down|exec|status|fault  a cluster on one machine: bascule-lab(8)\n"
    "  demo [--json FILE]             a lab, a client, four failures and a table\n"
    "\n"
    "  --json       (status, services, nodes, orders, simulate, journal, check, lab\n"
    "               status) for programs\n"
    "  --run-dir    where basculed's socket is (default /run/bascule)\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 wrong usage, 3 nobody answers, 4 refused.\n";

void
cli_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cmdline_error("bascule", fmt, ap);
    va_end(ap);
}

int
cli_usage(const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cli_error("usage: bascule %s (see bascule --help)", text);
    return CLI_USAGE;
}

void
cli_options_begin(void)
{
    optind = 0; /* glibc: scan anew */
}

bool
cli_number(const char *text, long least, long most, long *out)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || v < least || v > most)
        return false;
    *out = v;
    return true;
}

void
cli_print_json(const struct jv *j)
{
    char *text = jv_text(j, true);

    puts(text);
    free(text);
}

int
cli_ask(const struct cli *cli, struct jv *request, struct jv **reply)
{
    char path[108];
    struct jv *r = NULL;
    int ret;

    snprintf(path, sizeof path, "%s/basculed.sock", cli->run_dir);
    ret = ctl_call(path, request, ASK_MS, &r);
    if (ret == -EACCES || ret == -EPERM)
        cli_error(
            "%s: %s: be root, or a member of the group bascule", path, strerror(-ret));
    else if (ret < 0)
        cli_error(
            "basculed does not answer at %s (%s): is it running? its log says why "
            "not",
            path, strerror(-ret));
    if (ret < 0)
        return CLI_UNREACHABLE;
    if (!jv_bool(r, "ok", false)) {
        cli_error("%s", jv_str(r, "error", "refused without a reason"));
        jv_free(r);
        return CLI_REFUSED;
    }
    *reply = r;
    return CLI_OK;
}

static int
run_command(const struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cli *cli, int argc, char **argv);
    } commands[] = { { "status", status_cmd }, { "services", services_cmd },
        { "nodes", nodes_cmd }, { "simulate", simulate_cmd }, { "orders", orders_cmd },
        { "switchover", order_cmd }, { "drain", order_cmd }, { "resume", order_cmd },
        { "maintenance", order_cmd }, { "freeze", order_cmd }, { "policy", order_cmd },
        { "checkpoint", order_cmd }, { "clear", order_cmd }, { "ack", order_cmd },
        { "journal", journal_cmd }, { "check", check_cmd }, { "lab", lab_cmd },
        { "demo", demo_cmd } };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(commands[i].name, argv[0]))
            return commands[i].run(cli, argc, argv);
    return cli_usage("COMMAND: there is no command \"%s\"", argv[0]);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { "json", no_argument, NULL, 'j' },
        { "run-dir", required_argument, NULL, 'r' },
        { 0 },
    };
    struct cli cli = { .run_dir = "/run/bascule" };
    int c;

    if (argc > 1 && !strcmp(argv[1], "lab-host"))
        return lab_host_main(argc - 1, argv + 1);
    log_init("bascule", LOG_LEVEL_WARN);
    while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return CLI_OK;
        }
        if (c == 'V') {
            puts("bascule " VERSION);
            return CLI_OK;
        }
        if (c == 'j')
            cli.json = true;
        else if (c == 'r' && strlen(optarg) < RUN_DIR_LEN)
            cli.run_dir = optarg;
        else if (c == 'r')
            return cli_usage("--run-dir DIR COMMAND: DIR is too long for a socket");
        else
            return CLI_USAGE;
    }
    if (optind == argc)
        return cli_usage("COMMAND ...");
    return run_command(&cli, argc - optind, argv + optind);
}
