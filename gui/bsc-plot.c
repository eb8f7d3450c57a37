/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-plot.h"

#include "gui/palette.h"
#include "gui/words.h"

#include <math.h>

#define LEFT 236.0
#define RIGHT 18.0
#define TOP 10.0
#define AXIS 26.0
#define LEAST_MS 2000
#define BUCKETS 4096

struct _BscPlot {
    GtkDrawingArea parent;
    const struct series *series; /* borrowed */
    char service[VIEW_NAME];
    int64_t span_ms;   /* shown */
    int64_t end_ms;    /* right edge; 0: follows the newest */
    int64_t cursor_ms; /* 0: none */
    gboolean zoomed;   /* @span_ms is what the operator wants */
    double drag_x;
    int64_t drag_end;
    struct palette palette;
};

G_DEFINE_TYPE(BscPlot, bsc_plot, GTK_TYPE_DRAWING_AREA)

static const char *const titles[N_METRICS] = { N_("Wait in the gate"), N_("Lag"),
    N_("Pause"), N_("Checkpoint size"), N_("Connections") };

static char *
value_words(int metric, double v)
{
    if (v < 0)
        return g_strdup(_("not known"));
    switch (metric) {
    case METRIC_WAIT:
        return g_strdup_printf(_("%.1f ms"), v);
    case METRIC_LAG:
        return v > 999999 ? g_strdup("> 999999") : g_strdup_printf("%.0f", v);
    case METRIC_PAUSE:
        return words_us((int64_t)v);
    case METRIC_BYTES:
        return words_bytes((int64_t)v);
    default:
        return g_strdup_printf("%'.0f", v);
    }
}

/* ---- time and place ---- */

static int64_t
right_ms(BscPlot *self)
{
    int64_t from, to;

    if (self->end_ms)
        return self->end_ms;
    return self->series && series_span(self->series, &from, &to) ? to + 1 : 1;
}

/* A console that was started just now shows its ten seconds, not two empty minutes. */
static int64_t
span(BscPlot *self)
{
    int64_t from, to;

    if (self->zoomed || !self->series || !series_span(self->series, &from, &to))
        return self->span_ms;
    return CLAMP(to - from + 1, 10000, self->span_ms);
}

static double
width(BscPlot *self)
{
    return MAX(gtk_widget_get_allocated_width(GTK_WIDGET(self)) - LEFT - RIGHT, 20);
}

static double
x_of(BscPlot *self, int64_t ms)
{
    return LEFT +
           width(self) * (1 - (double)(right_ms(self) - ms) / (double)span(self));
}

static int64_t
ms_of(BscPlot *self, double x)
{
    return right_ms(self) -
           (int64_t)((1 - (x - LEFT) / width(self)) * (double)span(self));
}

/* ---- drawing ---- */

static void
words_at(BscPlot *self, cairo_t *cr, const char *words, double x, double y, double w,
    gboolean bold, double align, const GdkRGBA *colour)
{
    PangoLayout *l = gtk_widget_create_pango_layout(GTK_WIDGET(self), words);
    int tw, th;

    if (bold) {
        PangoAttrList *a = pango_attr_list_new();

        pango_attr_list_insert(a, pango_attr_weight_new(PANGO_WEIGHT_BOLD));
        pango_layout_set_attributes(l, a);
        pango_attr_list_unref(a);
    }
    pango_layout_set_width(l, (int)(w * PANGO_SCALE));
    pango_layout_set_ellipsize(l, PANGO_ELLIPSIZE_END);
    pango_layout_set_alignment(l, align > 0.9   ? PANGO_ALIGN_RIGHT
                                  : align > 0.1 ? PANGO_ALIGN_CENTER
                                                : PANGO_ALIGN_LEFT);
    pango_layout_get_pixel_size(l, &tw, &th);
    palette_set(cr, colour);
    cairo_move_to(cr, x, y);
    pango_cairo_show_layout(cr, l);
    g_object_unref(l);
}

static void
curve(BscPlot *self, cairo_t *cr, const struct series_bucket *b, unsigned n, double x0,
    double y0, double h, double top)
{
    gboolean pen = FALSE;

    palette_set(cr, &self->palette.class[CLASS_BUSY]);
    cairo_set_line_width(cr, self->palette.high ? 2.5 : 1.5);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    for (unsigned i = 0; i < n; i++) {
        double x = x0 + i, low = y0 + h - b[i].low / top * h,
               high = y0 + h - b[i].high / top * h;

        if (b[i].low < 0)
            continue;
        if (!pen)
            cairo_move_to(cr, x, low);
        else
            cairo_line_to(cr, x, low);
        if (high < low - 0.5)
            cairo_line_to(cr, x, high);
        pen = TRUE;
    }
    cairo_stroke(cr);
}

static void
lane(BscPlot *self, cairo_t *cr, int metric, double y, double h)
{
    static struct series_bucket buckets[BUCKETS]; /* only the main loop draws */
    unsigned n = (unsigned)CLAMP(width(self), 20, BUCKETS);
    int64_t to = right_ms(self);
    double most = series_buckets(
        self->series, (enum series_metric)metric, to - span(self), to, buckets, n);
    double top = series_top(most);
    const struct series_point *p = series_at(
        self->series, self->cursor_ms ? self->cursor_ms : to);
    g_autofree char *label = value_words(metric, top);
    g_autofree char *now = value_words(metric, p ? (double)p->v[metric] : -1);

    palette_set(cr, &self->palette.card);
    cairo_rectangle(cr, LEFT, y, width(self), h);
    cairo_fill(cr);
    palette_set(cr, &self->palette.line);
    cairo_set_line_width(cr, 1);
    cairo_rectangle(cr, LEFT + 0.5, floor(y) + 0.5, floor(width(self)) - 1, floor(h));
    cairo_stroke(cr);
    words_at(self, cr, _(titles[metric]), 14, y + 2, LEFT - 96, TRUE, 0,
        &self->palette.text);
    words_at(self, cr, now, 14, y + 20, LEFT - 96, FALSE, 0,
        &self->palette.class[CLASS_BUSY]);
    words_at(self, cr, label, LEFT - 90, y, 84, FALSE, 1, &self->palette.faint);
    words_at(self, cr, "0", LEFT - 90, y + h - 18, 84, FALSE, 1, &self->palette.faint);
    curve(self, cr, buckets, n, LEFT, y + 2, h - 4, top);
}

/* Hatched, and named: not by colour alone. */
static void
blackouts(BscPlot *self, cairo_t *cr, double h)
{
    for (unsigned i = 0; i < self->series->nblackouts; i++) {
        const struct series_blackout *b = &self->series->blackouts[i];
        int64_t length = b->length_ms == NOT_KNOWN ? 0 : b->length_ms;
        double x1 = x_of(self, b->ms), x0 = x_of(self, b->ms - length);
        g_autofree char *words = NULL, *ms = NULL;

        if (x1 < LEFT || x0 > LEFT + width(self))
            continue;
        x0 = MIN(MAX(x0, LEFT), x1 - 3);
        palette_set(cr, &self->palette.class[CLASS_BAD]);
        cairo_save(cr);
        cairo_rectangle(cr, x0, TOP, x1 - x0, h);
        cairo_clip(cr);
        cairo_set_line_width(cr, 1.5);
        for (double y = TOP - (x1 - x0); y < TOP + h; y += 6) {
            cairo_move_to(cr, x0, y + (x1 - x0));
            cairo_line_to(cr, x1, y);
        }
        cairo_stroke(cr);
        cairo_restore(cr);
        ms = words_ms(b->length_ms);
        words = g_strdup_printf(_("blackout %s"), ms);
        words_at(self, cr, words, x1 + 154 < LEFT + width(self) ? x1 + 4 : x0 - 154,
            TOP + 2, 150, TRUE, x1 + 154 < LEFT + width(self) ? 0 : 1,
            &self->palette.class[CLASS_BAD]);
    }
}

static void
time_axis(BscPlot *self, cairo_t *cr, double y)
{
    static const int steps_s[] = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600 };
    int64_t step = 3600000, to = right_ms(self), from = to - span(self);

    for (size_t i = 0; i < G_N_ELEMENTS(steps_s); i++)
        if ((double)span(self) / (steps_s[i] * 1000.0) * 80 < width(self)) {
            step = steps_s[i] * 1000ll;
            break;
        }
    for (int64_t t = (from / step + 1) * step; t < to; t += step) {
        g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(t / 1000);
        g_autofree char *words = when ? g_date_time_format(when, "%H:%M:%S")
                                      : g_strdup("");
        double x = x_of(self, t);

        palette_set(cr, &self->palette.line);
        cairo_move_to(cr, floor(x) + 0.5, y);
        cairo_line_to(cr, floor(x) + 0.5, y + 5);
        cairo_stroke(cr);
        if (x > LEFT + 34 && x < LEFT + width(self) - 34)
            words_at(
                self, cr, words, x - 40, y + 6, 80, FALSE, 0.5, &self->palette.faint);
    }
}

static gboolean
bsc_plot_draw(GtkWidget *widget, cairo_t *cr)
{
    BscPlot *self = BSC_PLOT(widget);
    double h = gtk_widget_get_allocated_height(widget) - TOP - AXIS;
    int64_t from, to;

    palette_read(&self->palette, widget);
    palette_set(cr, &self->palette.ground);
    cairo_paint(cr);
    if (!self->series || !series_span(self->series, &from, &to)) {
        words_at(self, cr,
            _("Nothing was measured yet. Plots begin when the console does."), 20,
            h / 2, gtk_widget_get_allocated_width(widget) - 40, FALSE, 0.5,
            &self->palette.faint);
        return FALSE;
    }
    for (int i = 0; i < N_METRICS; i++)
        lane(self, cr, i, TOP + i * h / N_METRICS, h / N_METRICS - 8);
    cairo_save(cr);
    cairo_rectangle(cr, LEFT, TOP, width(self), h);
    cairo_clip(cr);
    blackouts(self, cr, h - 8);
    cairo_restore(cr);
    time_axis(self, cr, TOP + h - 6);
    if (self->cursor_ms) {
        double x = floor(x_of(self, self->cursor_ms)) + 0.5;

        palette_set(cr, &self->palette.text);
        cairo_set_line_width(cr, 1);
        cairo_move_to(cr, x, TOP);
        cairo_line_to(cr, x, TOP + h - 8);
        cairo_stroke(cr);
    }
    if (gtk_widget_has_visible_focus(widget))
        gtk_render_focus(gtk_widget_get_style_context(widget), cr, 2, 2,
            gtk_widget_get_allocated_width(widget) - 4, h + AXIS + TOP - 4);
    return FALSE;
}

/* ---- what is told to those who do not see it ---- */

static void
update_name(BscPlot *self)
{
    AtkObject *a = gtk_widget_get_accessible(GTK_WIDGET(self));
    const struct series_point *p = self->series ? series_at(self->series,
                                                      self->cursor_ms ? self->cursor_ms
                                                                      : right_ms(self))
                                                : NULL;
    GString *s = g_string_new(NULL);

    g_string_printf(s, _("Plots of %s"), self->service[0] ? self->service : "\u2014");
    if (p) {
        g_autofree char *clock = words_clock(p->ms);

        g_string_append_printf(s, ", %s", clock);
    }
    for (int i = 0; p && i < N_METRICS; i++) {
        g_autofree char *value = value_words(i, (double)p->v[i]);

        g_string_append_printf(s, "; %s: %s", _(titles[i]), value);
    }
    if (g_strcmp0(atk_object_get_name(a), s->str))
        atk_object_set_name(a, s->str);
    g_string_free(s, TRUE);
}

void
bsc_plot_show(BscPlot *self, const struct series *series, const char *service)
{
    self->series = series;
    g_strlcpy(self->service, service, sizeof self->service);
    if (!gtk_widget_get_mapped(GTK_WIDGET(self)))
        return;
    update_name(self);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void
changed(BscPlot *self)
{
    update_name(self);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

/* ---- zoom, move, cursor ---- */

static void
zoom(BscPlot *self, double factor, int64_t around)
{
    int64_t from, to, right = right_ms(self), before = span(self);

    if (!self->series || !series_span(self->series, &from, &to))
        return;
    self->zoomed = TRUE;
    self->span_ms = (int64_t)CLAMP(
        (double)before * factor, LEAST_MS, 4 * 3600 * 1000.0);
    if (around && self->end_ms)
        self->end_ms = around + (int64_t)((double)(right - around) *
                                          (double)self->span_ms / (double)before);
    changed(self);
}

static void
move(BscPlot *self, int64_t by)
{
    int64_t from, to, end = right_ms(self) + by;

    if (!self->series || !series_span(self->series, &from, &to))
        return;
    self->end_ms = end > to ? 0 : MAX(end, from + span(self) / 2);
    changed(self);
}

static void
move_cursor(BscPlot *self, int64_t ms)
{
    int64_t to = right_ms(self);

    self->cursor_ms = CLAMP(ms, to - span(self), to - 1);
    changed(self);
}

static gboolean
bsc_plot_key_press(GtkWidget *widget, GdkEventKey *event)
{
    BscPlot *self = BSC_PLOT(widget);
    int64_t at = self->cursor_ms ? self->cursor_ms : right_ms(self);

    switch (event->keyval) {
    case GDK_KEY_plus:
    case GDK_KEY_equal:
    case GDK_KEY_KP_Add:
        zoom(self, 0.5, self->cursor_ms);
        return TRUE;
    case GDK_KEY_minus:
    case GDK_KEY_KP_Subtract:
        zoom(self, 2, self->cursor_ms);
        return TRUE;
    case GDK_KEY_Left:
        move(self, -span(self) / 8);
        return TRUE;
    case GDK_KEY_Right:
        move(self, span(self) / 8);
        return TRUE;
    case GDK_KEY_Home:
        move(self, -G_MAXINT32);
        return TRUE;
    case GDK_KEY_End:
        self->end_ms = 0;
        changed(self);
        return TRUE;
    case GDK_KEY_comma:
        move_cursor(self, at - span(self) / 100);
        return TRUE;
    case GDK_KEY_period:
        move_cursor(self, at + span(self) / 100);
        return TRUE;
    case GDK_KEY_Escape:
        self->cursor_ms = 0;
        changed(self);
        return TRUE;
    default:
        return GTK_WIDGET_CLASS(bsc_plot_parent_class)->key_press_event(widget, event);
    }
}

static gboolean
bsc_plot_scroll(GtkWidget *widget, GdkEventScroll *event)
{
    BscPlot *self = BSC_PLOT(widget);
    gdouble dx = 0, dy = 0;

    if (event->direction == GDK_SCROLL_UP)
        dy = -1;
    else if (event->direction == GDK_SCROLL_DOWN)
        dy = 1;
    else
        gdk_event_get_scroll_deltas((GdkEvent *)event, &dx, &dy);
    if (dy != 0)
        zoom(self, dy < 0 ? 0.8 : 1.25, ms_of(self, event->x));
    return TRUE;
}

static gboolean
bsc_plot_button(GtkWidget *widget, GdkEventButton *event)
{
    BscPlot *self = BSC_PLOT(widget);

    gtk_widget_grab_focus(widget);
    self->drag_x = event->x;
    self->drag_end = right_ms(self);
    return TRUE;
}

static gboolean
bsc_plot_motion(GtkWidget *widget, GdkEventMotion *event)
{
    BscPlot *self = BSC_PLOT(widget);

    if (event->state & GDK_BUTTON1_MASK) {
        double by = (self->drag_x - event->x) / width(self) * (double)span(self);

        move(self, self->drag_end + (int64_t)by - right_ms(self));
    } else if (self->series && event->x >= LEFT) {
        move_cursor(self, ms_of(self, event->x));
    }
    return TRUE;
}

static gboolean
bsc_plot_leave(GtkWidget *widget, GdkEventCrossing *event)
{
    (void)event;
    BSC_PLOT(widget)->cursor_ms = 0;
    changed(BSC_PLOT(widget));
    return FALSE;
}

static void
bsc_plot_class_init(BscPlotClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    widget->draw = bsc_plot_draw;
    widget->key_press_event = bsc_plot_key_press;
    widget->scroll_event = bsc_plot_scroll;
    widget->button_press_event = bsc_plot_button;
    widget->motion_notify_event = bsc_plot_motion;
    widget->leave_notify_event = bsc_plot_leave;
    gtk_widget_class_set_accessible_role(widget, ATK_ROLE_CHART);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-plot.ui");
}

static void
bsc_plot_init(BscPlot *self)
{
    self->span_ms = 120000;
    gtk_widget_init_template(GTK_WIDGET(self));
    gtk_widget_add_events(GTK_WIDGET(self),
        GDK_SCROLL_MASK | GDK_SMOOTH_SCROLL_MASK | GDK_BUTTON_PRESS_MASK |
            GDK_POINTER_MOTION_MASK | GDK_LEAVE_NOTIFY_MASK | GDK_KEY_PRESS_MASK);
}
