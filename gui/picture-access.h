/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * picture-access.h - the cluster picture for those who do not see it: a list of nodes,
 * services and standbys, each with its state in words. */
#ifndef BSC_GUI_PICTURE_ACCESS_H
#define BSC_GUI_PICTURE_ACCESS_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

GType picture_access_get_type(void);

/* picture_access_update - of the picture @widget; what changed is told to readers. */
void picture_access_update(GtkWidget *widget, const struct view *view);

/* picture_access_focus - the keyboard is at @place: nodes first, then services. */
void picture_access_focus(GtkWidget *widget, int place);

#endif
