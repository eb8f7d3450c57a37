/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-detail.h - everything about one node or one service, and what can be ordered.
 *
 * Signal: "order" (gint kind): the operator wants to give it for what is shown. */
#ifndef BSC_GUI_BSC_DETAIL_H
#define BSC_GUI_BSC_DETAIL_H

#include "gui/core/takeovers.h"

#include <gtk/gtk.h>

#define BSC_TYPE_DETAIL (bsc_detail_get_type())
G_DECLARE_FINAL_TYPE(BscDetail, bsc_detail, BSC, DETAIL, GtkBox)

/* bsc_detail_show - @node or @service of @view, the other -1; both: the newest of
 * @changes, step by step, if there is one.
 * @orders: whether the agent takes more orders than switchover. */
void bsc_detail_show(BscDetail *self, const struct view *view,
    const struct model *model, const struct takeovers *changes, int node, int service,
    gboolean orders);

#endif
