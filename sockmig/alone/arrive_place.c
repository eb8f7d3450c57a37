/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arrive_place.c - the addresses at which processes arrive. */
#include "sockmig/alone/arrive_parts.h"

#include "sockmig/alone/decision.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* One that was in another segment has no network; here it may be at home again. */
static int
place(struct arrival *a, struct vip *v)
{
    unsigned others;

    if (vip_is_here(v))
        return arrive_fail(
            a, -EADDRINUSE, "%s is an address of it already", vip_text(v));
    if (a->conf->route) {
        vip_host_route(v, a->conf->table);
        return 0;
    }
    if (!a->conf->device)
        return arrive_fail(a, -ENODEV,
            "it has not been told where to put the address %s: sockmig receive "
            "--device DEVICE, or --route if its segment is another one",
            vip_text(v));
    snprintf(v->device, sizeof v->device, "%s", a->conf->device);
    if (v->bits == (v->family == AF_INET ? 32 : 128))
        v->bits = vip_network_bits(v, v->device, &others);
    return 0;
}

int
arrive_order(struct arrival *a, const struct imgfile_item *item)
{
    struct channel_order *o = &a->page->order;

    if (item->size != sizeof *o || a->page->ordered)
        return -EPROTO;
    memcpy(o, item->data, sizeof *o);
    o->silence[SILENCE_NAME - 1] = o->cell[sizeof o->cell - 1] = '\0';
    if (o->version != DECISION_VERSION || o->naddresses > CHANNEL_ADDRESSES)
        return arrive_fail(
            a, -EPROTO, "another version of sockmig: use the same on both hosts");
    a->page->ordered = true;
    for (unsigned i = 0; i < o->naddresses; i++) {
        struct vip *v = &a->vips[i];

        *v = (struct vip){ .family = (int)o->addresses[i].family,
            .bits = o->addresses[i].bits };
        memcpy(v->bytes, o->addresses[i].bytes, sizeof v->bytes);
        if ((v->family != AF_INET || v->bits > 32) &&
            (v->family != AF_INET6 || v->bits > 128))
            return -EPROTO;
        if (place(a, v) < 0)
            return -EADDRNOTAVAIL;
    }
    return 0;
}

static bool
is_known(const struct arrival *a, const struct vip *v)
{
    for (unsigned i = 0; i < a->page->order.naddresses; i++)
        if (a->vips[i].family == v->family &&
            !memcmp(a->vips[i].bytes, v->bytes, sizeof v->bytes))
            return true;
    return vip_is_here(v);
}

static int
check_address(struct arrival *a, const uint8_t *sockaddr)
{
    static const uint8_t any[16];
    struct sockaddr_storage at;
    struct vip v;

    memcpy(&at, sockaddr, sizeof(struct sockaddr_in6));
    if (!vip_of((struct sockaddr *)&at, &v) || !memcmp(v.bytes, any, sizeof any) ||
        (v.family == AF_INET && v.bytes[0] == 127))
        return 0;
    if (is_known(a, &v))
        return 0;
    return arrive_fail(a, -EADDRNOTAVAIL,
        "%s, where its sockets are, is no address of this host: let it move along: "
        "sockmig move --address %s",
        vip_text(&v), vip_text(&v));
}

int
arrive_check(struct arrival *a)
{
    int ret = 0;

    for (uint64_t k = 0; k < a->now->tree.count; k++) {
        const struct image *im = a->now->all.images[k];

        for (uint32_t i = 0; i < im->nfds && ret == 0; i++)
            if (im->fds[i].kind == IMAGE_FD_TCP_LISTEN && im->fds[i].dup_of < 0)
                ret = check_address(a, im->fds[i].u.listen.address);
        for (uint32_t i = 0; i < im->ntcps && ret == 0; i++)
            ret = check_address(a, im->tcps[i].local);
    }
    return ret;
}

int
arrive_add(struct arrival *a)
{
    int ret = 0;

    for (unsigned i = 0; i < a->page->order.naddresses && ret == 0; i++) {
        a->page->vips[i] = a->vips[i];
        a->page->nvips = i + 1;
        ret = vip_add(&a->vips[i]);
        if (ret < 0)
            arrive_fail(a, ret, "%s cannot be put on %s: %s", vip_text(&a->vips[i]),
                a->vips[i].device, strerror(-ret));
    }
    return ret;
}

void
arrive_announce(const struct arrival *a)
{
    for (unsigned i = 0; i < a->page->nvips; i++)
        vip_announce_by(a->announcer, &a->vips[i]);
}

void
arrive_remove(struct arrive_page *page)
{
    for (unsigned i = 0; i < page->nvips; i++)
        vip_remove(&page->vips[i]);
    page->nvips = 0;
}
