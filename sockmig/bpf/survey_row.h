/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey_row.h - what the kernel's side of a survey writes, one row a descriptor. */
#ifndef BSC_SURVEY_ROW_H
#define BSC_SURVEY_ROW_H

#include <linux/types.h>

#define SURVEY_ROWS 16385 /* all that an image can hold, and one too many */

struct survey_row {
    __u64 file; /* the open file: the same for its duplicates, and only for them */
    __u64 dev, ino, size, pos;
    __u64 received; /* TCP: bytes since it began */
    __u64 watched;  /* epoll set: of what it watches, not 0; 0: no set */
    __u32 fd, mode, nlink, flags, cloexec;
    __u32 tcp; /* 0: no TCP socket; else its state (tcp_states.h) */
    __u32 segs_in, segs_out, snd_una, snd_nxt, write_seq, rcv_nxt, copied_seq;
    __u32 snd_wnd, rcv_wnd, rcv_wup, sndbuf, rcvbuf, backlog;
    /* The last member: is_same() compares what is before it. */
    __u32 map_seq; /* of the process, in each row: as survey_mappings() has it */
};

#endif
