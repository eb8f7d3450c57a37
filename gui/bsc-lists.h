/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-lists.h - services, nodes and standbys as lists, and the orders given.
 *
 * Signal: "chosen" (gint node, gint service), one of them -1. */
#ifndef BSC_GUI_BSC_LISTS_H
#define BSC_GUI_BSC_LISTS_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

#define BSC_TYPE_LISTS (bsc_lists_get_type())
G_DECLARE_FINAL_TYPE(BscLists, bsc_lists, BSC, LISTS, GtkBox)

/* bsc_lists_show - both are borrowed until the next call. */
void bsc_lists_show(BscLists *self, const struct view *view, const struct model *model);

#endif
