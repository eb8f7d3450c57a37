/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drops_row.h - what drops.bpf.c and drops.c have in common. */
#ifndef BSC_DROPS_ROW_H
#define BSC_DROPS_ROW_H

#include <linux/types.h>

#define DROPS_AT_ONCE 1024 /* rows that always find room */
#define DROPS_START 32

/* Who is asked about: only what is dropped while this thread delivers it counts. */
struct drops_conf {
    __u64 ns_device, ns_inode; /* its pid namespace */
    __u32 thread, zero;
};

struct drops_row {
    __u8 ip[40]; /* the header; IPv4 has less */
    __u8 udp[8];
    __u8 start[DROPS_START]; /* of the payload: .have bytes of it */
    __u32 have;
};

#endif
