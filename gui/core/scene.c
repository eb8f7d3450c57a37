/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/scene.h"

#include <string.h>

#define MARGIN 18.0
#define HEAD 44.0 /* of a card: name and health */
#define CHIP 38.0 /* a service: name and addresses */
#define GAP 6.0
#define ELLIPSE 8

/* Cosine and sine of the places, clockwise from the top: a core has no libm. */
static const double cosine[ELLIPSE + 1][ELLIPSE] = { { 0 }, { 0 }, { -1, 1 },
    { 0, 0.92, -0.92 }, { -0.8, 0.8, 0.8, -0.8 }, { 0, 0.951, 0.588, -0.588, -0.951 },
    { -0.6, 0.6, 1, 0.6, -0.6, -1 }, { 0, 0.782, 0.975, 0.434, -0.434, -0.975, -0.782 },
    { -0.42, 0.42, 1, 1, 0.42, -0.42, -1, -1 } };
static const double sine[ELLIPSE + 1][ELLIPSE] = { { 0 }, { 0 }, { 0, 0 }, { -1, 1, 1 },
    { -1, -1, 1, 1 }, { -1, -0.309, 1, 1, -0.309 }, { -1, -1, 0, 1, 1, 0 },
    { -1, -0.623, 0.223, 1, 1, 0.223, -0.623 },
    { -1, -1, -0.36, 0.36, 1, 1, 0.36, -0.36 } };

static double
clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static void
on_ellipse(struct scene *s, const struct view *v)
{
    unsigned n = v->nnodes, most = 1;
    double w, h, rx, ry;

    for (unsigned i = 0; i < n; i++)
        if (v->nodes[i].active > (int)most)
            most = (unsigned)v->nodes[i].active;
    w = clamp(s->w / (n > 4 ? 4.4 : 3.6), 130, 250);
    h = HEAD + GAP + (CHIP + GAP) * (most > 4 ? 4 : most);
    h = clamp(h, HEAD, (s->h - 2 * MARGIN - 30) / (n > 6 ? 3.2 : n > 2 ? 2.15 : 1));
    rx = (s->w - w) / 2 - MARGIN;
    ry = (s->h - h) / 2 - MARGIN;
    rx = clamp(rx, 0, 1.6 * w);
    for (unsigned i = 0; i < n; i++)
        s->cards[i] = (struct scene_rect){ s->w / 2 + rx * cosine[n][i] - w / 2,
            s->h / 2 + ry * sine[n][i] - h / 2, w, h };
    s->ncards = n;
}

/* A service that runs nowhere has its place below the grid. */
static double
room_below(const struct view *v)
{
    for (unsigned i = 0; i < v->nservices; i++)
        if (v->services[i].node < 0)
            return CHIP + 8;
    return 0;
}

static void
in_grid(struct scene *s, const struct view *v)
{
    unsigned n = v->nnodes, columns = 1, rows;
    double w, h, room = s->h - room_below(v);

    while (
        columns < n && (s->w / columns) * 0.42 > room / ((n + columns - 1) / columns))
        columns++;
    rows = (n + columns - 1) / columns;
    w = (s->w - MARGIN) / columns;
    h = (room - MARGIN) / rows;
    s->dense = h - GAP < HEAD + CHIP + 2 * GAP;
    for (unsigned i = 0; i < n; i++)
        s->cards[i] = (struct scene_rect){ MARGIN / 2 + w * (i % columns) + GAP / 2,
            MARGIN / 2 + h * (i / columns) + GAP / 2, w - GAP, h - GAP };
    s->ncards = n;
}

/* Amid the nodes where they stand around, below them otherwise.  False: no room. */
static bool
place_homeless(
    const struct scene *s, unsigned nnodes, unsigned i, struct scene_rect *at)
{
    bool amid = nnodes > 1 && nnodes <= ELLIPSE;
    double x = amid ? s->w / 2 - 75 : MARGIN + i * 160.0;
    double y = amid ? s->h / 2 - CHIP / 2 + i * (CHIP + GAP) : s->h - CHIP - 4;

    *at = (struct scene_rect){ x, y, 150, CHIP };
    return x + 150 <= s->w && y + CHIP <= s->h;
}

static void
place_chips(struct scene *s, const struct view *v)
{
    static unsigned used[VIEW_NODES];
    unsigned homeless = 0;

    memset(used, 0, sizeof used);
    memset(s->more, 0, sizeof s->more);
    for (unsigned i = 0; i < v->nservices && s->nchips < SCENE_CHIPS; i++) {
        int node = v->services[i].node;
        struct scene_chip *c = &s->chips[s->nchips];
        const struct scene_rect *card;
        unsigned room;

        if (node < 0) {
            if (!place_homeless(s, v->nnodes, homeless, &c->at))
                continue;
            homeless++;
            *c = (struct scene_chip){ c->at, (int)i, -1 };
            s->nchips++;
            continue;
        }
        card = &s->cards[node];
        room = s->dense ? 0 : (unsigned)((card->h - HEAD) / (CHIP + GAP));
        if (used[node] >= room) {
            s->more[node]++;
            continue;
        }
        c->at = (struct scene_rect){ card->x + 8,
            card->y + HEAD + used[node]++ * (CHIP + GAP), card->w - 16, CHIP };
        *c = (struct scene_chip){ c->at, (int)i, node };
        s->nchips++;
    }
}

/* Where the line from the middle of @r to (@x, @y) leaves @r, and a little further. */
static void
leave(const struct scene_rect *r, double x, double y, double *ex, double *ey)
{
    double cx = r->x + r->w / 2, cy = r->y + r->h / 2, dx = x - cx, dy = y - cy;
    double ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy, t = 0;

    if (ax * r->h > ay * r->w)
        t = (r->w / 2 + 4) / (ax > 0 ? ax : 1);
    else
        t = (r->h / 2 + 4) / (ay > 0 ? ay : 1);
    *ex = cx + dx * t;
    *ey = cy + dy * t;
}

/* Arrows between the same two nodes lie side by side. */
static unsigned
alike(const struct scene *s, const struct view *v, int from, int to)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->narrows; i++) {
        const struct view_standby *b = &v->standbys[s->arrows[i].standby];
        int a = v->services[b->service_at].node;

        n += (a == from && b->node == to) || (a == to && b->node == from);
    }
    return n;
}

static void
place_arrow(struct scene *s, const struct view *v, int standby, int from, int to)
{
    const struct scene_rect *a = &s->cards[from], *b = &s->cards[to];
    struct scene_arrow *r = &s->arrows[s->narrows];
    unsigned n = alike(s, v, from, to);
    double off = (n % 2 ? -1.0 : 1.0) * ((n + 1) / 2) * 22.0;
    double dx = b->x - a->x, dy = b->y - a->y;
    bool steep = (dy < 0 ? -dy : dy) > (dx < 0 ? -dx : dx);

    leave(a, b->x + b->w / 2, b->y + b->h / 2, &r->x0, &r->y0);
    leave(b, a->x + a->w / 2, a->y + a->h / 2, &r->x1, &r->y1);
    r->x0 += steep ? off : 0;
    r->x1 += steep ? off : 0;
    r->y0 += steep ? 0 : off;
    r->y1 += steep ? 0 : off;
    r->lx = (r->x0 + r->x1) / 2;
    r->ly = (r->y0 + r->y1) / 2;
    r->standby = standby;
    s->narrows++;
}

static void
place_arrows(struct scene *s, const struct view *v, int service)
{
    bool few = v->nnodes <= ELLIPSE && v->nstandbys <= 12;

    for (unsigned i = 0; i < v->nstandbys && s->narrows < SCENE_ARROWS; i++) {
        const struct view_standby *b = &v->standbys[i];
        int from = b->service_at < 0 ? -1 : v->services[b->service_at].node;

        if (from < 0 || b->node < 0 || from == b->node ||
            (service >= 0 ? b->service_at != service : !few))
            continue;
        place_arrow(s, v, (int)i, from, b->node);
    }
}

void
scene_make(struct scene *s, const struct view *v, double w, double h, int service)
{
    s->w = w;
    s->h = h;
    s->dense = false;
    s->ncards = s->nchips = s->narrows = 0;
    if (v->nnodes == 0)
        return;
    if (v->nnodes == 1)
        s->cards[s->ncards++] = (struct scene_rect){ w / 2 - 125, h / 2 - 70, 250,
            140 };
    else if (v->nnodes <= ELLIPSE)
        on_ellipse(s, v);
    else
        in_grid(s, v);
    place_chips(s, v);
    place_arrows(s, v, service);
}

static bool
in_rect(const struct scene_rect *r, double x, double y)
{
    return x >= r->x && y >= r->y && x < r->x + r->w && y < r->y + r->h;
}

void
scene_hit(const struct scene *s, double x, double y, int *node, int *service)
{
    *node = *service = -1;
    for (unsigned i = 0; i < s->nchips; i++)
        if (in_rect(&s->chips[i].at, x, y)) {
            *service = s->chips[i].service;
            return;
        }
    for (unsigned i = 0; i < s->ncards; i++)
        if (in_rect(&s->cards[i], x, y)) {
            *node = (int)i;
            return;
        }
}
