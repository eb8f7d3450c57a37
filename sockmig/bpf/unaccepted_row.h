/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unaccepted_row.h - what the two sides of a reading of a listener's queue tell each
 * other. */
#ifndef BSC_UNACCEPTED_ROW_H
#define BSC_UNACCEPTED_ROW_H

#include "sockmig/bpf/tcp_ends.h"

#define UNACCEPTED_ROWS 4096

struct unaccepted_shared {
    __u64 sock; /* asked: where the kernel has the listener */
    __u32 n;    /* told: rows; no more than there is room for */
    __u32 zero;
    struct tcp_ends rows[UNACCEPTED_ROWS];
};

#endif
