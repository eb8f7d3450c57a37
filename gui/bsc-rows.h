/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-rows.h - a GtkTreeModel that holds nothing: cells are asked for when they are
 * drawn, so that ten thousand rows cost no more than the thirty that are seen. */
#ifndef BSC_GUI_BSC_ROWS_H
#define BSC_GUI_BSC_ROWS_H

#include <gtk/gtk.h>

#define BSC_TYPE_ROWS (bsc_rows_get_type())
G_DECLARE_FINAL_TYPE(BscRows, bsc_rows, BSC, ROWS, GObject)

/* What a column of the model yields: a new text for @row. */
typedef char *(*bsc_rows_cell)(unsigned row, int column, void *arg);

BscRows *bsc_rows_new(int columns, bsc_rows_cell cell, void *arg);

/* bsc_rows_set_count - there are @n rows now. */
void bsc_rows_set_count(BscRows *self, unsigned n);
/* bsc_rows_changed - rows from @first to before @end have other contents. */
void bsc_rows_changed(BscRows *self, unsigned first, unsigned end);

unsigned bsc_rows_index(BscRows *self, GtkTreeIter *iter);

#endif
