/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab.h"

#include "lib/fd.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
run_in_netns(const char *const argv[], const char *input, pid_t pid)
{
    char path[64];
    int netns, ret;

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0)
        return -errno;
    ret = run_program(argv, input, netns);
    fd_close(netns);
    return ret;
}

static int
ip_batch(pid_t pid, const char *script)
{
    const char *const argv[] = { "ip", "-batch", "-", NULL };

    return run_in_netns(argv, script, pid);
}

static int
rename_port(void *arg)
{
    const char *name = arg;
    struct ifreq ifr = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

    if (fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    snprintf(ifr.ifr_newname, sizeof ifr.ifr_newname, "old%d.%s", (int)getpid(), name);
    if (ioctl(fd, SIOCSIFNAME, &ifr) < 0)
        ret = -errno;
    fd_close(fd);
    return ret;
}

/* The last namespace of a host that was killed may still be dying, its ports with it.
 */
static void
free_port(const struct lab_host *sw, const char *name)
{
    in_netns(sw->pid, rename_port, (void *)(uintptr_t)name);
}

/* Neither a switch nor a node is a firewall here, but where the kernel has br_netfilter
 * each frame of their bridges goes through iptables. */
static int
forward_only(void *arg)
{
    static const char *const families[] = { "iptables", "ip6tables", "arptables" };
    char path[64];
    int ret = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof families / sizeof families[0] && ret == 0; i++) {
        snprintf(
            path, sizeof path, "/proc/sys/net/bridge/bridge-nf-call-%s", families[i]);
        ret = access(path, F_OK) == 0 ? file_write(path, "0") : 0;
    }
    return ret;
}

static int
make_switch(const struct lab_host *host)
{
    int ret = in_netns(host->pid, forward_only, NULL);

    return ret < 0 ? ret
                   : ip_batch(host->pid,
                         "link set lo up\n"
                         "link add br0 type bridge stp_state 0 forward_delay 0 "
                         "mcast_snooping 0\n"
                         "link set br0 addrgenmode none up\n");
}

static int
plug_in(const struct lab_host *sw, const char *port)
{
    char script[256];

    snprintf(script, sizeof script,
        "link set %s addrgenmode none\nlink set %s master br0 up\n", port, port);
    return ip_batch(sw->pid, script);
}

static int
make_client(struct lab *lab, const struct lab_host *host)
{
    char script[512];
    int ret;

    snprintf(script, sizeof script,
        "link set lo up\n"
        "link add eth0 address 02:0b:01:00:00:fe type veth peer name client netns %d\n"
        "link set eth0 up\n"
        "addr add 10.77.1.254/24 dev eth0\n"
        "addr add fd77:1::254/64 dev eth0 nodad\n",
        (int)lab_host(lab, "outside")->pid);
    ret = ip_batch(host->pid, script);
    return ret < 0 ? ret : plug_in(lab_host(lab, "outside"), "client");
}

/* eth0 is a bridge, as on a real host: the services' gates plug into it. */
static int
make_node(struct lab *lab, const struct lab_host *host)
{
    const struct lab_host *outside = lab_host(lab, "outside");
    const struct lab_host *cluster = lab_host(lab, "cluster");
    unsigned n = host->number;
    char script[1024];
    int ret;

    free_port(outside, host->name);
    free_port(cluster, host->name);
    ret = in_netns(host->pid, forward_only, NULL);
    if (ret < 0)
        return ret;
    snprintf(script, sizeof script,
        "link set lo up\n"
        "link add eth0 address 02:0b:01:00:00:%02x type bridge stp_state 0 "
        "forward_delay 0 mcast_snooping 0\n"
        "link add out0 type veth peer name n%u netns %d\n"
        "link set out0 addrgenmode none\n"
        "link set out0 master eth0 up\n"
        "link set eth0 up\n"
        "addr add 10.77.1.%u/24 dev eth0\n"
        "addr add fd77:1::%u/64 dev eth0 nodad\n"
        "link add eth1 address 02:0b:02:00:00:%02x type veth peer name n%u netns %d\n"
        "link set eth1 up\n"
        "addr add 10.77.2.%u/24 dev eth1\n",
        n, n, (int)outside->pid, n, n, n, n, (int)cluster->pid, n);
    ret = ip_batch(host->pid, script);
    if (ret == 0)
        ret = plug_in(outside, host->name);
    if (ret == 0)
        ret = plug_in(cluster, host->name);
    return ret;
}

int
lab_net_make(struct lab *lab, struct lab_host *host)
{
    int ret;

    if (host->kind == LAB_NODE)
        ret = make_node(lab, host);
    else if (host->kind == LAB_CLIENT)
        ret = make_client(lab, host);
    else
        ret = make_switch(host);
    if (ret < 0)
        cli_error("lab %s: the network of %s cannot be made: %s", lab->name, host->name,
            ret == -ECHILD ? "see above" : strerror(-ret));
    return ret;
}

/* ---- cables ---- */

struct link {
    const char *name;
    bool up;
};

static int
set_link(void *arg)
{
    const struct link *link = arg;
    struct ifreq ifr = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

    if (fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", link->name);
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0) {
        ret = -errno;
        goto out;
    }
    if (link->up)
        ifr.ifr_flags |= IFF_UP;
    else
        ifr.ifr_flags = (short)(ifr.ifr_flags & ~IFF_UP);
    if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
        ret = -errno;
out:
    fd_close(fd);
    return ret;
}

/* At the switch's end: a cable that is cut, not an interface that is shut. */
void
lab_net_link(struct lab *lab, struct lab_host *host, enum lab_net net, bool up)
{
    struct lab_host *sw = lab_host(lab, net == LAB_NET_OUTSIDE ? "outside" : "cluster");
    struct link link = { host->name, up };

    in_netns(sw->pid, set_link, &link);
    host->cut[net] = !up;
}

static int
forward_rule(pid_t sw, const char *how, const char *from, const char *to)
{
    const char *const argv[] = { "ebtables", how, "FORWARD", "-i", from, "-o", to, "-j",
        "DROP", NULL };

    return run_in_netns(argv, NULL, sw);
}

int
lab_net_apart(struct lab *lab, struct lab_host *a, struct lab_host *b, bool apart)
{
    const char *how = apart ? "-A" : "-D";
    pid_t sw = lab_host(lab, "cluster")->pid;
    int ret;

    if (lab->apart[a->number][b->number] == apart)
        return 0;
    ret = forward_rule(sw, how, a->name, b->name);
    if (ret == 0)
        ret = forward_rule(sw, how, b->name, a->name);
    if (ret == 0)
        lab->apart[a->number][b->number] = lab->apart[b->number][a->number] = apart;
    return ret;
}

static int
loss_rule(
    const char *tables, const char *how, const struct lab_host *host, unsigned percent)
{
    const char *in = host->kind == LAB_NODE ? "eth1" : "eth0";
    char share[16];
    const char *const argv[] = { tables, "-t", "raw", how, "PREROUTING", "-i", in, "-m",
        "statistic", "--mode", "random", "--probability", share, "-j", "DROP", NULL };

    snprintf(share, sizeof share, "0.%02u", percent);
    return run_in_netns(argv, NULL, host->pid);
}

int
lab_net_loss(struct lab_host *host, unsigned percent)
{
    static const char *const tables[] = { "iptables", "ip6tables" };
    int ret = 0;

    for (unsigned i = 0; i < 2 && ret == 0 && host->loss; i++)
        ret = loss_rule(tables[i], "-D", host, host->loss);
    for (unsigned i = 0; i < 2 && ret == 0 && percent; i++)
        ret = loss_rule(tables[i], "-A", host, percent);
    if (ret == 0)
        host->loss = percent;
    return ret;
}
