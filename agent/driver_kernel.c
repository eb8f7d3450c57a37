/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECENT_MS 600000
#define KEPT 64 /* times of the newest ones, to count those that are recent */

/* What the kernel says when hardware fails; what only looks alike does not begin so. */
static const char *const signs[] = { "mce: [Hardware Error]",
    "[Hardware Error]:", "Machine check", "EDAC ", "Memory failure:", "I/O error",
    "critical medium error", "Buffer I/O error", "nvme", "PCIe Bus Error",
    "AER:", "Uncorrected error", "hung_task:", "soft lockup", "NETDEV WATCHDOG",
    "thermal: critical", "EXT4-fs error", "XFS (", "BTRFS error" };

static bool
is_error(const char *text)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(text, signs[i])) {
            if (strcmp(signs[i], "nvme") == 0)
                return strstr(text, "timeout") || strstr(text, "reset");
            if (strcmp(signs[i], "XFS (") == 0)
                return strstr(text, "error") || strstr(text, "Corruption");
            return true;
        }
    return false;
}

/* note - a record of /dev/kmsg: "LEVEL,NUMBER,TIME,FLAGS;TEXT\n KEY=VALUE\n". */
static void
note(char *record, int64_t *times, int64_t *errors, char *last)
{
    char *text = strchr(record, ';');
    unsigned level = 0;

    if (!text || sscanf(record, "%u", &level) != 1 || (level & 7) > 4)
        return; /* warnings and worse */
    text++;
    text[strcspn(text, "\n")] = '\0';
    if (!is_error(text))
        return;
    times[(*errors)++ % KEPT] = mono_clock().us;
    snapshot_text(last, SNAP_TEXT, text);
}

/* Source: Documentation/ABI/testing/dev-kmsg */
static enum watch_result
read_kernel(struct readings *r, const struct driver_context *ctx, char *text)
{
    static int fd = -1; /* of this driver, which runs once at a time */
    static int64_t errors, times[KEPT];
    static char last[SNAP_TEXT];
    char record[8192];
    ssize_t n;

    (void)ctx;
    if (fd < 0) {
        fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
            snprintf(text, SNAP_TEXT,
                "/dev/kmsg: %s; give the agent CAP_SYSLOG to watch the kernel's log",
                strerror(errno));
            return WATCH_NOTHING;
        }
        lseek(fd, 0, SEEK_END); /* what was before is another run's */
    }
    for (;;) {
        n = read(fd, record, sizeof record - 1);
        if (n < 0 && errno == EPIPE)
            continue; /* overwritten meanwhile: go on with the next */
        if (n <= 0)
            break;
        record[n] = '\0';
        note(record, times, &errors, last);
    }
    r->kernel.errors = errors;
    r->kernel.recent = 0;
    for (int64_t i = 0; i < errors && i < KEPT; i++)
        r->kernel.recent += mono_clock().us - times[i] < RECENT_MS * 1000ll;
    memcpy(r->kernel.last, last, sizeof last);
    return WATCH_READ;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    f->reading[HEALTH_HARDWARE] = r->kernel.recent;
}

const struct driver driver_kernel = { "kernel", { 1000, 2000, 1, 1 }, true, false,
    read_kernel, facts };
