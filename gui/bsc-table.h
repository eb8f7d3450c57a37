/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-table.h - a list with columns that sorts, filters and keeps its selection, for
 * any number of rows.
 *
 * Signal: "selected" (const char *key). */
#ifndef BSC_GUI_BSC_TABLE_H
#define BSC_GUI_BSC_TABLE_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

#define BSC_TYPE_TABLE (bsc_table_get_type())
G_DECLARE_FINAL_TYPE(BscTable, bsc_table, BSC, TABLE, GtkBox)

struct bsc_table_column {
    const char *title; /* translatable */
    int width;
    gboolean number; /* aligned to the right */
};

/* What the rows are; all take @arg.  Texts are given away. */
struct bsc_table_content {
    const struct bsc_table_column *columns;
    int ncolumns;
    unsigned (*count)(void *arg);
    char *(*cell)(unsigned row, int column, void *arg);
    int64_t (*number)(
        unsigned row, int column, void *arg); /* may be NULL; INT64_MIN: no number */
    enum view_class (*class)(unsigned row, void *arg); /* may be NULL */
    char *(*key)(unsigned row, void *arg);             /* what stays the same row */
    gboolean (*match)(unsigned row, void *arg);        /* may be NULL: all */
    void *arg;
};

/* bsc_table_setup - once.  @content and its columns are borrowed for ever.
 * @empty: what to say when there is no row. */
void bsc_table_setup(BscTable *self, const struct bsc_table_content *content,
    const char *name, const char *empty);

/* bsc_table_show - the rows are others now. */
void bsc_table_show(BscTable *self);

/* bsc_table_key - of the selected row; NULL: none.  Owned by the table. */
const char *bsc_table_key(BscTable *self);
void bsc_table_select(BscTable *self, const char *key);

/* bsc_table_sort - @column, and which way; as a click on its head would. */
void bsc_table_sort(BscTable *self, int column, gboolean descending);

/* bsc_table_rows - rows that are shown, in this order: of the content. */
unsigned bsc_table_count(BscTable *self);
unsigned bsc_table_row(BscTable *self, unsigned at);

GtkTreeView *bsc_table_view(BscTable *self);

#endif
