/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate.h - the namespaces, rules, fence and devices around a service's cell.
 *
 *   node                    gate (netns)                     cell (netns)
 *   bridge --- veth ------- up0  fence (tc BPF, in + out)    eth0: virtual addresses
 *                           vg ========= veth ============== eth0
 *                                                            raw PREROUTING -i eth0:
 *                                                            ingress queue 0
 *                           out0 <---- the engine <--------- out0, from eth0 (tc BPF)
 *
 * Everything is made by gate_new(); a takeover is gate_lease() and gate_announce(): a
 * store into a mapped BPF map and a few prepared frames, no program started, no route
 * or link changed.  The fence is shut when made, and it is in place before the link
 * comes up.  Design: doc/design/gate.md. */
#ifndef BSC_GATE_H
#define BSC_GATE_H

#include "lib/conf.h"

struct gate;
struct reqsk;

#define GATE_ERROR_LEN 256

struct gate_conf { /* borrowed for the call */
    const char *service;
    const struct conf_address *addresses;
    unsigned naddresses;
    const char *device;  /* of the node: a bridge, in the caller's network namespace */
    const char *gateway; /* "" = none */
    uint8_t mac[6];      /* of the service, see gate_mac() */
    bool ingress_queue;  /* also queue what goes to the cell (policy replay) */
    unsigned hold_ms;    /* egress may be held this long: sizes the cell's buffers */
};

/* gate_mac - locally administered address derived from cluster and service name, the
 * same on every node. */
void gate_mac(const char *cluster, const char *service, uint8_t mac[6]);

/* gate_new - 0 and *out; or -errno with @error telling what is missing and what to do
 * (-EOPNOTSUPP: the device is no bridge, or the kernel lacks a feature).
 *
 * Removes first what a killed predecessor left behind under the same names.  Blocks
 * for some 15 ms (3 s at most, waiting for links) and runs iptables-restore: SIGCHLD
 * must not be ignored, nor another thread reap all children meanwhile. */
int gate_new(const struct gate_conf *conf, struct gate **out, char *error);
void gate_free(struct gate *g); /* shut first; blocks for 60 ms; NULL is legal */

int gate_cell_netns(const struct gate *g); /* descriptor, borrowed */
int gate_netns(const struct gate *g);

/* gate_lease - frames pass until @boot_ns of CLOCK_BOOTTIME; 0: shut.  Two stores.
 * gate_listen - they only come in, until then; nothing goes out any more.
 * gate_lease_get - until when they go out. */
void gate_lease(struct gate *g, uint64_t boot_ns);
void gate_listen(struct gate *g, uint64_t boot_ns);
uint64_t gate_lease_get(const struct gate *g);

/* gate_announce - gratuitous ARP, unsolicited NA and MLD report for all addresses,
 * once. What the shut fence stops is lost without a word. */
void gate_announce(struct gate *g);

/* gate_reqsk - makes connections again that no image holds; borrowed.  NULL: this
 * kernel cannot, they are reset. */
struct reqsk *gate_reqsk(const struct gate *g);

/* gate_outlet - for egress_new(): what the cell puts out is read from that of the cell,
 * and leaves by that of the gate; borrowed. */
int gate_outlet(const struct gate *g, bool cell);

int gate_tun(const struct gate *g); /* the cell's TUN rp0, for injected segments */
int gate_raw(const struct gate *g); /* raw IPv4 socket in the cell (IP_HDRINCL) */

struct gate_counters {                                     /* since gate_new() */
    uint64_t passed_in, passed_out, fenced_in, fenced_out; /* frames at the fence */
    uint64_t dropped_out; /* packets of the cell that its outlet had no room for */
};
void gate_counters(const struct gate *g, struct gate_counters *out);

#endif
