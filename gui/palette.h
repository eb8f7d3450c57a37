/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * palette.h - the colours of what is drawn: the theme's, and one for each class that
 * keeps its contrast on them, light, dark or high contrast. */
#ifndef BSC_GUI_PALETTE_H
#define BSC_GUI_PALETTE_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

struct palette {
    GdkRGBA ground, card, line, text, faint, accent;
    GdkRGBA class[N_CLASSES]; /* for signs, borders and lines on @card */
    GdkRGBA tint[N_CLASSES];  /* behind text */
    gboolean dark, high;      /* high: high contrast, thicker lines */
};

/* palette_read - of the theme that @widget has now; NULL: light, for export. */
void palette_read(struct palette *p, GtkWidget *widget);

void palette_set(cairo_t *cr, const GdkRGBA *colour);

#endif
