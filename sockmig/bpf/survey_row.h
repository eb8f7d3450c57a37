/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey_row.h - what the two sides of a survey tell each other: a row a descriptor,
 * but of a connection that rests only that it does. */
#ifndef BSC_SURVEY_ROW_H
#define BSC_SURVEY_ROW_H

#include "sockmig/bpf/tcp_counters.h"

#include <linux/types.h>

#define SURVEY_ROWS 16385  /* all that an image can hold, and one too many */
#define SURVEY_ITEMS 16384 /* of all sets together, as many as an image can hold */
#define SURVEY_NO_ITEMS 0xffffffffu /* .nitems: there was no room for them */

struct survey_row {
    __u64 file; /* the open file: the same for its duplicates, and only for them */
    __u64 dev, ino, size, pos;
    __u64 locks;    /* on a file, whoever has them: 0 none; see SURVEY_LOCKS_UNTOLD */
    __u64 sock;     /* TCP: where the kernel has it */
    __u64 received; /* TCP: bytes since it began */
    __u64 watched;  /* epoll set: of what it watches, not 0; 0: no set */
    __u32 fd, mode, nlink, flags, cloexec;
    struct tcp_counters tcp; /* .state 0: no TCP socket */
    __u32 sndbuf, rcvbuf, backlog;
    __u32 waiting; /* listener: connections that it has not accepted */
    /* is_same() compares what is before this. */
    __u32 settled;            /* TCP: no segment was being processed when it was read */
    __u32 first_item, nitems; /* epoll set: those of struct survey_item that it has */
};

/* What an epoll set watches. */
struct survey_item {
    __u64 file; /* see survey_row.file */
    __u64 data;
    __u32 fd, events;
};

#define SURVEY_LOCKS_UNTOLD 1 /* there are locks; other values differ when these do */

/* Of a connection that rests, by number of its descriptor, what moves whenever any of
 * its row does; the caller keeps it from one survey to the next.  .file 0: none. */
struct survey_rest {
    __u64 file, sock;
    __u32 segs_in, segs_out, write_seq;
    __u32 flags; /* of the open file; O_CLOEXEC: of the descriptor */
};

struct survey_found {
    __u32 fd, rests; /* 1: it rests, and has no row */
};

struct survey_shared {
    __u64 rests;   /* asked: an array of struct survey_rest in the caller's memory, */
    __u32 nrests;  /* of so many, a multiple of 8 */
    __u32 map_seq; /* told: see survey_mappings() */
};

#endif
