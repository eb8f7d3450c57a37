/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab.h"

#include "lib/fd.h"
#include "lib/jv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char *const state_names[] = { "running", "hung", "crashed" };

const char *
lab_state_name(enum lab_state state)
{
    return state_names[state];
}

static bool
set_name(struct lab *lab, const char *name)
{
    char copy[LAB_NAME_LEN]; /* @name may be the lab's own */
    size_t n = strlen(name);

    if (n < 1 || n >= sizeof lab->name || *name < 'a' || *name > 'z' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
        return false;
    strcpy(copy, name);
    memset(lab, 0, sizeof *lab);
    strcpy(lab->name, copy);
    snprintf(lab->dir, sizeof lab->dir, "%s/%s", LAB_ROOT, name);
    return true;
}

static struct lab_host *
add_host(struct lab *lab, const char *name, enum lab_kind kind, unsigned number)
{
    struct lab_host *host = &lab->hosts[lab->nhosts++];

    snprintf(host->name, sizeof host->name, "%s", name);
    host->kind = kind;
    host->number = number;
    host->state = LAB_CRASHED;
    return host;
}

bool
lab_init(struct lab *lab, const char *name, unsigned nnodes)
{
    if (!set_name(lab, name) || nnodes < 1 || nnodes > CONF_MAX_NODES)
        return false;
    lab->nnodes = nnodes;
    lab->token_ms = LAB_TOKEN_MS;
    add_host(lab, "outside", LAB_OUTSIDE, 0);
    add_host(lab, "cluster", LAB_CLUSTER, 0);
    add_host(lab, "client", LAB_CLIENT, 0);
    for (unsigned i = 1; i <= nnodes; i++) {
        char node[16];

        snprintf(node, sizeof node, "n%u", i);
        add_host(lab, node, LAB_NODE, i);
    }
    return true;
}

const char *
lab_path(char out[256], const struct lab *lab, const char *host, const char *rest)
{
    snprintf(out, 256, "%s/%s%s%s", lab->dir, host, *rest ? "/" : "", rest);
    return out;
}

struct lab_host *
lab_host(struct lab *lab, const char *name)
{
    for (unsigned i = 0; i < lab->nhosts; i++)
        if (!strcmp(lab->hosts[i].name, name))
            return &lab->hosts[i];
    return NULL;
}

struct lab_host *
lab_node(struct lab *lab, const char *name)
{
    struct lab_host *host = lab_host(lab, name);

    return host && host->kind == LAB_NODE ? host : NULL;
}

int
lab_lock(const struct lab *lab)
{
    int fd = open(lab->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            int ret = -errno;

            fd_close(fd);
            return ret;
        }
    return fd;
}

static struct jv *
host_to_json(const struct lab_host *host)
{
    struct jv *j = jv_object();

    jv_set_str(j, "name", host->name);
    jv_set_str(j, "state", lab_state_name(host->state));
    jv_set_int(j, "pid", host->pid);
    jv_set_int(j, "start", (int64_t)host->start);
    jv_set_bool(j, "cut_outside", host->cut[LAB_NET_OUTSIDE]);
    jv_set_bool(j, "cut_cluster", host->cut[LAB_NET_CLUSTER]);
    jv_set_int(j, "loss", host->loss);
    return j;
}

/* Written beside and renamed: a command that dies leaves the old or the new one. */
int
lab_save(const struct lab *lab)
{
    struct jv *j = jv_object(), *hosts = jv_array(), *apart = jv_array();
    char path[256], fresh[256];
    char *text;
    int ret;

    for (unsigned i = 0; i < lab->nhosts; i++)
        jv_push(hosts, host_to_json(&lab->hosts[i]));
    for (int64_t a = 1; a <= lab->nnodes; a++)
        for (int64_t b = a + 1; b <= lab->nnodes; b++)
            if (lab->apart[a][b])
                jv_push_int(apart, a * 100 + b);
    jv_set_int(j, "nodes", lab->nnodes);
    jv_set_str(j, "bin", lab->bin);
    jv_set_bool(j, "device", lab->device);
    jv_set(j, "hosts", hosts);
    jv_set(j, "apart", apart);
    text = jv_text(j, true);
    lab_path(fresh, lab, "lab.json.new", "");
    ret = file_write(fresh, text);
    if (ret == 0 && rename(fresh, lab_path(path, lab, "lab.json", "")) < 0)
        ret = -errno;
    free(text);
    jv_free(j);
    return ret;
}

static void
host_from_json(struct lab_host *host, const struct jv *j)
{
    const char *state = jv_str(j, "state", "crashed");

    host->pid = (pid_t)jv_int(j, "pid", 0);
    host->start = (uint64_t)jv_int(j, "start", 0);
    host->cut[LAB_NET_OUTSIDE] = jv_bool(j, "cut_outside", false);
    host->cut[LAB_NET_CLUSTER] = jv_bool(j, "cut_cluster", false);
    host->loss = (unsigned)jv_int(j, "loss", 0);
    for (int s = LAB_RUNNING; s <= LAB_CRASHED; s++)
        if (!strcmp(state, state_names[s]))
            host->state = (enum lab_state)s;
}

static bool
from_json(struct lab *lab, const char *name, const struct jv *j)
{
    const struct jv *hosts = jv_get(j, "hosts"), *apart = jv_get(j, "apart");

    if (!lab_init(lab, name, (unsigned)jv_int(j, "nodes", 0)))
        return false;
    snprintf(lab->bin, sizeof lab->bin, "%s", jv_str(j, "bin", ""));
    lab->device = jv_bool(j, "device", false);
    for (size_t i = 0; i < jv_len(hosts) && i < lab->nhosts; i++)
        host_from_json(&lab->hosts[i], jv_at(hosts, i));
    for (size_t i = 0; i < jv_len(apart); i++) {
        int64_t pair = jv_at_int(apart, i), a = pair / 100, b = pair % 100;

        if (a >= 1 && b >= 1 && a <= lab->nnodes && b <= lab->nnodes)
            lab->apart[a][b] = lab->apart[b][a] = true;
    }
    return true;
}

int
lab_load(struct lab *lab, const char *name)
{
    char path[256], text[16384];
    struct jv *j = NULL;
    ssize_t n;
    int ret = 0;

    if (!set_name(lab, name))
        return -EINVAL;
    n = file_read(lab_path(path, lab, "lab.json", ""), text, sizeof text);
    if (n < 0)
        return (int)n;
    j = jv_parse(text, (size_t)n);
    if (!from_json(lab, name, j))
        ret = -EBADMSG;
    jv_free(j);
    return ret;
}
