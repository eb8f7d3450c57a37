/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-takeovers.h"

#include "gui/palette.h"
#include "gui/words.h"

#include <string.h>

#define BAR 26.0

struct _BscTakeovers {
    GtkBox parent;
    GtkStack *stack;
    GtkListBox *list;
    struct takeovers *takeovers; /* owned */
};

G_DEFINE_TYPE(BscTakeovers, bsc_takeovers, GTK_TYPE_BOX)

/* Neighbours differ in lightness, and have their number written in them. */
static void
phase_colour(const struct palette *p, unsigned i, GdkRGBA *out)
{
    static const double of_text[] = { 0.0, 0.35, 0.15, 0.5 };
    const GdkRGBA *base = &p->class[CLASS_BUSY];
    double t = of_text[i % 4];

    *out = (GdkRGBA){ base->red + (p->card.red - base->red) * t,
        base->green + (p->card.green - base->green) * t,
        base->blue + (p->card.blue - base->blue) * t, 1 };
}

static gboolean
draw_cb(GtkWidget *widget, cairo_t *cr, gpointer data)
{
    const struct takeover *o = data;
    double w = gtk_widget_get_allocated_width(widget), x = 0;
    struct palette p;

    palette_read(&p, widget);
    for (unsigned i = 0; i < o->nphases; i++) {
        int64_t us = o->phases[i].us;
        double part = o->total_us > 0 && us > 0 ? (double)us / (double)o->total_us * w
                                                : 2;
        char number[8];
        GdkRGBA colour;

        part = MAX(part, 2);
        phase_colour(&p, i, &colour);
        palette_set(cr, &colour);
        cairo_rectangle(cr, x, 0, part - 1, BAR);
        cairo_fill(cr);
        if (part > 18) {
            PangoLayout *l;

            g_snprintf(number, sizeof number, "%u", i + 1);
            l = gtk_widget_create_pango_layout(widget, number);
            palette_set(cr, i % 4 == 3 || p.dark ? &p.text : &p.card);
            if (p.dark)
                palette_set(cr, &p.card);
            cairo_move_to(cr, x + 6, 4);
            pango_cairo_show_layout(cr, l);
            g_object_unref(l);
        }
        x += part;
    }
    return FALSE;
}

static GtkWidget *
label(const char *text, const char *class, double align)
{
    GtkWidget *l = gtk_label_new(text);

    gtk_label_set_xalign(GTK_LABEL(l), (float)align);
    gtk_label_set_ellipsize(GTK_LABEL(l), PANGO_ELLIPSIZE_END);
    if (class)
        gtk_style_context_add_class(gtk_widget_get_style_context(l), class);
    return l;
}

static char *
title_of(const struct takeover *o)
{
    g_autofree char *when = words_time(o->began_ms), *total = words_us(o->total_us);
    g_autofree char *blackout = words_ms(o->blackout_ms);
    GString *s = g_string_new(o->service);

    if (o->node[0])
        g_string_append_printf(s, " \u2192 %s", o->node);
    g_string_append_printf(s, _("   epoch %d   %s"), (int)o->epoch, when);
    if (o->total_us > 0) /* else it was started: there is nothing to measure */
        g_string_append_printf(s, _("   took %s"), total);
    if (o->blackout_ms != NOT_KNOWN)
        g_string_append_printf(s, _("   blackout %s"), blackout);
    return g_string_free(s, FALSE);
}

static GtkWidget *
phases_of(const struct takeover *o)
{
    GtkWidget *grid = gtk_grid_new();

    gtk_grid_set_column_spacing(GTK_GRID(grid), 16);
    for (unsigned i = 0; i < o->nphases; i++) {
        const struct takeover_phase *p = &o->phases[i];
        g_autofree char *number = g_strdup_printf("%u", i + 1);
        g_autofree char *time = words_phase(o, i);

        gtk_grid_attach(GTK_GRID(grid), label(number, "dim-label", 1), 0, (int)i, 1, 1);
        gtk_grid_attach(GTK_GRID(grid), label(p->name, NULL, 0), 1, (int)i, 1, 1);
        gtk_grid_attach(GTK_GRID(grid), label(time, NULL, 1), 2, (int)i, 1, 1);
        gtk_grid_attach(
            GTK_GRID(grid), label(p->text, "dim-label", 0), 3, (int)i, 1, 1);
    }
    return grid;
}

static void
add_row(BscTakeovers *self, const struct takeover *o)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    GtkWidget *bar = gtk_drawing_area_new();
    g_autofree char *title = title_of(o);

    gtk_widget_set_size_request(bar, 200, (int)BAR);
    g_signal_connect_data(bar, "draw", G_CALLBACK(draw_cb), g_memdup2(o, sizeof *o),
        (GClosureNotify)(void (*)(void))g_free, 0);
    atk_object_set_name(gtk_widget_get_accessible(bar), title);
    g_object_set(box, "margin", 14, NULL);
    gtk_container_add(GTK_CONTAINER(box), label(title, "row-title", 0));
    gtk_container_add(GTK_CONTAINER(box), bar);
    gtk_container_add(GTK_CONTAINER(box), phases_of(o));
    gtk_widget_show_all(box);
    gtk_container_add(GTK_CONTAINER(self->list), box);
}

static void
remove_cb(GtkWidget *child, gpointer data)
{
    (void)data;
    gtk_widget_destroy(child);
}

void
bsc_takeovers_show(BscTakeovers *self, const struct takeovers *t)
{
    if (self->takeovers->n == t->n &&
        !memcmp(self->takeovers->list, t->list, t->n * sizeof t->list[0]))
        return;
    memcpy(self->takeovers, t, sizeof *t);
    gtk_container_foreach(GTK_CONTAINER(self->list), remove_cb, NULL);
    for (unsigned i = 0; i < t->n; i++)
        add_row(self, &t->list[i]);
    gtk_stack_set_visible_child_name(self->stack, t->n ? "list" : "empty");
}

static void
bsc_takeovers_finalize(GObject *object)
{
    g_free(BSC_TAKEOVERS(object)->takeovers);
    G_OBJECT_CLASS(bsc_takeovers_parent_class)->finalize(object);
}

static void
bsc_takeovers_class_init(BscTakeoversClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    G_OBJECT_CLASS(class)->finalize = bsc_takeovers_finalize;
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-takeovers.ui");
    gtk_widget_class_bind_template_child(widget, BscTakeovers, stack);
    gtk_widget_class_bind_template_child(widget, BscTakeovers, list);
}

static void
bsc_takeovers_init(BscTakeovers *self)
{
    self->takeovers = g_new0(struct takeovers, 1);
    gtk_widget_init_template(GTK_WIDGET(self));
}
