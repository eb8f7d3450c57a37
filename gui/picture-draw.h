/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * picture-draw.h - draws a scene of the cluster with cairo, on a screen or into a
 * file. */
#ifndef BSC_GUI_PICTURE_DRAW_H
#define BSC_GUI_PICTURE_DRAW_H

#include "gui/core/scene.h"
#include "gui/palette.h"

/* A service on its way from one node to another: it is drawn between the two. */
struct picture_move {
    int service;
    double x, y; /* where it left */
    double done; /* 0..1 */
};

struct picture_look {
    const struct palette *palette;
    PangoContext *pango;           /* borrowed */
    int focus_node, focus_service; /* what has the keyboard; -1 */
    int select_node, select_service;
    double phase; /* 0..1, of what pulses; 0 if nothing may move */
    unsigned nmoves;
    struct picture_move moves[16];
};

void picture_draw(cairo_t *cr, const struct view *v, const struct scene *s,
    const struct picture_look *look);

#endif
