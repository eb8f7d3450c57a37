/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_address.h - an address of the service, as fence.c tells it fence.bpf.c. */
#ifndef BSC_FENCE_ADDRESS_H
#define BSC_FENCE_ADDRESS_H

#include <linux/types.h>

#define FENCE_ADDRESSES 64

struct fence_address { /* network order; IPv4: mapped (RFC 4291 2.5.5.2) */
    __u32 words[4];
};

#endif
