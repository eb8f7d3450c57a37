/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * polled.h - what the poller reads of a node again and again, and the digest by which
 * it sees that nothing of it has changed and need not be read.  Pure. */
#ifndef BSC_AGENT_POLLED_H
#define BSC_AGENT_POLLED_H

#include "agent/core/snapshot.h"

#define POLLED_SERVICE 8
#define POLLED_ACTIVE 11
#define POLLED_STANDBY 3

/* Verdicts; the text of each is the column behind it. */
#define POLLED_DRIVER_VERDICT 3
#define POLLED_PROBE_VERDICT 5

/* What is read of a service, and where it stands in the poller's line: as in the status
 * of sockmigd, so that whoever reads it need not know where it came from. */
struct polled {
    enum snapshot_table table;
    uint32_t column;
    const char *section, *key; /* section NULL: the service itself */
    const struct words *words; /* NULL: a number, a truth value or a text */
    bool truth;
};

extern const struct polled polled_service[POLLED_SERVICE];

/* And where it is active: elsewhere it is not there, or means nothing to anybody. */
extern const struct polled polled_active[POLLED_ACTIVE];

/* And of each of its standbys. */
extern const struct polled polled_standby[POLLED_STANDBY];

/* polled_digest - of all that is read where no service is active: the verdicts of
 * drivers and probes, why they are not ok, and polled_service of each service.
 *
 * @out  16 hexadecimal digits; the same as long as nothing of it has changed */
void polled_digest(const struct snapshot *s, char out[SNAP_WORD]);

#endif
