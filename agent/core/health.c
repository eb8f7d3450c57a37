/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/health.h"

#include <string.h>

/* clang-format off */
/* The first row that matches a reading counts for it: failed before degraded. */
static const struct rule {
    enum health_reading reading;
    bool above; /* matches values above (else below) the limit */
    int64_t limit;
    enum health verdict;
    const char *text; /* '#' stands for the value */
} rules[] = {
    { HEALTH_SOCKMIGD,  true,    0, HEALTH_FAILED,   "sockmigd does not answer" },
    { HEALTH_BASCULED,  true,    0, HEALTH_FAILED,   "basculed does not answer" },
    { HEALTH_COROSYNC,  true,    0, HEALTH_FAILED,   "corosync does not answer" },
    { HEALTH_JOURNAL,   true,    0, HEALTH_DEGRADED, "the journal cannot be written: see `bascule status`" },
    { HEALTH_INTERFACE, true,    0, HEALTH_FAILED,   "devices of services down or missing: #" },
    { HEALTH_MEMORY,    false,   2, HEALTH_FAILED,   "memory available: # %, below 2 %" },
    { HEALTH_MEMORY,    false,  10, HEALTH_DEGRADED, "memory available: # %, below 10 %" },
    { HEALTH_DISK,      false,   1, HEALTH_FAILED,   "journal's disk free: # %, below 1 %" },
    { HEALTH_DISK,      false,   5, HEALTH_DEGRADED, "journal's disk free: # %, below 5 %" },
    { HEALTH_READ_ONLY, true,    0, HEALTH_FAILED,   "disks that can only be read: #" },
    { HEALTH_INODES,    false,   1, HEALTH_FAILED,   "inodes free: # %, below 1 %" },
    { HEALTH_INODES,    false,   5, HEALTH_DEGRADED, "inodes free: # %, below 5 %" },
    { HEALTH_DISK_ERRORS, true,  0, HEALTH_DEGRADED, "errors of disks: #" },
    { HEALTH_SENSORS,   true,    0, HEALTH_DEGRADED, "alarms of sensors: #" },
    { HEALTH_HARDWARE,  true,    0, HEALTH_DEGRADED, "hardware errors in the kernel's log: #" },
    { HEALTH_PRESSURE_MEMORY, true, 30, HEALTH_DEGRADED, "all wait for memory: # % of the time, above 30 %" },
    { HEALTH_PRESSURE_IO, true, 80, HEALTH_DEGRADED, "all wait for I/O: # % of the time, above 80 %" },
    { HEALTH_CLOCK,     true,    0, HEALTH_DEGRADED, "the clock is not synchronised" },
    { HEALTH_DESCRIPTORS, true, 90, HEALTH_DEGRADED, "descriptors of a process: # % of its limit, above 90 %" },
    { HEALTH_PROGRAMS,  true,    0, HEALTH_FAILED,   "programs of services that are not installed: #" },
    { HEALTH_LOAD,      true,  800, HEALTH_DEGRADED, "load: # % of the processors, above 800 %" },
};
/* clang-format on */

static const struct rule *
match(enum health_reading reading, int64_t value)
{
    for (size_t i = 0; value >= 0 && i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].reading == reading &&
            (rules[i].above ? value > rules[i].limit : value < rules[i].limit))
            return &rules[i];
    return NULL;
}

static size_t
put(char *out, size_t size, size_t at, const char *text, size_t n)
{
    if (n > size - 1 - at)
        n = size - 1 - at;
    memcpy(out + at, text, n);
    out[at + n] = '\0';
    return at + n;
}

static size_t
put_number(char *out, size_t size, size_t at, int64_t value)
{
    char digits[20];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return put(out, size, at, digits + n, sizeof digits - n);
}

static size_t
put_finding(char *out, size_t size, size_t at, const struct rule *r, int64_t value)
{
    if (at)
        at = put(out, size, at, "; ", 2);
    for (const char *c = r->text; *c; c++)
        at = *c == '#' ? put_number(out, size, at, value) : put(out, size, at, c, 1);
    return at;
}

enum health
health_judge(const struct health_facts *f, char *reason, size_t size)
{
    enum health worst = HEALTH_OK;
    size_t at = 0;

    for (int i = 0; i < HEALTH_NREADINGS; i++) {
        const struct rule *r = match((enum health_reading)i, f->reading[i]);

        if (r && r->verdict > worst)
            worst = r->verdict;
    }
    reason[0] = '\0';
    if (f->broken) { /* before all else: much of the rest follows from it */
        put(reason, size, 0, f->broken, strlen(f->broken));
        return HEALTH_FAILED;
    }
    for (int i = 0; i < HEALTH_NREADINGS && worst > HEALTH_OK; i++) {
        const struct rule *r = match((enum health_reading)i, f->reading[i]);

        if (r && r->verdict == worst)
            at = put_finding(reason, size, at, r, f->reading[i]);
    }
    return worst;
}

void
health_unknown(struct health_facts *f)
{
    for (int i = 0; i < HEALTH_NREADINGS; i++)
        f->reading[i] = -1;
    f->broken = NULL;
}

void
health_add(
    enum health *verdict, char *reason, size_t size, enum health h, const char *text)
{
    size_t at;

    if (h <= HEALTH_OK || h < *verdict)
        return;
    if (h > *verdict)
        reason[0] = '\0';
    *verdict = h;
    at = strlen(reason);
    if (at)
        at = put(reason, size, at, "; ", 2);
    put(reason, size, at, text, strlen(text));
}
