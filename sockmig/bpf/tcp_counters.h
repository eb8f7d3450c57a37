/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_counters.h - what of a connection tells that it moved: names, units and sequence
 * numbers as struct tcp_sock of the kernel has them. */
#ifndef BSC_TCP_COUNTERS_H
#define BSC_TCP_COUNTERS_H

#include <linux/types.h>

struct tcp_counters {
    __u32 state; /* tcp_states.h */
    __u32 segs_in, segs_out, snd_una, snd_nxt, write_seq, rcv_nxt, copied_seq;
    __u32 snd_wnd, rcv_wnd, rcv_wup;
};

#endif
