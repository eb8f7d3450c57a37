/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/timex.h>

enum { SYNCHRONISED = 1, UNSYNCHRONISED = 2 }; /* BasculeClockStatus */

static enum watch_result
read_clock(struct readings *r, const struct driver_context *ctx, char *text)
{
    struct timex t = { 0 };
    int state = adjtimex(&t);

    (void)ctx;
    if (state < 0) {
        snapshot_text(text, SNAP_TEXT, strerror(errno));
        return WATCH_ERROR;
    }
    r->clock.state = state == TIME_ERROR || t.status & STA_UNSYNC ? UNSYNCHRONISED
                                                                  : SYNCHRONISED;
    r->clock.offset_us = t.status & STA_NANO ? t.offset / 1000 : t.offset;
    r->clock.max_error_us = t.maxerror;
    return WATCH_READ;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    f->reading[HEALTH_CLOCK] = r->clock.state == UNSYNCHRONISED;
}

const struct driver driver_clock = { "clock", { 5000, 2000, 3, 1 }, false, false,
    read_clock, facts };
