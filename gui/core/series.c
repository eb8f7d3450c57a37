/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/series.h"

#include <string.h>

void
series_clear(struct series *s)
{
    memset(s, 0, sizeof *s);
    s->epoch = s->released = NOT_KNOWN;
}

static const struct series_point *
point(const struct series *s, unsigned i)
{
    return &s->points[(s->first + i) % SERIES_POINTS];
}

static float
known(int64_t v)
{
    return v == NOT_KNOWN || v < 0 ? -1 : (float)v;
}

/* Little's law: as many wait as arrive during the time that one waits. */
static float
waiting(struct series *s, const struct view_service *v, int64_t ms)
{
    float wait = -1;

    if (v->held == NOT_KNOWN || v->released == NOT_KNOWN) {
        s->released = NOT_KNOWN;
        return -1;
    }
    s->held += ((double)v->held - s->held) * 0.3;
    if (s->released != NOT_KNOWN && v->released > s->released && ms > s->released_ms)
        wait = (float)(s->held * (double)(ms - s->released_ms) /
                       (double)(v->released - s->released));
    else if (s->released != NOT_KNOWN && v->held == 0)
        wait = 0;
    if (v->released != s->released) {
        s->released = v->released;
        s->released_ms = ms;
    }
    return wait;
}

static int64_t
worst_lag(const struct view *v, unsigned service)
{
    int64_t lag = NOT_KNOWN;

    for (unsigned i = 0; i < v->nstandbys; i++)
        if (v->standbys[i].service_at == (int)service && v->standbys[i].lag > lag)
            lag = v->standbys[i].lag;
    return lag;
}

static void
note_blackout(struct series *s, const struct view_service *v, int64_t ms)
{
    struct series_blackout *b;

    if (v->epoch == NOT_KNOWN)
        return;
    if (s->epoch != NOT_KNOWN && v->epoch != s->epoch) {
        if (s->nblackouts == SERIES_BLACKOUTS) {
            memmove(s->blackouts, s->blackouts + 1,
                (SERIES_BLACKOUTS - 1) * sizeof *s->blackouts);
            s->nblackouts--;
        }
        s->blackouts[s->nblackouts++] = (struct series_blackout){ ms, NOT_KNOWN,
            v->epoch };
    }
    s->epoch = v->epoch;
    b = s->nblackouts ? &s->blackouts[s->nblackouts - 1] : NULL;
    if (b && b->length_ms == NOT_KNOWN && b->epoch == v->epoch && v->blackout > 0 &&
        v->state != SERVICE_TAKING_OVER)
        b->length_ms = v->blackout;
}

void
series_add(struct series *s, const struct view *v, unsigned service, int64_t ms)
{
    const struct view_service *of = &v->services[service];
    struct series_point *p;

    if (s->n > 0 && ms <= point(s, s->n - 1)->ms)
        return;
    if (s->n == SERIES_POINTS) {
        s->first = (s->first + 1) % SERIES_POINTS;
        s->n--;
    }
    p = &s->points[(s->first + s->n++) % SERIES_POINTS];
    p->ms = ms;
    p->v[METRIC_WAIT] = waiting(s, of, ms);
    p->v[METRIC_LAG] = known(worst_lag(v, service));
    p->v[METRIC_PAUSE] = known(of->pause);
    p->v[METRIC_BYTES] = known(of->checkpoint_size);
    p->v[METRIC_CONNECTIONS] = known(of->connections);
    note_blackout(s, of, ms);
}

double
series_buckets(const struct series *s, enum series_metric metric, int64_t from,
    int64_t to, struct series_bucket *buckets, unsigned n)
{
    float top = 0;

    for (unsigned i = 0; i < n; i++)
        buckets[i] = (struct series_bucket){ -1, -1 };
    for (unsigned i = 0; i < s->n; i++) {
        const struct series_point *p = point(s, i);
        struct series_bucket *b;
        float v = p->v[metric];

        if (p->ms < from || p->ms >= to || v < 0)
            continue;
        b = &buckets[(uint64_t)(p->ms - from) * n / (uint64_t)(to - from)];
        if (b->low < 0 || v < b->low)
            b->low = v;
        if (v > b->high)
            b->high = v;
        if (v > top)
            top = v;
    }
    return top;
}

const struct series_point *
series_at(const struct series *s, int64_t ms)
{
    const struct series_point *best = NULL;
    int64_t least = INT64_MAX;

    for (unsigned i = 0; i < s->n; i++) {
        int64_t d = point(s, i)->ms - ms;

        if (d < 0)
            d = -d;
        if (d < least) {
            least = d;
            best = point(s, i);
        }
    }
    return best;
}

bool
series_span(const struct series *s, int64_t *from, int64_t *to)
{
    if (s->n == 0)
        return false;
    *from = point(s, 0)->ms;
    *to = point(s, s->n - 1)->ms;
    return true;
}

double
series_top(double v)
{
    double top = 1;

    while (top < v && top < 1e18)
        top *= 10;
    if (top / 5 >= v)
        return top / 5;
    return top / 2 >= v ? top / 2 : top;
}
