/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queues_row.h - what the two sides of a reading of a connection tell each other. */
#ifndef BSC_QUEUES_ROW_H
#define BSC_QUEUES_ROW_H

#include "sockmig/bpf/tcp_counters.h"

#include <linux/types.h>

/* Bytes that both queues of a connection may have together. */
#define QUEUES_ROOM (4u << 20)
#define QUEUES_PIECE 65536u /* is copied at a time */

#define QUEUES_PATTERN 64 /* bytes that tell where the memory of a page is */

enum queues_found {
    QUEUES_MOVED,  /* something moved meanwhile: to be read again */
    QUEUES_WHOLE,  /* all is of one instant, queues included */
    QUEUES_STRANGE /* no connection, or its queues are made of what is not read here */
};

struct tcp_reading {
    __u64 bytes_acked, bytes_received;
    __u64 read_ns; /* CLOCK_MONOTONIC */
    struct tcp_counters tcp;
    __u32 snd_wl1, max_window, sndbuf, rcvbuf;
    __u32 options;   /* a hash of what setsockopt() changes, if the image has it */
    __u32 mss;       /* the largest that the peer takes, as it announced */
    __u32 timestamp; /* ms; what a segment sent at .read_ns would have had */
    __u32 error;     /* that waits to be told; of a closed one this alone is read */
    __u32 inq, outq; /* bytes unread, and unacknowledged; without a FIN */
    __u32 rtt_us;    /* round trip, smoothed; 0: not known */
    __u32 found;     /* enum queues_found */
};

struct queues_shared {
    __u64 sock;    /* asked: where the kernel has the connection; 0: it is */
    __u32 fd;      /* this descriptor of the caller */
    __u32 located; /* told by locate(): 1 if .memory is known */
    __u64 memory;  /* address of a page's memory, less what its struct page adds */
    __u32 page_size, zero;
    __u8 pattern[QUEUES_PATTERN]; /* asked by locate(): the first bytes of its output */
    struct tcp_reading reading;   /* told */
};

#endif
