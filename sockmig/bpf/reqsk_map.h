/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reqsk_map.h - what reqsk.c and the kernel's reqsk.bpf.c tell each other by maps. */
#ifndef BSC_REQSK_MAP_H
#define BSC_REQSK_MAP_H

#include <linux/types.h>

#define REQSK_MAP_MAX 65536

struct reqsk_map_key { /* no padding: compared as bytes */
    __u16 version;     /* of IP */
    __u16 zero;
    __u16 local_port, remote_port; /* network order */
    __u8 local[16], remote[16];
};

enum { /* reqsk_map_value.flags */
    REQSK_MAP_WSCALE = 1,
    REQSK_MAP_SACK = 2,
    REQSK_MAP_ECN = 4,
    REQSK_MAP_TIMESTAMPS = 8,
    REQSK_MAP_MICROSECONDS = 16
};

struct reqsk_map_value {
    __u32 remote_isn, local_isn, remote_ts, local_ts;
    __u16 mss;
    __u8 snd_wscale, rcv_wscale;
    __u32 flags;
};

enum {               /* rows of the words */
    REQSK_MAP_ARMED, /* 0: nothing waits, look at no packet */
    REQSK_MAP_SHUT,  /* index of a device by which none is made; 0: of none */
    REQSK_MAP_NWORDS
};

enum reqsk_map_count { /* rows of the counters; in the order of struct reqsk_counters */
    REQSK_MAP_MADE,
    REQSK_MAP_SUPERSEDED,
    REQSK_MAP_RESET,
    REQSK_MAP_OUT_OF_TURN,
    REQSK_MAP_DEFERRED,
    REQSK_MAP_FULL,
    REQSK_MAP_NO_LISTENER,
    REQSK_MAP_TAKEN,
    REQSK_MAP_REFUSED,
    REQSK_MAP_EARLY,
    REQSK_MAP_NCOUNTS
};

#endif
