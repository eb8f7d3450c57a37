/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-window.h - the main window: puts the parts together, and the model into them. */
#ifndef BSC_GUI_BSC_WINDOW_H
#define BSC_GUI_BSC_WINDOW_H

#include "gui/source.h"

#include <gtk/gtk.h>

#define BSC_TYPE_WINDOW (bsc_window_get_type())
G_DECLARE_FINAL_TYPE(BscWindow, bsc_window, BSC, WINDOW, GtkApplicationWindow)

/* bsc_window_new - shows @source (taken over), which nobody listens to yet. */
GtkWidget *bsc_window_new(GtkApplication *app, struct source *source);

/* bsc_window_connect - to @addresses as @user (taken over). */
void bsc_window_connect(
    BscWindow *self, const char *const *addresses, struct asker_user *user);

/* bsc_window_ask - for the pass phrase of @user (taken over), to connect then. */
void bsc_window_ask(
    BscWindow *self, const char *const *addresses, struct asker_user *user);

/* bsc_window_record, bsc_window_play - into @path, from @path. */
void bsc_window_record(BscWindow *self, const char *path);
void bsc_window_play(BscWindow *self, const char *path);

#endif
