/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_lan.h - a network of two nodes and a client, in one process.
 *
 *   lan (netns): br0 = client 10.77.0.50, fd77::50
 *    |- n1 === node 1 (netns): bridge eth0 --- gate and cell of the service
 *    '- n2 === node 2 (netns): bridge eth0 --- gate and cell of the service
 *
 * A UDP echo server is in each cell; it answers with its node's number.  All namespaces
 * are anonymous: they end with the process.  Everything is one thread: time passes in
 * lan_pump() only. */
#ifndef BSC_TEST_GATE_LAN_H
#define BSC_TEST_GATE_LAN_H

#include "sockmig/egress.h"
#include "sockmig/gate.h"

#define LAN_NODES 2
#define LAN_IDS 128

enum lan_family { LAN_V4, LAN_V6, LAN_FAMILIES };

struct lan_node {
    int netns, port; /* port: index of its link in the lan */
    struct gate *gate;
    struct egress *egress;
    bool hold; /* what the cell puts out waits for the test */
    uint32_t ids[LAN_IDS];
    unsigned nids;
    int echo[LAN_FAMILIES];
    unsigned frames;  /* with the service's MAC, seen on the lan */
    unsigned packets; /* UDP among them: not ARP, neighbour discovery, MLD */
};

struct lan {
    int netns, sniffer;
    int client[LAN_FAMILIES];
    struct lan_node nodes[LAN_NODES];
    struct gate_conf conf;
    unsigned replies[LAN_NODES]; /* at the client */
    unsigned data;               /* datagrams at the client that are no replies */
    uint32_t last_datum;         /* number in the newest of them */
    uint32_t last_reply;         /* number in the newest reply */
    unsigned last_node;          /* who sent it */
    unsigned request;            /* number of the newest request */
};

void lan_init(struct lan *lan);

/* lan_gate - make the gate of node @n and its echo servers; lan_ungate takes both
 * away. */
void lan_gate(struct lan *lan, unsigned n);
void lan_ungate(struct lan *lan, unsigned n);
void lan_listen(struct lan *lan, unsigned n); /* to what its cell puts out */

void lan_open(struct lan *lan, unsigned n, unsigned ms); /* lease from now on */
uint64_t lan_boot_ns(void);

/* lan_pump - serve whatever is ready, waiting at most @ms for it. */
void lan_pump(struct lan *lan, int ms);

/* lan_settle - gives a wrong packet time to come: rounds through every namespace. */
void lan_settle(struct lan *lan);

/* lan_ask - the client sends a request.  lan_asked - it asks until there is an answer
 * to one of its new requests; false: none in @ms. */
void lan_ask(struct lan *lan, enum lan_family family);
bool lan_asked(struct lan *lan, enum lan_family family, unsigned ms);

/* lan_say - the cell of node @n sends datum @number to the client, unasked. */
void lan_say(struct lan *lan, unsigned n, enum lan_family family, uint32_t number);

/* lan_client - the client is now in @netns, at @address. */
void lan_client(
    struct lan *lan, int netns, enum lan_family family, const char *address);

int lan_tcp(int netns); /* a new TCP/IPv4 socket there, not blocking */

/* lan_shell - run a shell command in a namespace; its exit status. */
int lan_shell(int netns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
