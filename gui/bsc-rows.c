/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-rows.h"

struct _BscRows {
    GObject parent;
    int columns;
    unsigned n;
    bsc_rows_cell cell;
    void *arg; /* borrowed */
};

static void bsc_rows_model_init(GtkTreeModelIface *iface);

G_DEFINE_TYPE_WITH_CODE(BscRows, bsc_rows, G_TYPE_OBJECT,
    G_IMPLEMENT_INTERFACE(GTK_TYPE_TREE_MODEL, bsc_rows_model_init))

#define STAMP 0x62736372

unsigned
bsc_rows_index(BscRows *self, GtkTreeIter *iter)
{
    (void)self;
    return GPOINTER_TO_UINT(iter->user_data);
}

static gboolean
set_iter(BscRows *self, GtkTreeIter *iter, unsigned row)
{
    iter->stamp = row < self->n ? STAMP : 0;
    iter->user_data = GUINT_TO_POINTER(row);
    return row < self->n;
}

static GtkTreeModelFlags
get_flags(GtkTreeModel *model)
{
    (void)model;
    return GTK_TREE_MODEL_LIST_ONLY | GTK_TREE_MODEL_ITERS_PERSIST;
}

static int
get_n_columns(GtkTreeModel *model)
{
    return BSC_ROWS(model)->columns;
}

static GType
get_column_type(GtkTreeModel *model, int column)
{
    (void)model;
    (void)column;
    return G_TYPE_STRING;
}

static gboolean
get_iter(GtkTreeModel *model, GtkTreeIter *iter, GtkTreePath *path)
{
    return set_iter(
        BSC_ROWS(model), iter, (unsigned)gtk_tree_path_get_indices(path)[0]);
}

static GtkTreePath *
get_path(GtkTreeModel *model, GtkTreeIter *iter)
{
    return gtk_tree_path_new_from_indices(
        (int)bsc_rows_index(BSC_ROWS(model), iter), -1);
}

static void
get_value(GtkTreeModel *model, GtkTreeIter *iter, int column, GValue *value)
{
    BscRows *self = BSC_ROWS(model);
    unsigned row = bsc_rows_index(self, iter);

    g_value_init(value, G_TYPE_STRING);
    if (row < self->n)
        g_value_take_string(value, self->cell(row, column, self->arg));
}

static gboolean
iter_next(GtkTreeModel *model, GtkTreeIter *iter)
{
    BscRows *self = BSC_ROWS(model);

    return set_iter(self, iter, bsc_rows_index(self, iter) + 1);
}

static gboolean
iter_children(GtkTreeModel *model, GtkTreeIter *iter, GtkTreeIter *parent)
{
    return !parent && set_iter(BSC_ROWS(model), iter, 0);
}

static gboolean
iter_has_child(GtkTreeModel *model, GtkTreeIter *iter)
{
    (void)model;
    (void)iter;
    return FALSE;
}

static int
iter_n_children(GtkTreeModel *model, GtkTreeIter *iter)
{
    return iter ? 0 : (int)BSC_ROWS(model)->n;
}

static gboolean
iter_nth_child(GtkTreeModel *model, GtkTreeIter *iter, GtkTreeIter *parent, int n)
{
    return !parent && n >= 0 && set_iter(BSC_ROWS(model), iter, (unsigned)n);
}

static gboolean
iter_parent(GtkTreeModel *model, GtkTreeIter *iter, GtkTreeIter *child)
{
    (void)model;
    (void)iter;
    (void)child;
    return FALSE;
}

static void
bsc_rows_model_init(GtkTreeModelIface *iface)
{
    iface->get_flags = get_flags;
    iface->get_n_columns = get_n_columns;
    iface->get_column_type = get_column_type;
    iface->get_iter = get_iter;
    iface->get_path = get_path;
    iface->get_value = get_value;
    iface->iter_next = iter_next;
    iface->iter_children = iter_children;
    iface->iter_has_child = iter_has_child;
    iface->iter_n_children = iter_n_children;
    iface->iter_nth_child = iter_nth_child;
    iface->iter_parent = iter_parent;
}

static void
bsc_rows_class_init(BscRowsClass *class)
{
    (void)class;
}

static void
bsc_rows_init(BscRows *self)
{
    (void)self;
}

BscRows *
bsc_rows_new(int columns, bsc_rows_cell cell, void *arg)
{
    BscRows *self = g_object_new(BSC_TYPE_ROWS, NULL);

    self->columns = columns;
    self->cell = cell;
    self->arg = arg;
    return self;
}

void
bsc_rows_set_count(BscRows *self, unsigned n)
{
    while (self->n > n) {
        GtkTreePath *path = gtk_tree_path_new_from_indices((int)--self->n, -1);

        gtk_tree_model_row_deleted(GTK_TREE_MODEL(self), path);
        gtk_tree_path_free(path);
    }
    while (self->n < n) {
        GtkTreePath *path = gtk_tree_path_new_from_indices((int)self->n++, -1);
        GtkTreeIter iter;

        set_iter(self, &iter, self->n - 1);
        gtk_tree_model_row_inserted(GTK_TREE_MODEL(self), path, &iter);
        gtk_tree_path_free(path);
    }
}

void
bsc_rows_changed(BscRows *self, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end && i < self->n; i++) {
        GtkTreePath *path = gtk_tree_path_new_from_indices((int)i, -1);
        GtkTreeIter iter;

        set_iter(self, &iter, i);
        gtk_tree_model_row_changed(GTK_TREE_MODEL(self), path, &iter);
        gtk_tree_path_free(path);
    }
}
