/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-player.h"

#include "gui/words.h"

#include <stdlib.h>

#define TICK_MS 40
#define STEP_MS 200 /* on the way to where it jumps, at most MOST_STEPS stops */
#define MOST_STEPS 120

struct _BscPlayer {
    GtkBox parent;
    GtkToggleButton *play;
    GtkImage *image;
    GtkScale *scale;
    GtkComboBoxText *speed;
    GtkLabel *time;
    struct player *player; /* borrowed */
    guint timer;
    gint64 last_us;
    double at_ms;
    gboolean inside;
};

G_DEFINE_TYPE(BscPlayer, bsc_player, GTK_TYPE_BOX)

enum { MOVED, PASSED, N_SIGNALS };
static guint signals[N_SIGNALS];

static char *
mmss(int64_t ms)
{
    return g_strdup_printf("%d:%02d", (int)(ms / 60000), (int)(ms / 1000 % 60));
}

/* A jump stops on its way, so that what is plotted over time has no hole there. */
static void
pass(BscPlayer *self, double ms)
{
    double from = (double)player_position_ms(self->player);
    double step = MAX((ms - from) / MOST_STEPS, STEP_MS);

    for (double t = from + step; t < ms; t += step) {
        player_seek(self->player, (int64_t)t);
        g_signal_emit(self, signals[PASSED], 0);
    }
}

static void
go_to(BscPlayer *self, double ms)
{
    g_autofree char *at = NULL, *all = NULL, *clock = NULL, *words = NULL;
    bool back = ms < (double)player_position_ms(self->player);

    if (back) {
        player_seek(self->player, 0);
        g_signal_emit(self, signals[MOVED], 0, TRUE);
    }
    pass(self, ms);
    player_seek(self->player, (int64_t)ms);
    self->at_ms = ms;
    at = mmss(player_position_ms(self->player));
    all = mmss(player_length_ms(self->player));
    clock = words_clock(
        player_began_ms(self->player) + player_position_ms(self->player));
    words = g_strdup_printf("%s / %s  (%s)", at, all, clock);
    gtk_label_set_text(self->time, words);
    self->inside = TRUE;
    gtk_range_set_value(GTK_RANGE(self->scale), ms);
    self->inside = FALSE;
    g_signal_emit(self, signals[MOVED], 0, FALSE);
}

static gboolean
tick_cb(gpointer data)
{
    BscPlayer *self = data;
    gint64 now = g_get_monotonic_time();
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->speed));
    double speed = id ? g_ascii_strtod(id, NULL) : 1;
    double next = self->at_ms + (double)(now - self->last_us) / 1000 * speed;

    self->last_us = now;
    if (next >= (double)player_length_ms(self->player)) {
        go_to(self, (double)player_length_ms(self->player));
        self->timer = 0;
        gtk_toggle_button_set_active(self->play, FALSE);
        return G_SOURCE_REMOVE;
    }
    go_to(self, next);
    return G_SOURCE_CONTINUE;
}

static void
play_cb(GtkToggleButton *button, gpointer data)
{
    BscPlayer *self = data;
    gboolean on = gtk_toggle_button_get_active(button);

    if (self->timer)
        g_source_remove(self->timer);
    self->timer = 0;
    gtk_image_set_from_icon_name(self->image,
        on ? "media-playback-pause-symbolic" : "media-playback-start-symbolic",
        GTK_ICON_SIZE_BUTTON);
    atk_object_set_name(
        gtk_widget_get_accessible(GTK_WIDGET(button)), on ? _("Pause") : _("Play"));
    if (!on || !self->player)
        return;
    if (self->at_ms >= (double)player_length_ms(self->player))
        go_to(self, 0);
    self->last_us = g_get_monotonic_time();
    self->timer = g_timeout_add(TICK_MS, tick_cb, self);
}

static void
scale_cb(GtkRange *range, gpointer data)
{
    BscPlayer *self = data;

    if (!self->inside && self->player)
        go_to(self, gtk_range_get_value(range));
}

void
bsc_player_show(BscPlayer *self, struct player *player)
{
    self->player = NULL;
    gtk_toggle_button_set_active(self->play, FALSE);
    if (!player)
        return;
    self->player = player;
    gtk_range_set_range(
        GTK_RANGE(self->scale), 0, (double)MAX(player_length_ms(player), 1));
    gtk_range_set_increments(GTK_RANGE(self->scale), 100, 1000);
    go_to(self, 0);
}

static void
bsc_player_dispose(GObject *object)
{
    BscPlayer *self = BSC_PLAYER(object);

    if (self->timer)
        g_source_remove(self->timer);
    self->timer = 0;
    G_OBJECT_CLASS(bsc_player_parent_class)->dispose(object);
}

static void
bsc_player_class_init(BscPlayerClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    G_OBJECT_CLASS(class)->dispose = bsc_player_dispose;
    signals[MOVED] = g_signal_new("moved", BSC_TYPE_PLAYER, G_SIGNAL_RUN_LAST, 0, NULL,
        NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
    signals[PASSED] = g_signal_new("passed", BSC_TYPE_PLAYER, G_SIGNAL_RUN_LAST, 0,
        NULL, NULL, NULL, G_TYPE_NONE, 0);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-player.ui");
    gtk_widget_class_bind_template_child(widget, BscPlayer, play);
    gtk_widget_class_bind_template_child(widget, BscPlayer, image);
    gtk_widget_class_bind_template_child(widget, BscPlayer, scale);
    gtk_widget_class_bind_template_child(widget, BscPlayer, speed);
    gtk_widget_class_bind_template_child(widget, BscPlayer, time);
    gtk_widget_class_bind_template_callback(widget, play_cb);
    gtk_widget_class_bind_template_callback(widget, scale_cb);
}

static void
bsc_player_init(BscPlayer *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
}
