/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_read.h - a connection as it is, the bytes of its queues included, in one run of a
 * BPF program: without repair mode, which the connection would notice.
 *
 * Needs Linux 6.2 with CONFIG_DEBUG_INFO_BTF, and that a trial of it gave what it was
 * given: a connection of its own that is never on a wire.  Source:
 * sockmig/bpf/queues.bpf.c. */
#ifndef BSC_TCP_READ_H
#define BSC_TCP_READ_H

#include "sockmig/bpf/queues_row.h"

#include <stdbool.h>
#include <stdint.h>

/* tcp_read_allow - false: tcp_read() fails from now on, as on a kernel that has it not.
 * For tests, which go both ways. */
void tcp_read_allow(bool allowed);

/* tcp_read_load - what tcp_read() would do once, the first time: 30 ms; in a network
 * namespace whose loopback is up.  NULL, or a static text that says why it will always
 * fail. */
const char *tcp_read_load(void);

/* tcp_read - what TCP socket @sock of the caller is, all of one instant.
 *
 * @bytes  gets what is unread (out->inq of them), then what is unacknowledged
 *         (out->outq); until the next call.  One thread reads at a time; a fork of a
 *         process that has read has not what is shared, and must not.
 *
 * False: it cannot be read so, by this kernel, or because of what its queues are made
 * of (more than QUEUES_ROOM; memory of devices), or it moved in each of 100 tries. */
bool tcp_read(int sock, struct tcp_reading *out, const uint8_t **bytes);

/* tcp_read_at - of the one that the kernel has at @sock (struct survey_row): whoever
 * has it open stands still. */
bool tcp_read_at(uint64_t sock, struct tcp_reading *out, const uint8_t **bytes);

#endif
