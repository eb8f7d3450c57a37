/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/gate_check.h"

#include "lib/fd.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/tcp_read.h"
#include "sockmig/drops.h"
#include "sockmig/fence.h"
#include "sockmig/gate_build.h"
#include "sockmig/gatens.h"
#include "sockmig/netlink.h"
#include "sockmig/nfq.h"
#include "sockmig/reqsk.h"
#include "sockmig/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct trial {
    int inside, other;  /* throw-away namespaces; the thread is in the first */
    struct netlink *nl; /* of the first */
    char *error;        /* a try may fill it */
};

/* Addresses of documentation (RFC 5737, RFC 3849): nothing is ever sent to them. */
static const struct conf_address samples[] = {
    { .family = AF_INET, .bytes = { 192, 0, 2, 1 }, .prefix = 24, .text = "192.0.2.1" },
    { .family = AF_INET6,
        .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
        .prefix = 64,
        .text = "2001:db8::1" },
};

static int
try_veth(struct trial *t)
{
    static const uint8_t a[6] = { 2, 0, 0, 0, 0, 1 }, b[6] = { 2, 0, 0, 0, 0, 2 };
    const struct netlink_veth pair = { .name = "up0",
        .peer_name = "peer",
        .mac = a,
        .peer_mac = b,
        .mtu = 1500,
        .peer_netns = t->other };

    return netlink_veth(t->nl, &pair);
}

static int
try_fence(struct trial *t)
{
    struct fence *fence = NULL;
    struct netlink_link up0;
    int ret = netlink_link(t->nl, "up0", &up0);

    if (ret == 0)
        ret = fence_new(up0.index, &fence);
    fence_free(fence);
    return ret;
}

static int
try_ipv6(struct trial *t)
{
    int ret = gatens_sysctl("ipv6/conf/all/forwarding", "1");

    (void)t;
    return ret == 0 ? gatens_sysctl("ipv6/conf/up0/proxy_ndp", "1") : ret;
}

static int
try_routing(struct trial *t)
{
    const struct netlink_ip ip = netlink_ip_host(AF_INET, samples[0].bytes);
    int ret = netlink_local_priority(t->nl, 100);

    return ret == 0 ? netlink_rule_to(t->nl, 10, &ip) : ret;
}

static int
try_queue_rules(struct trial *t)
{
    return rules_ingress(samples, 2, "up0", t->error);
}

static int
try_hop_rules(struct trial *t)
{
    return rules_hop("up0", "up0", t->error);
}

static int
try_queue(struct trial *t)
{
    struct nfq *q = NULL;
    int ret = nfq_open(t->inside, RULES_INGRESS_QUEUE, 1024, true, &q);

    nfq_close(q);
    return ret;
}

static int
try_tun(struct trial *t)
{
    int fd = -1, ret = gate_tun_open(&fd);

    (void)t;
    fd_close(fd);
    return ret;
}

static int
try_outlet(struct trial *t)
{
    int fd = -1, ret = gate_outlet_open(t->nl, 1500, &fd);

    fd_close(fd);
    return ret;
}

static int
try_packet(struct trial *t)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), ret = fd < 0 ? -errno : 0;

    (void)t;
    fd_close(fd);
    return ret;
}

/* clang-format off */
static const struct {
    const char *what;
    int (*try)(struct trial *);
    const char *done, *cure;
} trials[] = {
    { "veth devices", try_veth, "made a pair over two namespaces",
        "CONFIG_VETH; modprobe veth" },
    { "BPF fence on tc", try_fence, "loaded and attached, both ways",
        "CONFIG_BPF_SYSCALL, CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF; Linux 5.10 or newer" },
    { "IPv6 forwarding and proxy", try_ipv6, "switched on",
        "CONFIG_IPV6; do not boot with ipv6.disable=1; /proc/sys must be writable" },
    { "policy routing", try_routing, "made rules", "CONFIG_IP_MULTIPLE_TABLES" },
    { "NFQUEUE rules", try_queue_rules, "loaded, IPv4 and IPv6", "" },
    { "TTL and hop limit rules", try_hop_rules, "loaded, IPv4 and IPv6", "" },
    { "packet queue", try_queue, "bound",
        "CONFIG_NETFILTER_NETLINK_QUEUE; modprobe nfnetlink_queue" },
    { "TUN device", try_tun, "made one", "CONFIG_TUN; modprobe tun; /dev/net/tun" },
    { "TUN device for output", try_outlet, "made one, with large packets and no discipline",
        "CONFIG_TUN, CONFIG_NET_SCHED" },
    { "packet socket", try_packet, "opened one", "CONFIG_PACKET; modprobe af_packet" },
};
/* clang-format on */

static int
make_trial(struct trial *t, int *back)
{
    int ret = gatens_new(&t->inside);

    if (ret == 0)
        ret = gatens_new(&t->other);
    if (ret == 0)
        ret = gatens_enter(t->inside, back);
    if (ret == 0)
        ret = netlink_open(&t->nl);
    return ret;
}

/* All goes on without it, but for these connections. */
static enum gate_found
find_reqsk(char *text, size_t size)
{
    int ret = reqsk_check();

    if (ret == 0) {
        snprintf(text, size, "loaded: connections not yet accepted survive a failure");
        return GATE_WORKS;
    }
    snprintf(text, size,
        "%s: connections not yet accepted at a failure are reset; to keep them the "
        "kernel needs bpf_sk_assign_tcp_reqsk (Linux 6.8 or newer, "
        "CONFIG_DEBUG_INFO_BTF, CONFIG_SYN_COOKIES)",
        strerror(-ret));
    return GATE_LIMITED;
}

static enum gate_found
find_survey(char *text, size_t size)
{
    struct survey s;
    int ret = survey_open(&s, getpid());
    int n = ret < 0 ? ret : survey_read(&s, NULL, 0);

    survey_close(&s);
    if (n > 0) {
        snprintf(text, size,
            "read: connections that rest do not lengthen the pause of a checkpoint");
        return GATE_WORKS;
    }
    snprintf(text, size,
        "%s: the pause of a checkpoint grows with every connection, busy or not, and "
        "requests on connections that are reset before they are accepted are lost; the "
        "kernel needs CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF (Linux 6.2 or newer)",
        strerror((int)-n));
    return GATE_LIMITED;
}

static enum gate_found
find_reading(char *text, size_t size)
{
    const char *failed = tcp_read_load();

    if (!failed) {
        snprintf(text, size, "read without repair mode");
        return GATE_WORKS;
    }
    snprintf(text, size,
        "in repair mode only (%s): what a service wrote before it closed a connection "
        "is lost at a takeover, and a paced socket (bbr) loses time at each checkpoint "
        "(use net.ipv4.tcp_congestion_control = cubic); the kernel needs "
        "CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF (Linux 6.2 or newer)",
        failed);
    return GATE_LIMITED;
}

static enum gate_found
find_drops(char *text, size_t size)
{
    int ret = drops_check();

    if (ret == 0) {
        snprintf(text, size, "seen: a clone is not given what its service never had");
        return GATE_WORKS;
    }
    snprintf(text, size,
        "%s: a clone gets datagrams that its service's socket had no room for; the "
        "kernel needs CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF (Linux 5.18 or newer)",
        strerror(-ret));
    return GATE_LIMITED;
}

void
gate_check(void (*report)(
               enum gate_found found, const char *what, const char *text, void *arg),
    void *arg)
{
    char error[GATE_ERROR_LEN], text[GATE_ERROR_LEN + 128];
    struct trial t = { .inside = -1, .other = -1, .error = error };
    int back = -1, ret = make_trial(&t, &back);
    enum gate_found found;

    snprintf(text, sizeof text, "%s: run as root; the kernel needs CONFIG_NET_NS",
        strerror(-ret));
    report(ret == 0 ? GATE_WORKS : GATE_MISSING, "network namespaces",
        ret == 0 ? "made two" : text, arg);
    for (unsigned i = 0; i < sizeof trials / sizeof trials[0] && t.nl; i++) {
        error[0] = '\0';
        ret = trials[i].try(&t);
        if (ret == 0)
            snprintf(text, sizeof text, "%s", trials[i].done);
        else if (error[0] != '\0')
            snprintf(text, sizeof text, "%s", error);
        else
            snprintf(text, sizeof text, "%s: the kernel needs %s", strerror(-ret),
                trials[i].cure);
        report(ret == 0 ? GATE_WORKS : GATE_MISSING, trials[i].what, text, arg);
    }
    found = find_reqsk(text, sizeof text);
    report(found, "early connections", text, arg);
    found = find_survey(text, sizeof text);
    report(found, "descriptor survey", text, arg);
    found = find_drops(text, sizeof text);
    report(found, "overrun datagrams", text, arg);
    netlink_close(t.nl);
    if (back >= 0)
        gatens_leave(back);
    found = find_reading(text, sizeof text); /* where there is a loopback */
    report(found, "connections", text, arg);
    fd_close(t.inside);
    fd_close(t.other);
}
