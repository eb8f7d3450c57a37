/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/picture-draw.h"

#include "gui/words.h"

#include <math.h>

struct pen {
    cairo_t *cr;
    const struct picture_look *look;
    const struct palette *p;
};

enum { BOLD = 1, SMALL = 2, CENTRE = 4 };

/* One line, cut with an ellipsis at @width; its height. */
static int
text(struct pen *n, const char *words, double x, double y, double width, int style,
    const GdkRGBA *colour)
{
    PangoLayout *l = pango_layout_new(n->look->pango);
    PangoFontDescription *font = pango_font_description_copy(
        pango_context_get_font_description(n->look->pango));
    int w, h, size = pango_font_description_get_size(font);

    if (style & BOLD)
        pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
    if (style & SMALL) {
        if (pango_font_description_get_size_is_absolute(font))
            pango_font_description_set_absolute_size(font, size * 0.87);
        else
            pango_font_description_set_size(font, (int)(size * 0.87));
    }
    pango_layout_set_font_description(l, font);
    pango_layout_set_single_paragraph_mode(l, TRUE);
    pango_layout_set_text(l, words, -1);
    pango_layout_set_ellipsize(l, PANGO_ELLIPSIZE_END);
    pango_layout_set_width(l, (int)(MAX(width, 8) * PANGO_SCALE));
    if (style & CENTRE)
        pango_layout_set_alignment(l, PANGO_ALIGN_CENTER);
    pango_layout_get_pixel_size(l, &w, &h);
    palette_set(n->cr, colour);
    cairo_move_to(n->cr, x, y);
    pango_cairo_show_layout(n->cr, l);
    pango_font_description_free(font);
    g_object_unref(l);
    return h;
}

static void
rounded(cairo_t *cr, const struct scene_rect *r, double radius)
{
    double x1 = r->x + r->w, y1 = r->y + r->h;

    cairo_new_sub_path(cr);
    cairo_arc(cr, x1 - radius, r->y + radius, radius, -G_PI / 2, 0);
    cairo_arc(cr, x1 - radius, y1 - radius, radius, 0, G_PI / 2);
    cairo_arc(cr, r->x + radius, y1 - radius, radius, G_PI / 2, G_PI);
    cairo_arc(cr, r->x + radius, r->y + radius, radius, G_PI, 1.5 * G_PI);
    cairo_close_path(cr);
}

static void
box(struct pen *n, const struct scene_rect *r, double radius, const GdkRGBA *fill,
    const GdkRGBA *line, double width)
{
    rounded(n->cr, r, radius);
    palette_set(n->cr, fill);
    cairo_fill_preserve(n->cr);
    palette_set(n->cr, line);
    cairo_set_line_width(n->cr, width);
    cairo_stroke(n->cr);
}

static void
focus_ring(struct pen *n, const struct scene_rect *r)
{
    const double dash[] = { 3, 2 };
    struct scene_rect out = { r->x - 3.5, r->y - 3.5, r->w + 7, r->h + 7 };

    rounded(n->cr, &out, 9);
    palette_set(n->cr, &n->p->text);
    cairo_set_line_width(n->cr, 1.5);
    cairo_set_dash(n->cr, dash, 2, 0);
    cairo_stroke(n->cr);
    cairo_set_dash(n->cr, NULL, 0, 0);
}

/* ---- nodes ---- */

static char *
node_words(const struct view_node *c)
{
    GString *s = g_string_new(words_node(c->state));

    if (c->state == NODE_ONLINE) {
        g_string_append_printf(s, " \u00b7 %s", words_health(c->health));
        if (c->maintenance == MIB_TRUE)
            g_string_append_printf(s, " \u00b7 %s", _("maintenance"));
        if (c->drain > DRAIN_NO)
            g_string_append_printf(s, " \u00b7 %s", words_drain(c->drain));
        if (c->cut)
            g_string_append_printf(s, _(" \u00b7 %s down"), c->down);
    }
    return g_string_free(s, FALSE);
}

static void
node(struct pen *n, const struct view *v, const struct scene *s, unsigned i)
{
    const struct view_node *c = &v->nodes[i];
    const struct scene_rect *r = &s->cards[i];
    const GdkRGBA *colour = &n->p->class[c->class];
    gboolean chosen = n->look->select_node == (int)i;
    g_autofree char *words = node_words(c), *more = NULL;
    const double dash[] = { 6, 4 };
    double sign = s->dense ? 16 : 22;

    if (c->state != NODE_ONLINE)
        cairo_set_dash(n->cr, dash, 2, 0);
    box(n, r, 8, c->class == CLASS_BAD ? &n->p->tint[CLASS_BAD] : &n->p->card,
        chosen                   ? &n->p->accent
        : c->class == CLASS_GOOD ? &n->p->line
                                 : colour,
        chosen || n->p->high     ? 2.5
        : c->class == CLASS_GOOD ? 1
                                 : 1.8);
    cairo_set_dash(n->cr, NULL, 0, 0);
    text(n, words_sign(c->class), r->x + 9, r->y + (s->dense ? 3 : 5), sign, BOLD,
        colour);
    text(n, c->name, r->x + 9 + sign, r->y + (s->dense ? 3 : 5), r->w - sign - 16, BOLD,
        &n->p->text);
    if (!s->dense || r->h > 38)
        text(n, words, r->x + 9, r->y + (s->dense ? 20 : 23), r->w - 16, SMALL,
            &n->p->faint);
    if (!s->dense && c->active == 0 && c->clones > 0 && r->h > 70) {
        g_autofree char *clones = g_strdup_printf(
            ngettext(
                "standby of %d service", "standby of %d services", (gulong)c->clones),
            c->clones);

        text(n, clones, r->x + 9, r->y + 46, r->w - 16, SMALL, &n->p->faint);
    }
    if (s->more[i] > 0 && (!s->dense || r->h > 52)) {
        more = s->dense ? g_strdup_printf(
                              ngettext("%d service", "%d services", (gulong)s->more[i]),
                              s->more[i])
                        : g_strdup_printf(ngettext("and %d more", "and %d more",
                                              (gulong)s->more[i]),
                              s->more[i]);
        text(n, more, r->x + 9, r->y + r->h - 19, r->w - 16, SMALL, &n->p->text);
    }
    if (n->look->focus_node == (int)i)
        focus_ring(n, r);
}

/* ---- services ---- */

static void
chip(struct pen *n, const struct view *v, const struct scene_rect *r, int service)
{
    const struct view_service *s = &v->services[service];
    gboolean chosen = n->look->select_service == service;
    const GdkRGBA *colour = &n->p->class[s->class];
    g_autofree char *below = NULL;

    box(n, r, 6, &n->p->tint[s->class], chosen ? &n->p->accent : colour,
        chosen || n->p->high ? 2.5 : 1.2);
    text(n, words_sign(s->class), r->x + 7, r->y + 2, 20, BOLD, colour);
    text(n, s->name, r->x + 27, r->y + 2, r->w - 33, BOLD, &n->p->text);
    if (s->step[0])
        below = g_strdup(s->step);
    else if (s->class != CLASS_GOOD)
        below = g_strdup_printf("%s \u00b7 %s", words_service(s->state), s->addresses);
    else
        below = g_strdup(s->addresses[0] ? s->addresses : words_service(s->state));
    text(n, below, r->x + 27, r->y + 19, r->w - 33, SMALL, &n->p->faint);
    if (n->look->focus_service == service)
        focus_ring(n, r);
}

static const struct picture_move *
moving(const struct pen *n, int service)
{
    for (unsigned i = 0; i < n->look->nmoves; i++)
        if (n->look->moves[i].service == service)
            return &n->look->moves[i];
    return NULL;
}

static void
chips(struct pen *n, const struct view *v, const struct scene *s)
{
    for (unsigned i = 0; i < s->nchips; i++) {
        struct scene_rect r = s->chips[i].at;
        const struct picture_move *m = moving(n, s->chips[i].service);

        if (m) { /* slow at both ends */
            double t = m->done * m->done * (3 - 2 * m->done);

            r.x = m->x + (r.x - m->x) * t;
            r.y = m->y + (r.y - m->y) * t;
        }
        chip(n, v, &r, s->chips[i].service);
    }
}

/* ---- replication ---- */

static char *
arrow_words(const struct view *v, const struct view_standby *b)
{
    GString *s = g_string_new(NULL);

    if (v->nservices > 1)
        g_string_append_printf(s, "%s: ", b->service);
    if (b->state != STANDBY_READY)
        g_string_append(s, words_standby(b->state));
    else if (b->lag == NOT_KNOWN)
        g_string_append(s, _("lag not known"));
    else if (b->lag > 999999)
        g_string_append(s, _("lag > 999999"));
    else
        g_string_append_printf(s, _("lag %d"), (int)b->lag);
    if (b->clone_age != NOT_KNOWN) {
        g_autofree char *age = words_ms(b->clone_age);

        g_string_append_printf(s, " \u00b7 %s", age);
    }
    return g_string_free(s, FALSE);
}

static void
head(cairo_t *cr, double x, double y, double angle, double size)
{
    cairo_move_to(cr, x, y);
    cairo_line_to(cr, x - size * cos(angle - 0.42), y - size * sin(angle - 0.42));
    cairo_line_to(cr, x - size * cos(angle + 0.42), y - size * sin(angle + 0.42));
    cairo_close_path(cr);
    cairo_fill(cr);
}

/* Lines tell by their form too: whole = ready and required, dashed = on the way,
 * dotted with a cross = cut. */
static void
arrow_line(struct pen *n, const struct scene_arrow *a, enum view_class class)
{
    const double busy[] = { 8, 5 }, away[] = { 2, 5 };
    double angle = atan2(a->y1 - a->y0, a->x1 - a->x0);
    double mx = a->lx, my = a->ly;

    palette_set(n->cr, &n->p->class[class]);
    cairo_set_line_width(n->cr, n->p->high ? 3 : 2);
    if (class == CLASS_BUSY || class == CLASS_WARN)
        cairo_set_dash(n->cr, busy, 2, -n->look->phase * 13);
    else if (class != CLASS_GOOD)
        cairo_set_dash(n->cr, away, 2, 0);
    cairo_move_to(n->cr, a->x0, a->y0);
    cairo_line_to(n->cr, a->x1 - 8 * cos(angle), a->y1 - 8 * sin(angle));
    cairo_stroke(n->cr);
    cairo_set_dash(n->cr, NULL, 0, 0);
    head(n->cr, a->x1, a->y1, angle, 11);
    if (class == CLASS_BAD) {
        double x = (a->x1 + mx) / 2, y = (a->y1 + my) / 2;

        for (int k = -1; k <= 1; k += 2) {
            cairo_move_to(n->cr, x - 7, y - 7 * k);
            cairo_line_to(n->cr, x + 7, y + 7 * k);
        }
        cairo_set_line_width(n->cr, 3);
        cairo_stroke(n->cr);
    }
}

static void
arrow_label(struct pen *n, const struct view *v, const struct scene_arrow *a)
{
    const struct view_standby *b = &v->standbys[a->standby];
    g_autofree char *words = arrow_words(v, b);
    PangoLayout *l = pango_layout_new(n->look->pango);
    struct scene_rect r;
    int w, h;

    pango_layout_set_text(l, words, -1);
    pango_layout_get_pixel_size(l, &w, &h);
    g_object_unref(l);
    w = MIN(w, 260);
    r = (struct scene_rect){ a->lx - w / 2.0 - 5, a->ly - h / 2.0 - 1, w + 10, h + 2 };
    box(n, &r, 5, &n->p->ground, &n->p->ground, 1);
    text(n, words, r.x + 3, r.y + 1, w + 6, SMALL | CENTRE, &n->p->class[b->class]);
}

void
picture_draw(cairo_t *cr, const struct view *v, const struct scene *s,
    const struct picture_look *look)
{
    struct pen n = { cr, look, look->palette };

    palette_set(cr, &n.p->ground);
    cairo_paint(cr);
    if (v->nnodes == 0) {
        g_autofree char *words = words_overall(v);

        text(&n, words, 20, s->h / 2 - 22, s->w - 40, BOLD | CENTRE, &n.p->faint);
        text(&n, v->why, 20, s->h / 2, s->w - 40, CENTRE, &n.p->faint);
        return;
    }
    for (unsigned i = 0; i < s->narrows; i++)
        arrow_line(&n, &s->arrows[i], v->standbys[s->arrows[i].standby].class);
    for (unsigned i = 0; i < s->ncards; i++)
        node(&n, v, s, i);
    chips(&n, v, s);
    for (unsigned i = 0; i < s->narrows; i++)
        arrow_label(&n, v, &s->arrows[i]);
}
