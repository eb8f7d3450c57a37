/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lab_cmd.c - the command line of `bascule lab`; see bascule-lab(8). */
#include "lib/fault.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_NAME "lab"
#define DEFAULT_NODES 3
#define DEFAULT_TIMEOUT_S 60

struct options {
    const char *name, *bin;
    unsigned nodes, timeout_s, token_ms;
    bool json, built;
};

static bool
number(const char *text, unsigned max, unsigned *out)
{
    long v;

    if (!cli_number(text, 1, max, &v))
        return false;
    *out = (unsigned)v;
    return true;
}

/* With @own the first word that is no option ends them: a command keeps its own. */
static int
read_options(int argc, char **argv, bool own, struct options *o)
{
    static const struct option options[] = {
        { "name", required_argument, NULL, 'n' },
        { "nodes", required_argument, NULL, 'c' },
        { "timeout", required_argument, NULL, 't' },
        { "bindir", required_argument, NULL, 'b' },
        { "token", required_argument, NULL, 'T' },
        { "json", no_argument, NULL, 'j' },
        { "built", no_argument, NULL, 'B' },
        { 0 },
    };
    bool ok = true;
    int c;

    cli_options_begin();
    while ((c = getopt_long(argc, argv, own ? "+" : "", options, NULL)) != -1) {
        if (c == 'n')
            o->name = optarg;
        else if (c == 'c')
            ok = ok && number(optarg, CONF_MAX_NODES, &o->nodes);
        else if (c == 't')
            ok = ok && number(optarg, 86400, &o->timeout_s);
        else if (c == 'T')
            ok = ok && number(optarg, 10000, &o->token_ms) &&
                 o->token_ms >= LAB_TOKEN_MS;
        else if (c == 'b')
            o->bin = optarg;
        else if (c == 'j')
            o->json = true;
        else if (c == 'B')
            o->built = true;
        else
            return CLI_USAGE; /* getopt has said why */
    }
    return ok ? CLI_OK
              : cli_usage("--nodes wants 1 to %d, --timeout 1 to 86400 seconds, "
                          "--token %d to 10000 ms",
                    CONF_MAX_NODES, LAB_TOKEN_MS);
}

static int
need_lab(struct lab *lab, const char *name)
{
    int ret = lab_load(lab, name);

    if (ret == 0)
        return CLI_OK;
    if (ret == -EINVAL)
        cli_error("\"%s\" is not the name of a lab", name);
    else if (ret == -ENOENT)
        cli_error("there is no lab \"%s\": bascule lab up --name %s CONF", name, name);
    else
        cli_error("lab %s: %s", name, strerror(-ret));
    return ret == -EINVAL ? CLI_USAGE : CLI_UNREACHABLE;
}

static int
up(const struct options *o, int argc, char **argv)
{
    struct lab lab;

    if (argc != 1)
        return cli_usage("lab up [--name L] [--nodes N] [--token MS] [--timeout S] "
                         "[--bindir DIR] CONF");
    if (!lab_init(&lab, o->name, o->nodes))
        return cli_usage("the name of a lab is made of a-z, 0-9 and '-', begins with a "
                         "letter, and has up to %d of them",
            LAB_NAME_LEN - 1);
    lab.token_ms = o->token_ms;
    return lab_up_cmd(&lab, argv[0], o->bin, (int)o->timeout_s);
}

static int
down(const struct options *o, int argc, char **argv)
{
    (void)argv;
    if (argc != 0)
        return cli_usage("lab down [--name L]");
    return lab_down_cmd(o->name);
}

static int
execute(const struct options *o, int argc, char **argv)
{
    struct lab lab;
    int dashes, code;

    dashes = argc > 1 && !strcmp(argv[1], "--");
    if (argc < 2 + dashes)
        return cli_usage("lab exec [--name L] HOST -- COMMAND...");
    code = need_lab(&lab, o->name);
    return code == CLI_OK ? lab_exec_cmd(&lab, argv[0], argv + 1 + dashes) : code;
}

static int
status(const struct options *o, int argc, char **argv)
{
    struct lab lab;
    int code;

    (void)argv;
    if (argc != 0)
        return cli_usage("lab status [--name L] [--json]");
    code = need_lab(&lab, o->name);
    return code == CLI_OK ? lab_status_cmd(&lab, o->json) : code;
}

static int
fault(const struct options *o, int argc, char **argv)
{
    struct lab lab;
    int code = lab_fault_usage(argc, argv);

    if (code == CLI_OK)
        code = need_lab(&lab, o->name);
    return code == CLI_OK ? lab_fault_cmd(&lab, argc, argv) : code;
}

static int
points(const struct options *o, int argc, char **argv)
{
    if (argc != 0)
        return cli_usage("lab points [--built]");
    (void)argv;
    if (o->built && !fault_built_in())
        return CLI_FAILED;
    for (size_t i = 0; i < fault_nnames; i++)
        printf("%-24s %-16s %s\n", fault_names[i].name, fault_names[i].program,
            fault_names[i].when);
    return CLI_OK;
}

int
lab_cmd(const struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct options *o, int argc, char **argv);
    } commands[] = { { "up", up }, { "down", down }, { "exec", execute },
        { "status", status }, { "fault", fault }, { "points", points } };
    struct options o = { .name = DEFAULT_NAME,
        .nodes = DEFAULT_NODES,
        .timeout_s = DEFAULT_TIMEOUT_S,
        .token_ms = LAB_TOKEN_MS,
        .json = cli->json };
    const char *name = argc > 1 ? argv[1] : "";
    int code;

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        code = read_options(argc - 1, argv + 1, commands[i].run == execute, &o);
        if (code != CLI_OK)
            return code;
        return commands[i].run(&o, argc - 1 - optind, argv + 1 + optind);
    }
    return cli_usage("lab up|down|exec|status|fault|points");
}
