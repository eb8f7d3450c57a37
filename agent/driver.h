/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * driver.h - how the node looks at itself: one driver_*.c for each thing to look at.
 *
 * Each driver runs in a thread of its own (drivers.c), because any of them may hang: a
 * disk that is gone, a sensor behind a bus that does not answer.  It writes its own
 * part of the readings and no other, and does not keep pointers to it: the next call
 * gets another copy. */
#ifndef BSC_AGENT_DRIVER_H
#define BSC_AGENT_DRIVER_H

#include "agent/core/health.h"
#include "agent/core/snapshot.h"
#include "agent/core/watch.h"
#include "lib/conf.h"

#define READ_DISKS 32
#define READ_SENSORS 128
#define READ_LINKS 128
#define READ_PROCESSES 256
#define READ_BUILDS 1024

struct readings { /* numbers that are not known are MIB_NONE */
    struct {
        int64_t average[3]; /* hundredths: 1, 5, 15 minutes */
        int64_t processors; /* online */
    } load;
    struct {
        int64_t busy, user, system, iowait, steal; /* hundredths of a percent */
    } cpu;
    struct {
        int64_t total, available, swap_total, swap_free; /* MiB */
    } memory;
    struct {
        int64_t cpu, memory, memory_full, io, io_full; /* hundredths of a percent */
    } pressure;
    struct {
        uint32_t n;
        struct disk_row v[READ_DISKS]; /* the first is the journal's */
        int64_t new_errors;            /* since the agent started, of all */
    } disk;
    struct {
        uint32_t n;
        struct sensor_row v[READ_SENSORS];
    } sensor;
    struct {
        int64_t state, offset_us, max_error_us;
    } clock;
    struct {
        int64_t established, listening, time_wait, other, memory_kib;
    } socket;
    struct {
        int64_t errors; /* since the agent started */
        int64_t recent; /* of them, in the last ten minutes */
        char last[SNAP_TEXT];
    } kernel;
    struct {
        uint32_t n;
        struct process_row v[READ_PROCESSES];
        int64_t fullest; /* descriptors in use, percent of the limit: the worst */
    } process;
    struct {
        uint32_t n;
        struct link_row v[READ_LINKS];
        int64_t lost; /* devices of services that are down or missing */
    } link;
    struct {
        uint32_t n, nsets;
        struct build_row v[READ_BUILDS];
        struct build_set_row sets[SNAP_SERVICES];
        int64_t missing; /* programs that are not there */
    } build;
};

struct driver_context { /* borrowed for the call */
    const struct conf *conf;
    const char *state_dir;         /* where the journal is */
    const char *sys;               /* where sysfs is */
    pid_t pids[CONF_MAX_SERVICES]; /* of services that run here; 0: it does not */
};

struct driver {
    const char *name;
    struct watch_conf watch;
    bool counts; /* its verdict is part of the node's */
    bool hasty;  /* read at once when an interface changes */

    /* WATCH_NOTHING: there is nothing to read here, or it is not allowed; @text
     * (SNAP_TEXT bytes) says what.  WATCH_ERROR: @text says why. */
    enum watch_result (*read)(
        struct readings *r, const struct driver_context *ctx, char *text);

    /* What of it is judged; NULL: nothing.  Others are at -1 already. */
    void (*facts)(const struct readings *r, struct health_facts *f);
};

extern const struct driver driver_load, driver_cpu, driver_memory, driver_pressure,
    driver_disk, driver_sensor, driver_clock, driver_socket, driver_kernel,
    driver_process, driver_link, driver_build;

/* driver_corosync - is there a Corosync that takes clients, and does it run?  Does not
 * wait. */
enum liveness driver_corosync(void);

/* driver_interface - LINK_UP, LINK_DOWN or LINK_MISSING; LINK_UNKNOWN if it cannot be
 * asked.  A bridge is down too when no port leads out of the node.  Does not wait.
 *
 * @sys  where sysfs is */
enum link_state driver_interface(const char *sys, const char *device);

/* driver_link_fd - a descriptor that is readable when an interface changes; what is
 * read from it means nothing.  -1: none. */
int driver_link_fd(void);

#endif
