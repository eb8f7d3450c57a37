/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cells.h - a child of sockmigd that looks into the cells for others: connections of a
 * service, probes (doc/protocol.md 1.3).
 *
 * A process of its own, so that neither a table of ten thousand sockets nor a probe
 * ever delays an order to an engine. */
#ifndef BSC_CELLS_H
#define BSC_CELLS_H

#include "lib/conf.h"

/* cells_main - serve RUN_DIR/cells.sock until the connection @ctl_fd to sockmigd ends,
 * which tells { "service", "pid" } whenever that changes.  Exit status. */
int cells_main(const struct conf *conf, const char *run_dir, int ctl_fd);

#define CELLS_PIECE                                                                    \
    64 /* connections in a message: whoever reads it does other things too */

/* cells_connections - for a process of its own: write the TCP connections of the
 * network namespace of @pid to @out, as JSON lists of CELLS_PIECE of them, a line each.
 * Exit status. */
int cells_connections(pid_t pid, int out);

/* cells_probe - for a process of its own: become @probe, as the user of @service, in
 * the namespaces of @pid.  Exit status 3 if that cannot be done, with the reason on
 * standard output. */
int cells_probe(
    const struct conf_service *service, const struct conf_probe *probe, pid_t pid);

#endif
