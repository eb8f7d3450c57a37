/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-order-dialog.h - asks once, in words that say what clients will feel; then shows
 * how the order goes on, and what became of it. */
#ifndef BSC_GUI_BSC_ORDER_DIALOG_H
#define BSC_GUI_BSC_ORDER_DIALOG_H

#include "gui/core/view.h"
#include "gui/source.h"

#include <gtk/gtk.h>

#define BSC_TYPE_ORDER_DIALOG (bsc_order_dialog_get_type())
G_DECLARE_FINAL_TYPE(BscOrderDialog, bsc_order_dialog, BSC, ORDER_DIALOG, GtkDialog)

/* bsc_order_dialog_new - for @kind about a @service or a @node (the other one -1; both:
 * the cluster).  @view and @source are borrowed. */
GtkWidget *bsc_order_dialog_new(GtkWindow *parent, struct source *source,
    const struct view *view, int kind, int node, int service);

/* bsc_order_dialog_show - the view has changed: the step may be another one. */
void bsc_order_dialog_show(BscOrderDialog *self, const struct view *view);

#endif
