/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-connections.h"

#include "gui/bsc-table.h"
#include "gui/words.h"

#include <string.h>

struct _BscConnections {
    GtkBox parent;
    BscTable *table;
    GtkSearchEntry *search;
    GtkLabel *count;
    const struct table *rows; /* borrowed */
    uint32_t seen;
    char service[VIEW_NAME];
    char *wanted; /* owned */
    struct bsc_table_content content;
};

G_DEFINE_TYPE(BscConnections, bsc_connections, GTK_TYPE_BOX)

static const struct bsc_table_column columns[] = { { N_("Client"), 230, FALSE },
    { N_("State"), 130, FALSE }, { N_("Received"), 110, TRUE },
    { N_("Sent"), 110, TRUE }, { N_("Age"), 100, TRUE }, { N_("Idle"), 100, TRUE },
    { N_("Unread"), 100, TRUE }, { N_("Unsent"), 100, TRUE },
    { N_("Round trip"), 100, TRUE }, { N_("Sent again"), 100, TRUE },
    { N_("Address"), 200, FALSE } };

static unsigned
count_cb(void *arg)
{
    const struct table *t = BSC_CONNECTIONS(arg)->rows;

    return t && t->def ? t->side[0].rows : 0;
}

static char *
end_point(const struct table *t, unsigned row, int address, int port)
{
    const char *a = table_text(t, row, address);

    return g_strdup_printf(
        strchr(a, ':') ? "[%s]:%d" : "%s:%d", a, (int)table_number(t, row, port, 0));
}

static int64_t
number_cb(unsigned row, int column, void *arg)
{
    static const uint8_t of[] = { 0, CONNECTION_STATE, CONNECTION_IN, CONNECTION_OUT,
        CONNECTION_AGE, CONNECTION_IDLE, CONNECTION_UNREAD, CONNECTION_UNSENT,
        CONNECTION_ROUND_TRIP, CONNECTION_RETRANSMITS };

    return column > 0 && column < (int)G_N_ELEMENTS(of)
               ? table_number(BSC_CONNECTIONS(arg)->rows, row, of[column], NOT_KNOWN)
               : NOT_KNOWN;
}

static char *
cell_cb(unsigned row, int column, void *arg)
{
    const struct table *t = BSC_CONNECTIONS(arg)->rows;
    int64_t n = number_cb(row, column, arg);

    switch (column) {
    case 0:
        return end_point(t, row, -6, -7);
    case 1:
        return g_strdup(words_tcp(n == NOT_KNOWN ? 0 : n));
    case 2:
    case 3:
    case 6:
    case 7:
        return words_bytes(n);
    case 4:
    case 5:
        return words_ms(n);
    case 8:
        return words_us(n);
    case 9:
        return words_count(n);
    default:
        return end_point(t, row, -3, -4);
    }
}

static char *
key_cb(unsigned row, void *arg)
{
    return cell_cb(row, 0, arg);
}

static gboolean
match_cb(unsigned row, void *arg)
{
    BscConnections *self = arg;

    if (self->service[0] && strcmp(table_text(self->rows, row, -1), self->service))
        return FALSE;
    if (self->wanted && self->wanted[0]) {
        g_autofree char *client = cell_cb(row, 0, arg);

        return strstr(client, self->wanted) != NULL;
    }
    return TRUE;
}

static void
refresh(BscConnections *self)
{
    g_autofree char *words = NULL;
    unsigned n;

    bsc_table_show(self->table);
    n = bsc_table_count(self->table);
    words = g_strdup_printf(ngettext("%u connection", "%u connections", n), n);
    gtk_label_set_text(self->count, words);
}

void
bsc_connections_show(BscConnections *self, const struct table *table,
    const char *service, const char *node)
{
    gboolean same = self->rows == table && !strcmp(self->service, service) &&
                    (!table || self->seen == table->serial);

    (void)node;
    if (same || !gtk_widget_get_mapped(GTK_WIDGET(self)))
        return;
    self->rows = table;
    self->seen = table ? table->serial : 0;
    g_strlcpy(self->service, service, sizeof self->service);
    refresh(self);
}

static void
search_cb(GtkSearchEntry *entry, gpointer data)
{
    BscConnections *self = data;

    g_free(self->wanted);
    self->wanted = g_strdup(gtk_entry_get_text(GTK_ENTRY(entry)));
    refresh(self);
}

static void
bsc_connections_finalize(GObject *object)
{
    g_free(BSC_CONNECTIONS(object)->wanted);
    G_OBJECT_CLASS(bsc_connections_parent_class)->finalize(object);
}

static void
bsc_connections_class_init(BscConnectionsClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    g_type_ensure(BSC_TYPE_TABLE);
    G_OBJECT_CLASS(class)->finalize = bsc_connections_finalize;
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-connections.ui");
    gtk_widget_class_bind_template_child(widget, BscConnections, table);
    gtk_widget_class_bind_template_child(widget, BscConnections, search);
    gtk_widget_class_bind_template_child(widget, BscConnections, count);
    gtk_widget_class_bind_template_callback(widget, search_cb);
}

static void
bsc_connections_init(BscConnections *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
    self->content = (struct bsc_table_content){ .columns = columns,
        .ncolumns = G_N_ELEMENTS(columns),
        .count = count_cb,
        .cell = cell_cb,
        .number = number_cb,
        .key = key_cb,
        .match = match_cb,
        .arg = self };
    bsc_table_setup(self->table, &self->content, _("Connections"),
        _("No connection is known. Either there is none, or the agent of the active "
          "node is "
          "not asked or has no table of connections."));
}
