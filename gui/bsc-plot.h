/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-plot.h - the measurements of one service over time, one lane each, with the
 * blackouts marked.
 *
 * The wheel, + and - zoom; drag, Left and Right move; Home and End go to the ends;
 * the pointer, or comma and full stop, move the cursor, whose values are shown and
 * told to screen readers. */
#ifndef BSC_GUI_BSC_PLOT_H
#define BSC_GUI_BSC_PLOT_H

#include "gui/core/series.h"

#include <gtk/gtk.h>

#define BSC_TYPE_PLOT (bsc_plot_get_type())
G_DECLARE_FINAL_TYPE(BscPlot, bsc_plot, BSC, PLOT, GtkDrawingArea)

/* bsc_plot_show - @series is borrowed until the next call; NULL: nothing to show.
 * Times in it are ms since 1970. */
void bsc_plot_show(BscPlot *self, const struct series *series, const char *service);

#endif
