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
    HEALTH_JOURNAL,         /* 1: cannot be written */
    HEALTH_PRESSURE_MEMORY, /* percent of 10 s in which all waited for memory */
    HEALTH_PRESSURE_IO,
    HEALTH_INODES,      /* free, percent, the fewest of all disks */
    HEALTH_READ_ONLY,   /* disks that can only be read */
    HEALTH_DISK_ERRORS, /* since the agent started */
    HEALTH_SENSORS,     /* alarms */
    HEALTH_CLOCK,       /* 1: not synchronised */
    HEALTH_HARDWARE,    /* messages of the kernel in the last ten minutes */
    HEALTH_DESCRIPTORS, /* in use, percent of the limit, of the fullest process */
    HEALTH_PROGRAMS,    /* of services, that are not installed */
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

/* health_unknown - all readings at -1. */
void health_unknown(struct health_facts *f);

/* health_add - fold @h with its @text into the verdict: the worst decides, and the
 * reason names all of that severity. */
void health_add(
    enum health *verdict, char *reason, size_t size, enum health h, const char *text);

#endif
