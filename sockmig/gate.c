/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/gate.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/core/frames.h"
#include "sockmig/gate_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FRAMES_MAX (2 * CONF_MAX_ADDRESSES) /* two an address */

struct gate {
    struct gate_parts parts;
    char service[CONF_NAME_LEN];
    struct frame frames[FRAMES_MAX]; /* of the announcement */
    unsigned nframes;
};

void
gate_mac(const char *cluster, const char *service, uint8_t mac[6])
{
    frames_mac(cluster, service, mac);
}

static void
prepare_frames(struct gate *g, const struct gate_conf *conf)
{
    for (unsigned i = 0; i < conf->naddresses; i++) {
        const uint8_t *address = conf->addresses[i].bytes;
        struct frame *f = &g->frames[g->nframes];

        if (conf->addresses[i].family == AF_INET) {
            frames_arp(&f[0], conf->mac, address, false);
            frames_arp(&f[1], conf->mac, address, true);
        } else {
            frames_na(&f[0], conf->mac, address);
            frames_mld(&f[1], conf->mac, address);
        }
        g->nframes += 2;
    }
}

int
gate_new(const struct gate_conf *conf, struct gate **out, char *error)
{
    struct gate *g;
    int ret;

    if (conf->naddresses < 1 || conf->naddresses > CONF_MAX_ADDRESSES) {
        snprintf(error, GATE_ERROR_LEN, "a service has 1 to %d addresses",
            CONF_MAX_ADDRESSES);
        return -EINVAL;
    }
    g = calloc(1, sizeof *g);
    if (!g) {
        snprintf(error, GATE_ERROR_LEN, "out of memory");
        return -ENOMEM;
    }
    for (unsigned i = 0; i < GATE_NWHERE; i++)
        g->parts.netns[i] = g->parts.outlet[i] = -1;
    g->parts.packet = g->parts.tun = g->parts.raw = g->parts.counts = -1;
    snprintf(g->service, sizeof g->service, "%s", conf->service);
    snprintf(
        g->parts.outer, sizeof g->parts.outer, "bsc%08x", frames_hash(conf->service));
    prepare_frames(g, conf);
    ret = gate_build(conf, &g->parts, error);
    if (ret < 0)
        goto out;
    *out = g;
    g = NULL;
out:
    gate_free(g);
    return ret;
}

void
gate_free(struct gate *g)
{
    struct gate_parts *parts;

    if (!g)
        return;
    parts = &g->parts;
    if (parts->fence)
        fence_free(parts->fence); /* shut before anything is taken away */
    reqsk_free(parts->reqsk);
    if (parts->netlink[GATE_IN_NODE])
        netlink_delete(parts->netlink[GATE_IN_NODE], parts->outer);
    fd_close(parts->packet);
    fd_close(parts->tun);
    fd_close(parts->raw);
    fd_close(parts->counts);
    for (unsigned i = 0; i < GATE_NWHERE; i++) {
        netlink_close(parts->netlink[i]);
        fd_close(parts->outlet[i]);
        fd_close(parts->netns[i]);
    }
    free(g);
}

int
gate_cell_netns(const struct gate *g)
{
    return g->parts.netns[GATE_IN_CELL];
}

int
gate_netns(const struct gate *g)
{
    return g->parts.netns[GATE_IN_GATE];
}

void
gate_lease(struct gate *g, uint64_t boot_ns)
{
    fence_set(g->parts.fence, boot_ns, boot_ns);
}

void
gate_listen(struct gate *g, uint64_t boot_ns)
{
    fence_set(g->parts.fence, boot_ns, 0);
}

uint64_t
gate_lease_get(const struct gate *g)
{
    return fence_get(g->parts.fence);
}

void
gate_announce(struct gate *g)
{
    for (unsigned i = 0; i < g->nframes; i++) {
        const struct frame *f = &g->frames[i];

        /* ENOBUFS is the shut fence's answer; its counters tell. */
        if (send(g->parts.packet, f->bytes, f->size, MSG_DONTWAIT) < 0 &&
            errno != ENOBUFS)
            log_warn(
                "service %s: announcement not sent: %s", g->service, strerror(errno));
    }
}

struct reqsk *
gate_reqsk(const struct gate *g)
{
    return g->parts.reqsk;
}

int
gate_outlet(const struct gate *g, bool cell)
{
    return g->parts.outlet[cell ? GATE_IN_CELL : GATE_IN_GATE];
}

int
gate_tun(const struct gate *g)
{
    return g->parts.tun;
}

int
gate_raw(const struct gate *g)
{
    return g->parts.raw;
}

void
gate_counters(const struct gate *g, struct gate_counters *out)
{
    const struct fence *f = g->parts.fence;

    out->passed_in = fence_count(f, FENCE_PASSED_IN);
    out->passed_out = fence_count(f, FENCE_PASSED_OUT);
    out->fenced_in = fence_count(f, FENCE_FENCED_IN);
    out->fenced_out = fence_count(f, FENCE_FENCED_OUT);
    out->dropped_out = gate_outlet_dropped(&g->parts);
}
