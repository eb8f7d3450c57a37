/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.h - frames pass a device only before a deadline, enforced by the kernel; what
 * is forwarded out of it passes only with the mark of a verdict (sockmig/nfq.h).
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
