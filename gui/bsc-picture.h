/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-picture.h - the cluster as a picture.
 *
 * Arrow keys go from thing to thing, Enter chooses; each node, service and standby is
 * an accessible object of its own, with its state in words.
 *
 * Signal: "chosen" (gint node, gint service), one of them -1. */
#ifndef BSC_GUI_BSC_PICTURE_H
#define BSC_GUI_BSC_PICTURE_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

#define BSC_TYPE_PICTURE (bsc_picture_get_type())
G_DECLARE_FINAL_TYPE(BscPicture, bsc_picture, BSC, PICTURE, GtkDrawingArea)

/* bsc_picture_show - the only way in.  @view is borrowed until the next call. */
void bsc_picture_show(BscPicture *self, const struct view *view);

/* bsc_picture_select - marks what is shown in detail; -1: nothing. */
void bsc_picture_select(BscPicture *self, int node, int service);

/* bsc_picture_save - as PNG, SVG or PDF, by the ending of @path. */
gboolean bsc_picture_save(BscPicture *self, const char *path, GError **error);

#endif
