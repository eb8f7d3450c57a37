/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/hostroute.h"

#include "lib/fd.h"
#include "sockmig/alone/alone.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

bool
hostroute_table_of(const char *text, unsigned *table)
{
    if (!alone_number(text, 1, UINT32_MAX, table))
        return false;
    if (*table != RT_TABLE_LOCAL)
        return true;
    alone_error("255 is the kernel's own table of local addresses");
    return false;
}

void
hostroute_message(
    struct rtnl_message *m, uint16_t type, const struct vip *v, unsigned table)
{
    bool four = v->family == AF_INET;
    struct rtmsg body = { .rtm_family = (uint8_t)v->family,
        .rtm_dst_len = four ? 32 : 128,
        .rtm_protocol = HOSTROUTE_PROTOCOL,
        .rtm_scope = four ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST };

    rtnl_begin(m, type, &body, sizeof body);
    rtnl_put(m, RTA_DST, v->bytes, four ? 4 : 16);
    rtnl_put32(m, RTA_OIF, if_nametoindex(HOSTROUTE_DEVICE));
    rtnl_put32(m, RTA_TABLE, table ? table : RT_TABLE_MAIN);
}

uint32_t
hostroute_in(const struct nlmsghdr *h)
{
    const struct rtmsg *m = NLMSG_DATA(h);
    const void *at = rtnl_find(h, sizeof *m, RTA_TABLE, 4);
    uint32_t table = m->rtm_table;

    if (at)
        memcpy(&table, at, sizeof table);
    return table;
}

bool
hostroute_is(const struct nlmsghdr *h, const struct vip *v)
{
    const struct rtmsg *m = NLMSG_DATA(h);
    size_t size = v->family == AF_INET ? 4 : 16;
    const void *to = rtnl_find(h, sizeof *m, RTA_DST, size);

    return h->nlmsg_type == RTM_NEWROUTE && m->rtm_family == v->family &&
           m->rtm_protocol == HOSTROUTE_PROTOCOL && m->rtm_dst_len == 8 * size && to &&
           !memcmp(to, v->bytes, size);
}

struct search {
    const struct vip *v;
    unsigned *table;
    bool found;
};

static int
look(const struct nlmsghdr *h, void *arg)
{
    struct search *s = arg;

    if (!s->found && hostroute_is(h, s->v)) {
        s->found = true;
        *s->table = hostroute_in(h);
    }
    return 0;
}

int
hostroute_find(const struct vip *v, unsigned *table)
{
    struct search s = { v, table, false };
    int nl = rtnl_open(), ret;

    if (nl < 0)
        return nl;
    ret = rtnl_list(nl, RTM_GETROUTE, v->family, look, &s);
    fd_close(nl);
    return ret < 0 ? ret : s.found;
}

int
hostroute_set(const struct vip *v, unsigned table, bool there)
{
    struct rtnl_message m;
    int nl = rtnl_open(), ret;

    if (nl < 0)
        return nl;
    hostroute_message(&m, there ? RTM_NEWROUTE : RTM_DELROUTE, v, table);
    ret = rtnl_say(nl, m.bytes, m.size, there ? NLM_F_CREATE | NLM_F_EXCL : 0);
    fd_close(nl);
    return ret == -EEXIST || ret == -ESRCH || ret == -ENOENT ? 0 : ret;
}
