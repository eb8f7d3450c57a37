/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * series.h - what was measured of a service over time, for the plots.  Pure. */
#ifndef BSC_GUI_SERIES_H
#define BSC_GUI_SERIES_H

#include "gui/core/view.h"

enum series_metric {
    METRIC_WAIT,  /* ms a packet waits in the gate: held / released per second */
    METRIC_LAG,   /* checkpoints; of the standby that is furthest behind */
    METRIC_PAUSE, /* us */
    METRIC_BYTES, /* per checkpoint */
    METRIC_CONNECTIONS,
    N_METRICS
};

#define SERIES_POINTS 2400
#define SERIES_BLACKOUTS 32

struct series_point {
    int64_t ms;
    float v[N_METRICS]; /* negative: not known */
};

struct series_blackout {
    int64_t ms; /* when it was over, or when it was seen */
    int64_t length_ms;
    int64_t epoch;
};

struct series {
    unsigned n, first; /* a ring */
    struct series_point points[SERIES_POINTS];
    unsigned nblackouts;
    struct series_blackout blackouts[SERIES_BLACKOUTS]; /* oldest first */
    int64_t epoch, released, released_ms;               /* as seen last */
    double held;                                        /* smoothed */
};

struct series_bucket {
    float low, high; /* negative: nothing known */
};

void series_clear(struct series *s);

/* series_add - what @v says of the service @service at @ms. */
void series_add(struct series *s, const struct view *v, unsigned service, int64_t ms);

/* series_buckets - least and greatest of @metric in @n equal parts of [@from, @to).
 * The greatest of all, at least 0. */
double series_buckets(const struct series *s, enum series_metric metric, int64_t from,
    int64_t to, struct series_bucket *buckets, unsigned n);

/* series_at - the point nearest to @ms; NULL: there is none. */
const struct series_point *series_at(const struct series *s, int64_t ms);

/* series_span - first and last time.  False: empty. */
bool series_span(const struct series *s, int64_t *from, int64_t *to);

/* series_top - a round number not below @v, for the end of an axis. */
double series_top(double v);

#endif
