/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_ends.h - the two ends of a connection that no descriptor shows. */
#ifndef BSC_TCP_ENDS_H
#define BSC_TCP_ENDS_H

#include <linux/types.h>

struct tcp_ends { /* numbers and addresses as in packets */
    __u16 family, local_port, remote_port, zero;
    __u8 local[16], remote[16]; /* 4 of them, or all */
};

#endif
