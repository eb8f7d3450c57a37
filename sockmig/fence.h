/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.h - frames pass a device only before a deadline, enforced by the kernel; what
 * is forwarded out of it passes only if the engine has let it go (sockmig/egress.h).
 *
 * A BPF program on each side (tc ingress and egress) of a device compares
 * CLOCK_BOOTTIME with a deadline in a mapped array.  The programs stay attached when
 * this process dies: the deadlines then pass by themselves.  Nothing is pinned.
 *
 * Source: sockmig/bpf/fence.bpf.c; kernel Documentation/bpf/map_array.rst. */
#ifndef BSC_FENCE_H
#define BSC_FENCE_H

#include <stdint.h>

struct fence;

/* fence_new - load the programs and attach them to device @ifindex of the calling
 * thread's network namespace, shut.
 *
 * 0 and *out; -errno: nothing is attached, or the device is fenced for good. */
int fence_new(int ifindex, struct fence **out);

/* fence_cell - what the cell, the calling thread's namespace, puts out by its device
 * @ifindex goes to the device OUTLET_INDEX, and from there to the engine if it comes
 * from an address of the service.  0 or -errno. */
int fence_cell(struct fence *f, int ifindex);

/* fence_gate - what the engine writes into the gate's OUTLET_INDEX leaves by
 * UPLINK_INDEX.  0 or -errno. */
int fence_gate(struct fence *f);

/* fence_inside - while frames come in, TCP and UDP for the address @bytes (of @family)
 * go to the peer of INNER_INDEX, past the stack of this namespace.  0 or -errno. */
int fence_inside(struct fence *f, int family, const uint8_t *bytes);

/* fence_free - shut it for good; the programs go with the device.  NULL is legal. */
void fence_free(struct fence *f);

/* fence_set - frames come in, and go out, until these times of CLOCK_BOOTTIME; 0: shut.
 * Two stores. */
void fence_set(struct fence *f, uint64_t in_boot_ns, uint64_t out_boot_ns);
uint64_t fence_get(const struct fence *f); /* until when they go out */

enum fence_count {
    FENCE_PASSED_IN,
    FENCE_PASSED_OUT,
    FENCE_FENCED_IN,
    FENCE_FENCED_OUT
};

/* fence_count - frames since fence_new(); a system call. */
uint64_t fence_count(const struct fence *f, enum fence_count which);

#endif
