/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

int
netlab_ns(void)
{
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), ns;

    if (before < 0 || unshare(CLONE_NEWNET) < 0) {
        printf("SKIP: network namespaces need root\n");
        exit(NETLAB_SKIP);
    }
    ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    netlab_enter(before);
    close(before);
    return ns;
}

bool
netlab_run(int ns, const char *fmt, ...)
{
    char command[1024];
    int status = -1;
    va_list ap;
    pid_t pid;

    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        netlab_enter(ns);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

void
netlab_enter(int ns)
{
    if (setns(ns, CLONE_NEWNET) < 0) {
        perror("setns");
        exit(1);
    }
}

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    printf("SKIP: cannot make the network of the test: %s\n", what);
    exit(NETLAB_SKIP);
}

static void
host_up(const struct netlab *lab, int ns, const char *port)
{
    must(netlab_run(lab->client,
             "ip link add %s type veth peer name eth0 netns /proc/%d/fd/%d && "
             "ip link set %s up",
             port, getpid(), ns, port),
        "veth");
    must(netlab_run(ns, "ip link set lo up; ip link set eth0 address 02:00:5e:00:00:64 "
                        "&& sysctl -qw net.ipv6.conf.all.accept_dad=0 "
                        "net.ipv6.conf.eth0.accept_dad=0 && ip link set eth0 up && "
                        "ip addr add 10.93.0.100/24 dev eth0 && "
                        "ip addr add fd93::100/64 dev eth0 nodad && "
                        "ip neigh replace 10.93.0.10 lladdr 02:00:5e:00:00:0a dev eth0 "
                        "nud permanent && ip neigh replace fd93::10 lladdr "
                        "02:00:5e:00:00:0a dev eth0 nud permanent"),
        "addresses of a host");
}

void
netlab_new(struct netlab *lab)
{
    lab->client = netlab_ns();
    lab->primary = netlab_ns();
    lab->standby = netlab_ns();
    must(netlab_run(lab->client,
             "ip link set lo up; ip link add br0 address 02:00:5e:00:00:0a type bridge "
             "forward_delay 0 mcast_snooping 0 && ip link set br0 up && "
             "ip addr add 10.93.0.10/24 dev br0 && "
             "ip addr add fd93::10/64 dev br0 nodad && "
             "ip neigh replace 10.93.0.100 lladdr 02:00:5e:00:00:64 dev br0 "
             "nud permanent && ip neigh replace fd93::100 lladdr 02:00:5e:00:00:64 "
             "dev br0 nud permanent"),
        "bridge");
    /* without any port the bridge loses its carrier, and what is sent is nowhere seen
     */
    must(netlab_run(lab->client,
             "ip link add p_keep type veth peer name keep && ip link set p_keep master "
             "br0 addrgenmode none up && ip link set keep addrgenmode none up"),
        "carrier of the bridge");
    host_up(lab, lab->primary, "p_primary");
    host_up(lab, lab->standby, "p_standby");
    netlab_plug(lab, "primary");
}

void
netlab_plug(const struct netlab *lab, const char *who)
{
    static const char *const hosts[] = { "primary", "standby" };

    for (unsigned i = 0; i < 2; i++)
        netlab_run(lab->client, "ip link set p_%s %s", hosts[i],
            strcmp(hosts[i], who) == 0 ? "master br0" : "nomaster");
}

int
netlab_tun(int ns)
{
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int tun;

    strcpy(request.ifr_name, "rp0");
    netlab_enter(ns); /* a TUN belongs to the namespace of its open() */
    tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    must(tun >= 0 && ioctl(tun, TUNSETIFF, &request) == 0, "TUN");
    netlab_enter(before);
    close(before);
    must(
        netlab_run(ns, "ip link set rp0 up && sysctl -qw net.ipv4.conf.all.rp_filter=0 "
                       "net.ipv4.conf.rp0.rp_filter=0"),
        "TUN up");
    return tun;
}

void
netlab_deaf(int ns, bool deaf)
{
    static const char *const tools[] = { "iptables", "ip6tables" };

    for (unsigned i = 0; i < 2; i++)
        must(netlab_run(ns, "%s -w -t raw -%c PREROUTING -p tcp -j DROP", tools[i],
                 deaf ? 'A' : 'D'),
            "iptables");
}

socklen_t
netlab_service(int family, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *a = (struct sockaddr_in *)out;
    struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    out->ss_family = (sa_family_t)family;
    a->sin_port = htons(port); /* at the same place in both */
    if (family == AF_INET)
        inet_pton(AF_INET, "10.93.0.100", &a->sin_addr);
    else
        inet_pton(AF_INET6, "fd93::100", &a6->sin6_addr);
    return family == AF_INET ? sizeof *a : sizeof *a6;
}
