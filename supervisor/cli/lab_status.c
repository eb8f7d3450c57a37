/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"
#include "supervisor/cli/lab_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PROCS 4096

static const char *
state_of(const struct lab_host *host)
{
    if (host->state != LAB_CRASHED && !lab_host_alive(host))
        return "dead"; /* not by a fault of ours */
    return lab_state_name(host->state);
}

static const char *
cut_of(const struct lab_host *host)
{
    if (host->cut[LAB_NET_OUTSIDE] && host->cut[LAB_NET_CLUSTER])
        return "all";
    if (host->cut[LAB_NET_OUTSIDE])
        return "outside";
    return host->cut[LAB_NET_CLUSTER] ? "cluster" : "";
}

static struct jv *
programs_of(const struct lab_host *host)
{
    struct lab_proc *procs = calloc(MAX_PROCS, sizeof *procs);
    struct jv *array = jv_array();
    size_t n = procs ? lab_procs(host, procs, MAX_PROCS) : 0;

    for (size_t i = 0; i < n; i++) {
        struct jv *p = jv_object();

        jv_set_str(p, "name", procs[i].name);
        jv_set_int(p, "pid", procs[i].pid);
        jv_push(array, p);
    }
    free(procs);
    return array;
}

static struct jv *
host_status(const struct lab *lab, const struct lab_host *host)
{
    struct jv *j = jv_object(), *apart = jv_array();
    char root[64];

    jv_set_str(j, "name", host->name);
    jv_set_str(j, "state", state_of(host));
    jv_set_int(j, "pid", host->pid);
    snprintf(root, sizeof root, "/proc/%d/root", (int)host->pid);
    jv_set_str(j, "root", host->pid ? root : NULL);
    jv_set_str(j, "cut", cut_of(host));
    for (unsigned k = 1; k <= lab->nnodes; k++)
        if (lab->apart[host->number][k])
            jv_push_str(apart, lab->hosts[k + lab->nhosts - lab->nnodes - 1].name);
    jv_set(j, "apart", apart);
    jv_set_int(j, "loss", host->loss);
    jv_set(j, "processes", programs_of(host));
    return j;
}

static struct jv *
whole_status(const struct lab *lab)
{
    struct jv *j = jv_object(), *nodes = jv_array(), *cluster;

    jv_set_str(j, "name", lab->name);
    jv_set_str(j, "directory", lab->dir);
    for (unsigned i = 0; i < lab->nhosts; i++) {
        const struct lab_host *host = &lab->hosts[i];

        if (host->kind == LAB_NODE)
            jv_push(nodes, host_status(lab, host));
        else
            jv_set(j, host->name, host_status(lab, host));
    }
    jv_set(j, "nodes", nodes);
    cluster = lab_cluster_status(lab);
    if (cluster)
        jv_set(j, "status", cluster);
    else
        jv_set_str(j, "status", NULL);
    return j;
}

static void
print_host(const struct lab *lab, const struct jv *host)
{
    const struct jv *apart = jv_get(host, "apart"), *procs = jv_get(host, "processes");
    const char *cut = jv_str(host, "cut", "");

    (void)lab;
    printf("%-8s %-8s", jv_str(host, "name", "?"), jv_str(host, "state", "?"));
    if (*cut)
        printf(" cut: %s", cut);
    for (size_t i = 0; i < jv_len(apart); i++)
        printf(" apart from %s", jv_at_str(apart, i));
    if (jv_int(host, "loss", 0))
        printf(" loss %d %%", (int)jv_int(host, "loss", 0));
    printf(" ");
    for (size_t i = 0; i < jv_len(procs); i++) {
        const char *name = jv_str(jv_at(procs, i), "name", "?");

        if (strcmp(name, "bascule-lab") != 0)
            printf(" %s", name);
    }
    printf("\n");
}

int
lab_status_cmd(struct lab *lab, bool json)
{
    struct jv *j = whole_status(lab);
    const struct jv *nodes = jv_get(j, "nodes");
    char missing[400];

    if (json) {
        cli_print_json(j);
        goto out;
    }
    for (size_t i = 0; i < jv_len(nodes); i++)
        print_host(lab, jv_at(nodes, i));
    print_host(lab, jv_get(j, "client"));
    if (lab_missing(lab, jv_has(j, "status") ? jv_get(j, "status") : NULL, missing,
            sizeof missing))
        printf("not all protected: %s\n", missing);
    else
        printf("every service is protected\n");
out:
    jv_free(j);
    return CLI_OK;
}
