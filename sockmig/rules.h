/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rules.h - the packet rules of gate and cell, by iptables-restore.
 *
 * They are loaded when a gate is made and never changed after: a takeover starts no
 * program.  All work on the calling thread's network namespace; 0, or -errno with
 * @error (GATE_ERROR_LEN bytes) telling what is missing and what to do. */
#ifndef BSC_RULES_H
#define BSC_RULES_H

#include "lib/conf.h"

enum { RULES_INGRESS_QUEUE = 0 };

/* rules_egress - in the gate: nothing comes from the cell by @from; the engine brings
 * what it lets go by another device. */
int rules_egress(const char *from, char *error);

/* rules_ingress - in the cell: what comes by @from for one of the addresses waits in
 * the ingress queue.  By address only: a rule on ports would miss fragments. */
int rules_ingress(
    const struct conf_address *addresses, unsigned n, const char *from, char *error);

/* rules_hop - in the gate: the hop through it costs no TTL (hop limit). */
int rules_hop(const char *inner, const char *outer, char *error);

#endif
