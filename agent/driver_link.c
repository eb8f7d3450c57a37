/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"
#include "lib/loop.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen { /* what an interface was at the last run */
    char name[SNAP_NAME];
    int64_t state, changes, changed_us;
};

int
driver_link_fd(void)
{
    static struct nl_sock *sock; /* for the life of the process */

    sock = nl_socket_alloc();
    if (!sock)
        return -1;
    nl_socket_disable_seq_check(sock);
    if (nl_connect(sock, NETLINK_ROUTE) < 0 ||
        nl_socket_add_memberships(sock, RTNLGRP_LINK, 0) < 0 ||
        nl_socket_set_nonblocking(sock) < 0) {
        nl_socket_free(sock);
        sock = NULL;
        return -1;
    }
    return nl_socket_get_fd(sock);
}

static int64_t
state_of(struct rtnl_link *link)
{
    unsigned need = IFF_UP | IFF_RUNNING;

    return (rtnl_link_get_flags(link) & need) == need ? LINK_UP : LINK_DOWN;
}

/* remember - compare with the last run; the row gets what it amounts to. */
static void
remember(struct seen *seen, unsigned n, struct link_row *row, const char *name,
    int64_t state)
{
    struct seen *s = NULL;

    for (unsigned i = 0; i < n && !s; i++)
        if (!seen[i].name[0] || strcmp(seen[i].name, name) == 0)
            s = &seen[i];
    row->changes = row->last_change = 0;
    if (!s)
        return;
    if (!s->name[0]) {
        *s = (struct seen){ .state = state };
        snapshot_text(s->name, sizeof s->name, name);
    } else if (s->state != state) {
        s->state = state;
        s->changes++;
        s->changed_us = mono_clock().us;
    }
    row->changes = s->changes;
    row->last_change = s->changed_us;
}

static int64_t
speed_of(const char *sys, const char *name)
{
    char path[300], text[32];

    snprintf(path, sizeof path, "%s/class/net/%s/speed", sys, name);
    return file_read(path, text, sizeof text) > 0 && atoll(text) > 0 ? atoll(text)
                                                                     : MIB_NONE;
}

/* use_of - @cluster: name of the interface with the node's cluster address. */
static const char *
use_of(const struct conf *conf, const char *name, const char *cluster)
{
    bool service = false, node = strcmp(name, cluster) == 0;

    for (unsigned i = 0; i < conf->nservices; i++)
        service = service || strcmp(conf->services[i].device, name) == 0;
    return service && node ? "cluster service"
           : node          ? "cluster"
           : service       ? "service"
                           : "";
}

static void
cluster_device(const struct conf *conf, char out[SNAP_NAME])
{
    const struct conf_node *self = conf_self(conf);
    struct ifaddrs *list = NULL;
    char text[INET6_ADDRSTRLEN];

    out[0] = '\0';
    if (!self || getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
        int family = a->ifa_addr ? a->ifa_addr->sa_family : AF_UNSPEC;
        const void *bytes =
            family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)a->ifa_addr)
                      ->sin_addr
                : &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr;

        if ((family == AF_INET || family == AF_INET6) &&
            inet_ntop(family, bytes, text, sizeof text) &&
            strcmp(text, self->address) == 0)
            snapshot_text(out, SNAP_NAME, a->ifa_name);
    }
    freeifaddrs(list);
}

static void
fill(struct link_row *row, struct rtnl_link *link, struct nl_cache *cache)
{
    struct rtnl_link *master = rtnl_link_get(cache, rtnl_link_get_master(link));

    row->number = rtnl_link_get_ifindex(link);
    row->enabled = (rtnl_link_get_flags(link) & IFF_UP) != 0;
    row->state = state_of(link);
    row->mtu = rtnl_link_get_mtu(link);
    if (rtnl_link_get_addr(link))
        nl_addr2str(rtnl_link_get_addr(link), row->address, sizeof row->address);
    if (master) {
        snapshot_text(row->master, sizeof row->master, rtnl_link_get_name(master));
        rtnl_link_put(master);
    }
    row->in_octets = (int64_t)rtnl_link_get_stat(link, RTNL_LINK_RX_BYTES);
    row->out_octets = (int64_t)rtnl_link_get_stat(link, RTNL_LINK_TX_BYTES);
    row->in_errors = (int64_t)rtnl_link_get_stat(link, RTNL_LINK_RX_ERRORS);
    row->out_errors = (int64_t)rtnl_link_get_stat(link, RTNL_LINK_TX_ERRORS);
    row->in_drops = (int64_t)rtnl_link_get_stat(link, RTNL_LINK_RX_DROPPED);
    row->out_drops = (int64_t)rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED);
}

static void
read_all(struct readings *r, const struct driver_context *ctx, struct nl_cache *cache)
{
    static struct seen seen[READ_LINKS]; /* this driver runs once at a time */
    char cluster[SNAP_NAME];

    cluster_device(ctx->conf, cluster);
    for (struct nl_object *o = nl_cache_get_first(cache); o && r->link.n < READ_LINKS;
         o = nl_cache_get_next(o)) {
        struct rtnl_link *link = (struct rtnl_link *)o;
        struct link_row *row = &r->link.v[r->link.n];
        const char *name = rtnl_link_get_name(link);

        if (!name)
            continue;
        memset(row, 0, sizeof *row);
        row->row.nindex = mib_index_name(row->row.index, 0, name);
        row->row.known = true;
        fill(row, link, cache);
        row->speed = speed_of(ctx->sys, name);
        snapshot_text(row->use, sizeof row->use, use_of(ctx->conf, name, cluster));
        remember(seen, READ_LINKS, row, name, row->state);
        r->link.n++;
    }
}

static int64_t
count_lost(const struct driver_context *ctx)
{
    const struct conf_service *services = ctx->conf->services;
    int64_t lost = 0;

    for (unsigned i = 0; i < ctx->conf->nservices; i++) {
        enum link_state state = driver_interface(ctx->sys, services[i].device);
        unsigned k = 0;

        while (strcmp(services[k].device, services[i].device) != 0)
            k++;
        lost += k == i && (state == LINK_DOWN || state == LINK_MISSING);
    }
    return lost;
}

static enum watch_result
read_link(struct readings *r, const struct driver_context *ctx, char *text)
{
    struct nl_sock *sock = nl_socket_alloc();
    struct nl_cache *cache = NULL;
    int ret = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

    r->link.n = 0;
    if (ret == 0)
        ret = rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache);
    if (ret == 0)
        read_all(r, ctx, cache);
    nl_cache_free(cache);
    nl_socket_free(sock);
    r->link.lost = count_lost(ctx);
    if (ret == 0)
        return WATCH_READ;
    snapshot_text(text, SNAP_TEXT, nl_geterror(ret));
    return WATCH_ERROR;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    f->reading[HEALTH_INTERFACE] = r->link.lost;
}

const struct driver driver_link = { "link", { 1000, 2000, 1, 1 }, true, true, read_link,
    facts };
