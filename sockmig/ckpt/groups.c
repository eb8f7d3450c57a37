/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * groups.c - no option lists a socket's groups: /proc has those of its network
 * namespace, and the socket is asked for the filter of each. */
#include "sockmig/ckpt/groups.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel joins by itself; the rest are memberships of a socket. */
static bool
is_usual(const char *group)
{
    return strcmp(group, "010000E0") == 0 || /* 224.0.0.1, as /proc has it */
           strncmp(group, "ff0200000000000000000001ff", 26) == 0 ||
           (strncmp(group, "ff0", 3) == 0 &&
               (strcmp(group + 4, "0000000000000000000000000001") == 0 ||
                   strcmp(group + 4, "0000000000000000000000000002") == 0));
}

/* A line of /proc/net/igmp or igmp6: a group, if it names one.  Those of IPv4 follow
 * the line of their device. */
static bool
group_of(
    const char *line, bool v6, uint32_t *index, char device[IFNAMSIZ], char group[40])
{
    if (v6)
        return sscanf(line, "%u %15s %39s", index, device, group) == 3;
    if (line[0] != '\t') {
        sscanf(line, "%u %15[^: ]", index, device);
        return false;
    }
    return sscanf(line, "%39s", group) == 1;
}

static bool
parse(const char *text, bool v6, uint8_t address[16])
{
    memset(address, 0, 16);
    for (unsigned i = 0; i < (v6 ? 16 : 4); i++) {
        unsigned byte;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        address[v6 ? i : 3 - i] = (uint8_t)byte;
    }
    return true;
}

static void
put_address(struct sockaddr_storage *to, bool v6, const uint8_t address[16])
{
    memset(to, 0, sizeof *to);
    to->ss_family = v6 ? AF_INET6 : AF_INET;
    if (v6)
        memcpy(&((struct sockaddr_in6 *)to)->sin6_addr, address, 16);
    else
        memcpy(&((struct sockaddr_in *)to)->sin_addr, address, 4);
}

/* Is it a member?  Its filter then has no sources, or it wants some only. */
static int
add_if_member(struct look *l, bool v6, const char *device, uint32_t index,
    const uint8_t address[16])
{
    struct group_filter filter = { .gf_interface = index };
    socklen_t size = GROUP_FILTER_SIZE(0);
    struct image_group *to = &l->im->groups[l->im->ngroups];

    put_address(&filter.gf_group, v6, address);
    if (getsockopt(
            l->dup, v6 ? IPPROTO_IPV6 : IPPROTO_IP, MCAST_MSFILTER, &filter, &size) < 0)
        return 0;
    if (filter.gf_fmode != MCAST_EXCLUDE || filter.gf_numsrc != 0)
        return look_refuse(l, "let the service join groups without a choice of sources",
            "UDP socket that has chosen sources of a multicast group");
    if (l->im->ngroups == IMAGE_MAX_GROUPS)
        return look_refuse(
            l, "lower its number of groups", "more than 256 multicast groups");
    *to = (struct image_group){ .fd = l->fd, .v6 = v6 };
    memcpy(to->address, address, 16);
    memcpy(to->device, device, strnlen(device, sizeof to->device - 1));
    l->im->ngroups++;
    return 0;
}

/* Calls @on for each group of the namespace until it says something. */
static int
each(struct look *l, bool v6,
    int (*on)(struct look *, bool, const char *, uint32_t, const uint8_t *))
{
    char group[40], device[IFNAMSIZ] = "", *line, *next;
    uint8_t address[16];
    uint32_t index = 0;
    int ret = 0;

    if (proctext_read(
            &l->d->text, "/proc/%d/net/igmp%s", (int)l->d->pid, v6 ? "6" : "") < 0)
        return 0;
    for (line = l->d->text.data; line && *line && ret == 0; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!group_of(line, v6, &index, device, group) || is_usual(group) ||
            !parse(group, v6, address))
            continue;
        ret = on(l, v6, device, index, address);
    }
    return ret;
}

static int
found(struct look *l, bool v6, const char *device, uint32_t index,
    const uint8_t address[16])
{
    (void)l;
    (void)v6;
    (void)device;
    (void)index;
    (void)address;
    return 1;
}

bool
groups_any(struct look *l)
{
    return each(l, false, found) || each(l, true, found);
}

int
groups_read(struct look *l)
{
    int ret = each(l, false, add_if_member);

    return ret == 0 ? each(l, true, add_if_member) : ret;
}

int
groups_join(const struct image *im, int fd, int sock)
{
    for (uint32_t i = 0; i < im->ngroups; i++) {
        const struct image_group *g = &im->groups[i];
        struct group_req join = { .gr_interface = if_nametoindex(g->device) };

        if (g->fd != fd)
            continue;
        if (join.gr_interface == 0)
            return -ENODEV;
        put_address(&join.gr_group, g->v6, g->address);
        if (setsockopt(sock, g->v6 ? IPPROTO_IPV6 : IPPROTO_IP, MCAST_JOIN_GROUP, &join,
                sizeof join) < 0)
            return -errno;
    }
    return 0;
}
