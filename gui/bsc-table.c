/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-table.h"

#include "gui/bsc-rows.h"
#include "gui/palette.h"
#include "gui/words.h"

#include <stdlib.h>
#include <string.h>

struct _BscTable {
    GtkBox parent;
    GtkTreeView *tree;
    GtkLabel *empty;
    GtkStack *stack;
    const struct bsc_table_content *content; /* borrowed */
    BscRows *rows;
    unsigned *order; /* rows of the content, as shown */
    unsigned n, room;
    int sort; /* column, or -1 */
    gboolean down, inside;
    char *key;
    struct palette palette;
};

G_DEFINE_TYPE(BscTable, bsc_table, GTK_TYPE_BOX)

enum { SELECTED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- order ---- */

struct sort_item {
    unsigned row;
    int64_t number;
    char *text;
};

static int
compare_cb(const void *a, const void *b)
{
    const struct sort_item *x = a, *y = b;
    int by;

    if (x->text && y->text)
        by = g_strcmp0(x->text, y->text);
    else
        by = x->number < y->number ? -1 : x->number > y->number;
    return by ? by : x->row < y->row ? -1 : x->row > y->row;
}

static void
sort_rows(BscTable *self)
{
    const struct bsc_table_content *c = self->content;
    struct sort_item *items = g_new0(struct sort_item, self->n);

    for (unsigned i = 0; i < self->n; i++) {
        items[i].row = self->order[i];
        items[i].number = c->number ? c->number(items[i].row, self->sort, c->arg)
                                    : INT64_MIN;
        if (!c->number || !c->columns[self->sort].number)
            items[i].text = c->cell(items[i].row, self->sort, c->arg);
    }
    qsort(items, self->n, sizeof *items, compare_cb);
    for (unsigned i = 0; i < self->n; i++) {
        self->order[self->down ? self->n - 1 - i : i] = items[i].row;
        g_free(items[i].text);
    }
    g_free(items);
}

static void
choose_rows(BscTable *self)
{
    const struct bsc_table_content *c = self->content;
    unsigned all = c->count(c->arg);

    if (all > self->room) {
        self->room = all + all / 2;
        self->order = g_renew(unsigned, self->order, self->room);
    }
    self->n = 0;
    for (unsigned i = 0; i < all; i++)
        if (!c->match || c->match(i, c->arg))
            self->order[self->n++] = i;
    if (self->sort >= 0)
        sort_rows(self);
}

/* ---- cells ---- */

static char *
cell_cb(unsigned at, int column, void *arg)
{
    BscTable *self = arg;

    if (at >= self->n)
        return g_strdup("");
    return self->content->cell(self->order[at], column, self->content->arg);
}

/* A sign beside the first column, so that colour is not needed to tell. */
static void
sign_cb(GtkTreeViewColumn *column, GtkCellRenderer *cell, GtkTreeModel *model,
    GtkTreeIter *iter, gpointer data)
{
    BscTable *self = data;
    const struct bsc_table_content *c = self->content;
    unsigned at = bsc_rows_index(BSC_ROWS(model), iter);
    enum view_class class;

    (void)column;
    if (at >= self->n)
        return;
    class = c->class(self->order[at], c->arg);
    g_object_set(cell, "text", words_sign(class), "foreground-rgba",
        &self->palette.class[class], NULL);
}

/* ---- selection ---- */

static void
selection_cb(GtkTreeSelection *selection, gpointer data)
{
    BscTable *self = data;
    const struct bsc_table_content *c = self->content;
    GtkTreeIter iter;
    char *key;

    if (self->inside || !gtk_tree_selection_get_selected(selection, NULL, &iter))
        return;
    key = c->key(self->order[bsc_rows_index(self->rows, &iter)], c->arg);
    if (g_strcmp0(key, self->key)) {
        g_free(self->key);
        self->key = key;
        g_signal_emit(self, signals[SELECTED], 0, self->key);
    } else {
        g_free(key);
    }
}

static void
restore_selection(BscTable *self)
{
    const struct bsc_table_content *c = self->content;
    GtkTreeSelection *selection = gtk_tree_view_get_selection(self->tree);

    for (unsigned i = 0; self->key && i < self->n; i++) {
        g_autofree char *key = c->key(self->order[i], c->arg);

        if (!strcmp(key, self->key)) {
            GtkTreePath *path = gtk_tree_path_new_from_indices((int)i, -1);

            gtk_tree_selection_select_path(selection, path);
            gtk_tree_path_free(path);
            return;
        }
    }
    gtk_tree_selection_unselect_all(selection);
}

const char *
bsc_table_key(BscTable *self)
{
    return self->key;
}

void
bsc_table_select(BscTable *self, const char *key)
{
    g_free(self->key);
    self->key = g_strdup(key);
    self->inside = TRUE;
    restore_selection(self);
    self->inside = FALSE;
}

/* ---- showing ---- */

/* Each row that is marked costs a signal to the view and one to the screen reader. */
static void
mark_visible(BscTable *self)
{
    GtkTreePath *from, *to;
    unsigned first = 0, end = self->n;

    if (!gtk_widget_get_mapped(GTK_WIDGET(self->tree)))
        return; /* it reads the rows anew when it is */
    if (self->n > 40) {
        if (!gtk_tree_view_get_visible_range(self->tree, &from, &to))
            return;
        first = (unsigned)gtk_tree_path_get_indices(from)[0];
        end = (unsigned)gtk_tree_path_get_indices(to)[0] + 1;
        gtk_tree_path_free(from);
        gtk_tree_path_free(to);
    }
    bsc_rows_changed(self->rows, first, end);
}

void
bsc_table_show(BscTable *self)
{
    unsigned before = self->n;
    gboolean many;

    self->inside = TRUE;
    choose_rows(self);
    palette_read(&self->palette, GTK_WIDGET(self->tree));
    /* one by one, a thousand rows would each make the view think again */
    many = self->n > before + 500 || before > self->n + 500;
    if (many)
        gtk_tree_view_set_model(self->tree, NULL);
    bsc_rows_set_count(self->rows, self->n);
    if (many)
        gtk_tree_view_set_model(self->tree, GTK_TREE_MODEL(self->rows));
    else
        mark_visible(self);
    if (self->key)
        restore_selection(self);
    self->inside = FALSE;
    gtk_stack_set_visible_child_name(self->stack, self->n ? "rows" : "empty");
}

unsigned
bsc_table_count(BscTable *self)
{
    return self->n;
}

unsigned
bsc_table_row(BscTable *self, unsigned at)
{
    return self->order[at];
}

GtkTreeView *
bsc_table_view(BscTable *self)
{
    return self->tree;
}

void
bsc_table_sort(BscTable *self, int column, gboolean descending)
{
    self->sort = column;
    self->down = descending;
    for (int i = 0; i < self->content->ncolumns; i++) {
        GtkTreeViewColumn *c = gtk_tree_view_get_column(self->tree, i);

        gtk_tree_view_column_set_sort_indicator(c, i == column);
        gtk_tree_view_column_set_sort_order(
            c, descending ? GTK_SORT_DESCENDING : GTK_SORT_ASCENDING);
    }
    bsc_table_show(self);
}

static void
head_cb(GtkTreeViewColumn *column, gpointer data)
{
    BscTable *self = data;
    int n = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(column), "column"));

    bsc_table_sort(self, n, self->sort == n && !self->down);
}

static void
add_column(BscTable *self, int n)
{
    const struct bsc_table_column *c = &self->content->columns[n];
    GtkTreeViewColumn *column = gtk_tree_view_column_new();
    GtkCellRenderer *cell = gtk_cell_renderer_text_new();

    g_object_set_data(G_OBJECT(column), "column", GINT_TO_POINTER(n));
    gtk_tree_view_column_set_title(column, _(c->title));
    gtk_tree_view_column_set_sizing(column, GTK_TREE_VIEW_COLUMN_FIXED);
    gtk_tree_view_column_set_fixed_width(column, c->width);
    gtk_tree_view_column_set_resizable(column, TRUE);
    gtk_tree_view_column_set_clickable(column, TRUE);
    gtk_tree_view_column_set_expand(column, n == self->content->ncolumns - 1);
    if (n == 0 && self->content->class) {
        GtkCellRenderer *sign = gtk_cell_renderer_text_new();

        g_object_set(sign, "width-chars", 2, "weight", PANGO_WEIGHT_BOLD, NULL);
        gtk_tree_view_column_pack_start(column, sign, FALSE);
        gtk_tree_view_column_set_cell_data_func(column, sign, sign_cb, self, NULL);
    }
    g_object_set(
        cell, "ellipsize", PANGO_ELLIPSIZE_END, "xalign", c->number ? 1.0 : 0.0, NULL);
    if (c->number)
        gtk_tree_view_column_set_alignment(column, 1.0);
    gtk_tree_view_column_pack_start(column, cell, TRUE);
    gtk_tree_view_column_add_attribute(column, cell, "text", n);
    g_signal_connect(column, "clicked", G_CALLBACK(head_cb), self);
    gtk_tree_view_append_column(self->tree, column);
}

static gboolean
tooltip_cb(
    GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tip, gpointer data)
{
    BscTable *self = data;
    GtkTreeViewColumn *column;
    GtkTreePath *path = NULL;
    g_autofree char *words = NULL;
    int bx, by, n;

    if (keyboard)
        return FALSE;
    gtk_tree_view_convert_widget_to_bin_window_coords(
        GTK_TREE_VIEW(widget), x, y, &bx, &by);
    if (!gtk_tree_view_get_path_at_pos(self->tree, bx, by, &path, &column, NULL, NULL))
        return FALSE;
    n = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(column), "column"));
    words = cell_cb((unsigned)gtk_tree_path_get_indices(path)[0], n, self);
    gtk_tree_path_free(path);
    gtk_tooltip_set_text(tip, words);
    return words[0] != '\0';
}

void
bsc_table_setup(BscTable *self, const struct bsc_table_content *content,
    const char *name, const char *empty)
{
    self->content = content;
    self->rows = bsc_rows_new(content->ncolumns, cell_cb, self);
    for (int i = 0; i < content->ncolumns; i++)
        add_column(self, i);
    gtk_tree_view_set_model(self->tree, GTK_TREE_MODEL(self->rows));
    gtk_tree_view_set_fixed_height_mode(self->tree, TRUE);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(self->tree)), name);
    gtk_label_set_text(self->empty, empty);
    g_signal_connect(gtk_tree_view_get_selection(self->tree), "changed",
        G_CALLBACK(selection_cb), self);
    g_signal_connect(self->tree, "query-tooltip", G_CALLBACK(tooltip_cb), self);
    gtk_widget_set_has_tooltip(GTK_WIDGET(self->tree), TRUE);
}

static void
bsc_table_finalize(GObject *object)
{
    BscTable *self = BSC_TABLE(object);

    g_clear_object(&self->rows);
    g_free(self->order);
    g_free(self->key);
    G_OBJECT_CLASS(bsc_table_parent_class)->finalize(object);
}

static void
bsc_table_class_init(BscTableClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    G_OBJECT_CLASS(class)->finalize = bsc_table_finalize;
    signals[SELECTED] = g_signal_new("selected", BSC_TYPE_TABLE, G_SIGNAL_RUN_LAST, 0,
        NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-table.ui");
    gtk_widget_class_bind_template_child(widget, BscTable, tree);
    gtk_widget_class_bind_template_child(widget, BscTable, empty);
    gtk_widget_class_bind_template_child(widget, BscTable, stack);
}

static void
bsc_table_init(BscTable *self)
{
    self->sort = -1;
    gtk_widget_init_template(GTK_WIDGET(self));
}
