/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * scene.h - where things are in the cluster picture.
 *
 * Up to eight nodes stand on an ellipse, so that an arrow between any two passes no
 * third; more stand in a grid, and only the arrows of the selected service are drawn.
 * Units are pixels of the picture at scale 1.  Pure. */
#ifndef BSC_GUI_SCENE_H
#define BSC_GUI_SCENE_H

#include "gui/core/view.h"

#define SCENE_ARROWS 512
#define SCENE_CHIPS 512

struct scene_rect {
    double x, y, w, h;
};

struct scene_chip { /* a service where it runs */
    struct scene_rect at;
    int service, node; /* node -1: it runs nowhere, and stands below the nodes */
};

struct scene_arrow {
    double x0, y0, x1, y1; /* from edge to edge */
    double lx, ly;         /* middle of its label */
    int standby;
};

struct scene {
    double w, h;
    bool dense; /* names and counts only */
    unsigned ncards, nchips, narrows;
    struct scene_rect cards[VIEW_NODES]; /* of the nodes, in their order */
    int more[VIEW_NODES];                /* services that have no room in the card */
    struct scene_chip chips[SCENE_CHIPS];
    struct scene_arrow arrows[SCENE_ARROWS];
};

/* scene_make - for a picture of @w by @h.
 *
 * @service  the selected one, or -1: all arrows, if there are few */
void scene_make(struct scene *s, const struct view *v, double w, double h, int service);

/* scene_hit - what is at a place: a chip before its card.  Both -1: nothing. */
void scene_hit(const struct scene *s, double x, double y, int *node, int *service);

#endif
