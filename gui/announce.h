/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * announce.h - tells what changed: as notifications of the desktop, and to screen
 * readers. */
#ifndef BSC_GUI_ANNOUNCE_H
#define BSC_GUI_ANNOUNCE_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

struct announcer;

/* announcer_new - @widget: in whose name screen readers are told. */
struct announcer *announcer_new(GApplication *app, GtkWidget *widget);
void announcer_free(struct announcer *announcer);

/* announcer_look - at the view; the first look tells nothing.  @quiet: only remember
 * (a recorded run jumped). */
void announcer_look(
    struct announcer *announcer, const struct view *view, gboolean quiet);

#endif
