/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/mcast_lab.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    printf("SKIP: cannot make the network of the test: %s\n", what);
    exit(77);
}

void
lab_new(struct mcast_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    lab->ns[0] = netlab_ns();
    must(netlab_run(lab->ns[0],
             "ip link set lo up && ip link add br0 type bridge "
             "forward_delay 0 mcast_snooping 0 && ip link set br0 up"),
        "bridge");
    for (unsigned i = 1; i <= LAB_NODES; i++) {
        lab->ns[i] = netlab_ns();
        must(netlab_run(lab->ns[0],
                 "ip link add p%u type veth peer name eth0 netns /proc/%d/fd/%d && "
                 "ip link set p%u master br0 up",
                 i, getpid(), lab->ns[i], i),
            "veth");
        must(netlab_run(lab->ns[i],
                 "ip link set lo up && ip link set eth0 up && "
                 "ip addr add 10.94.0.%u/24 dev eth0 && "
                 "ip addr add fd94::%u/64 dev eth0 nodad",
                 i, i),
            "addresses");
    }
    strcpy(lab->conf.cluster, "lab");
    lab->conf.port = 7810;
    lab->conf.behind_ms = 50;
    lab->conf.nnodes = LAB_NODES;
    lab->conf.nservices = 1;
    strcpy(lab->conf.services[0].name, "echo");
    seal_random(lab->secret.key, sizeof lab->secret.key);
    lab_way(lab, LAB_V4_GROUP);
}

const char *
lab_way_name(enum lab_way way)
{
    static const char *const names[] = { "IPv4 group", "IPv4 list", "IPv6 group",
        "IPv6 list" };

    return names[way];
}

void
lab_way(struct mcast_lab *lab, enum lab_way way)
{
    bool v4 = way == LAB_V4_GROUP || way == LAB_V4_LIST;
    bool group = way == LAB_V4_GROUP || way == LAB_V6_GROUP;

    strcpy(lab->conf.multicast, !group ? "" : v4 ? "239.94.0.1" : "ff15::94");
    for (unsigned i = 0; i < LAB_NODES; i++) {
        struct conf_node *n = &lab->conf.nodes[i];

        n->id = i + 1;
        snprintf(n->name, sizeof n->name, "n%u", i + 1);
        snprintf(n->address, sizeof n->address, v4 ? "10.94.0.%u" : "fd94::%u", i + 1);
    }
}

void
lab_loss(struct mcast_lab *lab, unsigned node, unsigned percent)
{
    static const char *const tables[] = { "iptables", "ip6tables" };

    for (unsigned i = 0; i < 2; i++) {
        netlab_run(lab->ns[node], "%s -F INPUT", tables[i]);
        if (percent)
            must(netlab_run(lab->ns[node],
                     "%s -A INPUT -p udp -m statistic --mode random --probability "
                     "0.%02u "
                     "-j DROP",
                     tables[i], percent),
                "loss (iptables -m statistic)");
    }
}

struct mcast *
lab_open(struct mcast_lab *lab, unsigned node, struct loop *loop,
    const struct mcast_calls *calls, void *arg, size_t ring_bytes)
{
    const struct mcast_options o = { .conf = &lab->conf,
        .service = &lab->conf.services[0],
        .self = &lab->conf.nodes[node - 1],
        .secret = &lab->secret,
        .loop = loop,
        .calls = calls,
        .arg = arg,
        .ring_bytes = ring_bytes,
        .no_aes = lab->no_aes };
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    char error[MCAST_ERROR_LEN];
    struct mcast *m = NULL;

    netlab_enter(lab->ns[node]);
    if (mcast_open(&o, &m, error) < 0) {
        printf("FAIL: %s\n", error);
        exit(1);
    }
    netlab_enter(before);
    close(before);
    return m;
}
