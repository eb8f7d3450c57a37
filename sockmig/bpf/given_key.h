/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * given_key.h - what given.bpf.c and who asks it have in common. */
#ifndef BSC_GIVEN_KEY_H
#define BSC_GIVEN_KEY_H

#include <linux/types.h>

#define GIVEN_FILES 4096 /* of more the oldest are forgotten */

struct given_key {
    __u64 inode;
    __u32 device; /* as the kernel has it: major << 20 | minor */
    __u32 zero;
};

#endif
