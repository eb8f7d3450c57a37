/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-picture.h"

#include "gui/picture-access.h"
#include "gui/picture-draw.h"
#include "gui/words.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <string.h>

#define MOVE_MS 900
#define NMOVES 16

struct travel {
    char service[VIEW_NAME];
    double x, y;
    gint64 began_us;
};

struct _BscPicture {
    GtkDrawingArea parent;
    const struct view *view;      /* borrowed */
    struct scene *scene, *before; /* owned; large */
    struct picture_look look;
    struct palette palette;
    char (*home)[VIEW_NAME]; /* owned: where each service was shown last */
    struct travel travels[NMOVES];
    unsigned ntravels;
    guint tick;
    int place; /* of the keyboard: nodes, then services, then standbys; -1 */
};

G_DEFINE_TYPE(BscPicture, bsc_picture, GTK_TYPE_DRAWING_AREA)

enum { CHOSEN, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- motion ---- */

static gboolean
may_move(BscPicture *self)
{
    gboolean on;

    g_object_get(
        gtk_widget_get_settings(GTK_WIDGET(self)), "gtk-enable-animations", &on, NULL);
    return on;
}

static gboolean
is_busy(BscPicture *self)
{
    for (unsigned i = 0; i < self->scene->narrows; i++)
        if (self->view->standbys[self->scene->arrows[i].standby].class == CLASS_BUSY)
            return TRUE;
    return FALSE;
}

static gboolean
tick_cb(GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
    BscPicture *self = BSC_PICTURE(widget);
    gint64 now = gdk_frame_clock_get_frame_time(clock);
    unsigned left = 0;

    (void)data;
    self->look.nmoves = 0;
    for (unsigned i = 0; i < self->ntravels; i++) {
        struct travel *t = &self->travels[i];
        double done = (double)(now - t->began_us) / (MOVE_MS * 1000.0);

        if (done >= 1)
            continue;
        self->look.moves[self->look.nmoves++] = (struct picture_move){
            view_find_service(self->view, t->service), t->x, t->y, MAX(done, 0)
        };
        self->travels[left++] = *t;
    }
    self->ntravels = left;
    self->look.phase = (double)(now % 1000000) / 1000000;
    gtk_widget_queue_draw(widget);
    if (left > 0 || is_busy(self))
        return G_SOURCE_CONTINUE;
    self->look.phase = 0;
    self->tick = 0;
    return G_SOURCE_REMOVE;
}

static void
start_moving(BscPicture *self)
{
    if (!self->tick && may_move(self) && gtk_widget_get_realized(GTK_WIDGET(self)))
        self->tick = gtk_widget_add_tick_callback(
            GTK_WIDGET(self), tick_cb, NULL, NULL);
}

/* Whoever runs somewhere else now is seen going there from where it was drawn. */
static void
note_moves(BscPicture *self, const struct scene *before, const struct view *v)
{
    for (unsigned i = 0; i < v->nservices; i++) {
        const struct view_service *s = &v->services[i];

        if (self->home[i][0] && s->active[0] && strcmp(self->home[i], s->active) &&
            self->ntravels < NMOVES && may_move(self))
            for (unsigned k = 0; k < before->nchips; k++)
                if (before->chips[k].service == (int)i) {
                    struct travel *t = &self->travels[self->ntravels++];

                    g_strlcpy(t->service, s->name, sizeof t->service);
                    t->x = before->chips[k].at.x;
                    t->y = before->chips[k].at.y;
                    t->began_us = g_get_monotonic_time();
                }
        if (s->active[0])
            g_strlcpy(self->home[i], s->active, VIEW_NAME);
    }
}

/* ---- showing ---- */

static void
arrange(BscPicture *self)
{
    int w = gtk_widget_get_allocated_width(GTK_WIDGET(self));
    int h = gtk_widget_get_allocated_height(GTK_WIDGET(self));

    if (self->view)
        scene_make(self->scene, self->view, w, h, self->look.select_service);
}

void
bsc_picture_show(BscPicture *self, const struct view *view)
{
    *self->before = *self->scene;
    self->view = view;
    arrange(self);
    note_moves(self, self->before, view);
    if (self->ntravels > 0 || is_busy(self))
        start_moving(self);
    picture_access_update(GTK_WIDGET(self), view);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

void
bsc_picture_select(BscPicture *self, int node, int service)
{
    self->look.select_node = node;
    self->look.select_service = service;
    arrange(self);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

static gboolean
bsc_picture_draw(GtkWidget *widget, cairo_t *cr)
{
    BscPicture *self = BSC_PICTURE(widget);

    if (!self->view)
        return FALSE;
    palette_read(&self->palette, widget);
    self->look.palette = &self->palette;
    self->look.pango = gtk_widget_get_pango_context(widget);
    picture_draw(cr, self->view, self->scene, &self->look);
    return FALSE;
}

static void
bsc_picture_size_allocate(GtkWidget *widget, GtkAllocation *allocation)
{
    GTK_WIDGET_CLASS(bsc_picture_parent_class)->size_allocate(widget, allocation);
    arrange(BSC_PICTURE(widget));
}

/* ---- mouse and keyboard ---- */

static void
place_focus(BscPicture *self, int place)
{
    int nodes = (int)self->view->nnodes, services = (int)self->view->nservices;
    int all = nodes + services;

    self->place = all ? (place % all + all) % all : -1;
    self->look.focus_node = self->place < nodes ? self->place : -1;
    self->look.focus_service = self->place >= nodes ? self->place - nodes : -1;
    picture_access_focus(GTK_WIDGET(self), self->place);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void
choose(BscPicture *self)
{
    if (self->place >= 0)
        g_signal_emit(
            self, signals[CHOSEN], 0, self->look.focus_node, self->look.focus_service);
}

static gboolean
bsc_picture_key_press(GtkWidget *widget, GdkEventKey *event)
{
    BscPicture *self = BSC_PICTURE(widget);

    if (!self->view)
        return FALSE;
    switch (event->keyval) {
    case GDK_KEY_Right:
    case GDK_KEY_Down:
        place_focus(self, self->place + 1);
        return TRUE;
    case GDK_KEY_Left:
    case GDK_KEY_Up:
        place_focus(self, self->place - 1);
        return TRUE;
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
    case GDK_KEY_space:
        choose(self);
        return TRUE;
    default:
        return GTK_WIDGET_CLASS(bsc_picture_parent_class)
            ->key_press_event(widget, event);
    }
}

static gboolean
bsc_picture_button_press(GtkWidget *widget, GdkEventButton *event)
{
    BscPicture *self = BSC_PICTURE(widget);
    int node, service;

    gtk_widget_grab_focus(widget);
    if (!self->view || event->button != 1)
        return FALSE;
    scene_hit(self->scene, event->x, event->y, &node, &service);
    if (node < 0 && service < 0)
        return FALSE;
    place_focus(self, service >= 0 ? (int)self->view->nnodes + service : node);
    choose(self);
    return TRUE;
}

static gboolean
bsc_picture_focus(GtkWidget *widget, GtkDirectionType direction)
{
    BscPicture *self = BSC_PICTURE(widget);

    if (gtk_widget_has_focus(widget)) {
        self->look.focus_node = self->look.focus_service = -1;
        gtk_widget_queue_draw(widget);
        return FALSE; /* on to the next widget */
    }
    (void)direction;
    gtk_widget_grab_focus(widget);
    if (self->view)
        place_focus(self, MAX(self->place, 0));
    return TRUE;
}

static gboolean
tooltip_cb(
    GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tip, gpointer data)
{
    BscPicture *self = BSC_PICTURE(widget);
    g_autofree char *words = NULL;
    int node, service;

    (void)keyboard;
    (void)data;
    if (!self->view)
        return FALSE;
    scene_hit(self->scene, x, y, &node, &service);
    if (service >= 0)
        words = words_service_line(self->view, (unsigned)service);
    else if (node >= 0)
        words = words_node_line(self->view, (unsigned)node);
    gtk_tooltip_set_text(tip, words);
    return words != NULL;
}

/* ---- export ---- */

gboolean
bsc_picture_save(BscPicture *self, const char *path, GError **error)
{
    int w = MAX(gtk_widget_get_allocated_width(GTK_WIDGET(self)), 400);
    int h = MAX(gtk_widget_get_allocated_height(GTK_WIDGET(self)), 300);
    struct picture_look look = self->look;
    struct palette palette;
    cairo_surface_t *surface;
    cairo_status_t status;
    cairo_t *cr;

    palette_read(&palette, NULL);
    look.palette = &palette;
    look.pango = gtk_widget_get_pango_context(GTK_WIDGET(self));
    look.focus_node = look.focus_service = -1;
    if (g_str_has_suffix(path, ".svg"))
        surface = cairo_svg_surface_create(path, w, h);
    else if (g_str_has_suffix(path, ".pdf"))
        surface = cairo_pdf_surface_create(path, w, h);
    else
        surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 2 * w, 2 * h);
    cr = cairo_create(surface);
    if (cairo_surface_get_type(surface) == CAIRO_SURFACE_TYPE_IMAGE)
        cairo_scale(cr, 2, 2);
    picture_draw(cr, self->view, self->scene, &look);
    status = cairo_status(cr);
    cairo_destroy(cr);
    if (status == CAIRO_STATUS_SUCCESS &&
        cairo_surface_get_type(surface) == CAIRO_SURFACE_TYPE_IMAGE)
        status = cairo_surface_write_to_png(surface, path);
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status != CAIRO_STATUS_SUCCESS)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("%s was not written: %s"),
            path, cairo_status_to_string(status));
    return status == CAIRO_STATUS_SUCCESS;
}

/* ---- the class ---- */

static void
bsc_picture_finalize(GObject *object)
{
    BscPicture *self = BSC_PICTURE(object);

    g_free(self->scene);
    g_free(self->before);
    g_free(self->home);
    G_OBJECT_CLASS(bsc_picture_parent_class)->finalize(object);
}

static void
bsc_picture_class_init(BscPictureClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    G_OBJECT_CLASS(class)->finalize = bsc_picture_finalize;
    widget->draw = bsc_picture_draw;
    widget->size_allocate = bsc_picture_size_allocate;
    widget->key_press_event = bsc_picture_key_press;
    widget->button_press_event = bsc_picture_button_press;
    widget->focus = bsc_picture_focus;
    gtk_widget_class_set_accessible_type(widget, picture_access_get_type());
    signals[CHOSEN] = g_signal_new("chosen", BSC_TYPE_PICTURE, G_SIGNAL_RUN_LAST, 0,
        NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-picture.ui");
}

static void
bsc_picture_init(BscPicture *self)
{
    self->look.focus_node = self->look.focus_service = -1;
    self->look.select_node = self->look.select_service = -1;
    self->place = -1;
    self->scene = g_new0(struct scene, 1);
    self->before = g_new0(struct scene, 1);
    self->home = g_malloc0(VIEW_SERVICES * sizeof *self->home);
    gtk_widget_init_template(GTK_WIDGET(self));
    gtk_widget_add_events(GTK_WIDGET(self), GDK_BUTTON_PRESS_MASK | GDK_KEY_PRESS_MASK);
    g_signal_connect(self, "query-tooltip", G_CALLBACK(tooltip_cb), NULL);
}
