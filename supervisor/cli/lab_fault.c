/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/fault.h"
#include "lib/fd.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PROCS 4096

static int
need_host(struct lab *lab, const char *name, bool client, struct lab_host **out)
{
    *out = lab_node(lab, name);
    if (!*out && client && !strcmp(name, "client"))
        *out = lab_host(lab, name);
    if (*out)
        return CLI_OK;
    cli_error("lab %s has no node \"%s\": its nodes are n1 to n%u", lab->name, name,
        lab->nnodes);
    return CLI_USAGE;
}

static int
need_alive(const struct lab *lab, const struct lab_host *node)
{
    if (lab_host_alive(node))
        return CLI_OK;
    cli_error("%s is crashed: bascule lab fault --name %s restart %s", node->name,
        lab->name, node->name);
    return CLI_FAILED;
}

static int
crash(struct lab *lab, struct lab_host *node, char **args)
{
    (void)args;
    lab_host_kill(lab, node);
    return CLI_OK;
}

static int
hang(struct lab *lab, struct lab_host *node, char **args)
{
    int ret;

    (void)args;
    ret = lab_freeze(lab, node, true);
    if (ret < 0) {
        lab_freeze(lab, node, false);
        cli_error("%s cannot be stopped: %s", node->name, strerror(-ret));
        return CLI_FAILED;
    }
    node->state = LAB_HUNG;
    return CLI_OK;
}

static int
cut(struct lab *lab, struct lab_host *node, char **args)
{
    const char *what = args[0] ? args[0] : "all";
    struct lab_host *other = lab_node(lab, what);
    bool all = !strcmp(what, "all");
    int ret;

    if (other == node || (!other && !all && strcmp(what, "outside") != 0 &&
                             strcmp(what, "cluster") != 0))
        return cli_usage("lab fault cut NODE [outside|cluster|all] or cut NODE NODE");
    if (other) {
        ret = lab_net_apart(lab, node, other, true);
        if (ret < 0)
            cli_error("%s and %s cannot be cut apart: %s", node->name, other->name,
                strerror(-ret));
        return ret < 0 ? CLI_FAILED : CLI_OK;
    }
    if (all || !strcmp(what, "outside"))
        lab_net_link(lab, node, LAB_NET_OUTSIDE, false);
    if (all || !strcmp(what, "cluster"))
        lab_net_link(lab, node, LAB_NET_CLUSTER, false);
    return CLI_OK;
}

static int
lose(struct lab *lab, struct lab_host *host, char **args)
{
    char *end = NULL;
    unsigned long percent = args[0] ? strtoul(args[0], &end, 10) : 0;
    int ret;

    (void)lab;
    if (!args[0] || args[0][0] < '0' || args[0][0] > '9' || *end || percent > 99)
        return cli_usage("lab fault loss NODE|client PERCENT (0 to 99; 0: none)");
    ret = lab_net_loss(host, (unsigned)percent);
    if (ret == 0)
        return CLI_OK;
    cli_error("%s cannot lose packets: is there iptables with its match \"statistic\"?",
        host->name);
    return CLI_FAILED;
}

static int
kill_program(struct lab *lab, struct lab_host *node, char **args)
{
    struct lab_proc *procs;
    size_t n, hit = 0;
    char name[16];

    if (!args[0])
        return cli_usage("lab fault kill NODE PROGRAM");
    procs = calloc(MAX_PROCS, sizeof *procs);
    if (!procs)
        return CLI_FAILED;
    snprintf(name, sizeof name, "%s", args[0]); /* the kernel keeps 15 bytes */
    n = lab_procs(node, procs, MAX_PROCS);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(procs[i].name, name) && kill(procs[i].pid, SIGKILL) == 0)
            hit++;
    free(procs);
    if (hit)
        return CLI_OK;
    cli_error("no process of %s is named \"%s\": see `bascule lab exec --name %s %s -- "
              "ps ax`",
        node->name, args[0], lab->name, node->name);
    return CLI_FAILED;
}

/* args: POINT [ACTION].  The file is the node's own /run's, seen through its pid 1. */
static int
arm(struct lab *lab, struct lab_host *node, char **args)
{
    const char *action = args[0] && args[1] ? args[1] : "kill";
    char path[96], text[96];
    int ret;

    (void)lab;
    if (!args[0] || !fault_action_known(action))
        return cli_usage(
            "lab fault arm NODE POINT [kill|hang|crash|overflow|leak|leaks]");
    if (!fault_built_in()) {
        cli_error("this build has no fault points: configure --enable-fault-points");
        return CLI_FAILED;
    }
    if (!fault_known(args[0])) {
        cli_error(
            "there is no fault point \"%s\": `bascule lab points` lists them", args[0]);
        return CLI_USAGE;
    }
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)node->pid, FAULT_FILE);
    snprintf(text, sizeof text, "%s %s\n", args[0], action);
    ret = file_write(path, text);
    if (ret < 0)
        cli_error("%s: %s: %s", node->name, FAULT_FILE, strerror(-ret));
    return ret < 0 ? CLI_FAILED : CLI_OK;
}

static int
heal(struct lab *lab, struct lab_host *node, char **args)
{
    (void)args;
    if (node->state == LAB_CRASHED)
        return CLI_OK;
    for (int net = 0; net < LAB_NETS; net++)
        if (node->cut[net])
            lab_net_link(lab, node, (enum lab_net)net, true);
    for (unsigned i = 0; i < lab->nhosts; i++)
        if (lab->hosts[i].kind == LAB_NODE)
            lab_net_apart(lab, node, &lab->hosts[i], false);
    lab_net_loss(node, 0);
    if (node->state == LAB_HUNG)
        lab_freeze(lab, node, false);
    node->state = LAB_RUNNING;
    return CLI_OK;
}

/* A running node is switched off and on: its programs are not asked. */
static int
restart(struct lab *lab, struct lab_host *node, char **args)
{
    (void)args;
    lab_host_kill(lab, node);
    return lab_host_start(lab, node) == 0 ? CLI_OK : CLI_FAILED;
}

static const struct {
    const char *name;
    bool needs_life; /* not for a crashed node */
    bool all;        /* also for all hosts */
    bool client;     /* also for the client */
    int words;       /* itself and what may follow, at most */
    int (*act)(struct lab *lab, struct lab_host *node, char **args);
} faults[] = {
    { "crash", true, false, false, 2, crash },
    { "hang", true, false, false, 2, hang },
    { "cut", true, false, false, 3, cut },
    { "loss", true, false, true, 3, lose },
    { "kill", true, false, false, 3, kill_program },
    { "arm", true, false, false, 4, arm },
    { "heal", false, true, true, 2, heal },
    { "restart", false, false, false, 2, restart },
};
#define NFAULTS (sizeof faults / sizeof faults[0])

static size_t
find_fault(const char *name)
{
    size_t f = 0;

    while (f < NFAULTS && strcmp(faults[f].name, name) != 0)
        f++;
    return f;
}

int
lab_fault_usage(int argc, char **argv)
{
    size_t f = argc > 0 ? find_fault(argv[0]) : NFAULTS;

    if (argc < 2 || f == NFAULTS || argc > faults[f].words)
        return cli_usage("lab fault crash|hang|heal|restart NODE, cut NODE "
                         "[outside|cluster|all|NODE], loss NODE|client PERCENT, "
                         "kill NODE PROGRAM, arm NODE POINT "
                         "[kill|hang|crash|overflow|leak|leaks]");
    return CLI_OK;
}

static int
act_on(struct lab *lab, size_t f, const char *name, char **args)
{
    struct lab_host *node;
    int code = need_host(lab, name, faults[f].client, &node);

    if (code == CLI_OK && faults[f].needs_life)
        code = need_alive(lab, node);
    return code == CLI_OK ? faults[f].act(lab, node, args) : code;
}

/* argv: FAULT NODE [MORE]; ended by NULL. */
int
lab_fault_cmd(struct lab *lab, int argc, char **argv)
{
    size_t f = find_fault(argv[0]);
    int lock, ret, code = CLI_OK;

    (void)argc;
    lock = lab_lock(lab);
    ret = lab_load(lab, lab->name); /* as the last command left it */
    if (ret < 0)
        goto out;
    if (faults[f].all && !strcmp(argv[1], "all"))
        for (unsigned i = 1; i <= lab->nnodes + 1 && code == CLI_OK; i++) /* + client */
            code = act_on(lab, f, lab->hosts[lab->nhosts - i].name, argv + 2);
    else
        code = act_on(lab, f, argv[1], argv + 2);
    ret = lab_save(lab);
out:
    if (ret < 0) {
        cli_error("lab %s: its record: %s", lab->name, strerror(-ret));
        code = CLI_FAILED;
    }
    fd_close(lock);
    return code;
}
