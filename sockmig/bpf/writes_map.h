/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * writes_map.h - what writes.bpf.c and filewrites.c share. */
#ifndef BSC_WRITES_MAP_H
#define BSC_WRITES_MAP_H

#include <linux/types.h>

#define WRITES_DEVICES 8
#define WRITES_MEMBERS 2048u
#define WRITES_BLOCK 4096u
#define WRITES_GROUP (64u * WRITES_BLOCK) /* a bit for each block */
#define WRITES_WHOLE (~0ull)              /* group: any of it, see the value */
#define WRITES_FAULTED (1ull << 62)       /* group: a mapping has got these blocks */
#define WRITES_FOREIGN 2ull               /* value of it: by another process */

struct writes_conf {
    __u32 devices[WRITES_DEVICES]; /* as the kernel has them */
    __u32 ndevices, tgid;          /* of the service, in its own pid namespace */
    __u64 ns_device, ns_inode;     /* that namespace */
};

struct writes_key {
    __u64 inode, group;
};

/* writes_bits - of group @group: blocks @from..@to of a file, @to included. */
static __inline__ __attribute__((always_inline)) __u64
writes_bits(__u64 group, __u64 from, __u64 to)
{
    __u64 bits = ~0ull;

    if (from / 64 == group)
        bits &= ~0ull << (from & 63);
    if (to / 64 == group)
        bits &= ~0ull >> (63 - (to & 63));
    return bits;
}

#endif
