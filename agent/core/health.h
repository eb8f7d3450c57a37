/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * health.h - the verdict of a node on itself, from simple readings.
 *
 * Thresholds are a table (health.c; doc/design/agent.md explains them).  The worst
 * finding decides, and the reason names every finding of that severity.  Pure. */
#ifndef BSC_AGENT_HEALTH_H
#define BSC_AGENT_HEALTH_H

#include "agent/core/words.h"

#include <stdbool.h>
#include <stddef.h>

enum health_reading { /* a value that is not known is negative and decides nothing */
    HEALTH_LOAD,      /* load average of a minute, percent of the processors */
    HEALTH_MEMORY,    /* available, percent */
    HEALTH_DISK,      /* free, percent, of the journal's file system */
    HEALTH_INTERFACE, /* service devices that are down or missing */
    HEALTH_SOCKMIGD,  /* 1: does not answer, 0: answers */
    HEALTH_BASCULED,
    HEALTH_COROSYNC,
    HEALTH_NREADINGS
};

struct health_facts {
    const char *broken; /* borrowed: why the configuration is no good; NULL: it is */
    int64_t reading[HEALTH_NREADINGS];
};

/* health_judge - HEALTH_OK, HEALTH_DEGRADED or HEALTH_FAILED; never unknown.
 *
 * @reason  @size bytes; empty if HEALTH_OK, else the findings, cut to fit */
enum health health_judge(const struct health_facts *f, char *reason, size_t size);

#endif
