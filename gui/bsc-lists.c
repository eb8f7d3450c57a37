/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-lists.h"

#include "gui/bsc-table.h"
#include "gui/words.h"

struct _BscLists {
    GtkBox parent;
    BscTable *services, *nodes, *standbys, *orders;
    const struct view *view;   /* borrowed */
    const struct model *model; /* borrowed */
};

G_DEFINE_TYPE(BscLists, bsc_lists, GTK_TYPE_BOX)

enum { CHOSEN, N_SIGNALS };
static guint signals[N_SIGNALS];

/* Content is asked for before the first view is there. */
static struct view nothing;

/* ---- services ---- */

static const struct bsc_table_column service_columns[] = { { N_("Service"), 150,
                                                               FALSE },
    { N_("State"), 110, FALSE }, { N_("Active on"), 90, FALSE },
    { N_("Connections"), 100, TRUE }, { N_("Policy"), 80, FALSE },
    { N_("Pause"), 90, TRUE }, { N_("Checkpoint"), 126, TRUE },
    { N_("Blackout"), 90, TRUE }, { N_("Addresses"), 160, FALSE } };

static unsigned
service_count(void *arg)
{
    return BSC_LISTS(arg)->view->nservices;
}

static char *
service_cell(unsigned row, int column, void *arg)
{
    const struct view_service *s = &BSC_LISTS(arg)->view->services[row];

    switch (column) {
    case 0:
        return g_strdup(s->name);
    case 1:
        return g_strdup(words_service(s->state));
    case 2:
        return g_strdup(s->active[0] ? s->active : "\u2014");
    case 3:
        return words_count(s->connections);
    case 4:
        return g_strdup(words_policy(s->policy));
    case 5:
        return words_us(s->pause);
    case 6:
        return words_bytes(s->checkpoint_size);
    case 7:
        return s->blackout == 0 ? g_strdup("\u2014") : words_ms(s->blackout);
    default:
        return g_strdup(s->addresses);
    }
}

static int64_t
service_number(unsigned row, int column, void *arg)
{
    const struct view_service *s = &BSC_LISTS(arg)->view->services[row];

    return column == 3   ? s->connections
           : column == 5 ? s->pause
           : column == 6 ? s->checkpoint_size
           : column == 7 ? s->blackout
                         : NOT_KNOWN;
}

static enum view_class
service_class(unsigned row, void *arg)
{
    return BSC_LISTS(arg)->view->services[row].class;
}

static char *
service_key(unsigned row, void *arg)
{
    return g_strdup(BSC_LISTS(arg)->view->services[row].name);
}

/* ---- nodes ---- */

static const struct bsc_table_column node_columns[] = { { N_("Node"), 120, FALSE },
    { N_("State"), 90, FALSE }, { N_("Health"), 100, FALSE }, { N_("Runs"), 60, TRUE },
    { N_("Standby of"), 90, TRUE }, { N_("Load"), 80, TRUE },
    { N_("Memory free"), 110, TRUE }, { N_("Maintenance"), 100, FALSE },
    { N_("Reason"), 240, FALSE } };

static unsigned
node_count(void *arg)
{
    return BSC_LISTS(arg)->view->nnodes;
}

static char *
node_cell(unsigned row, int column, void *arg)
{
    const struct view_node *n = &BSC_LISTS(arg)->view->nodes[row];

    switch (column) {
    case 0:
        return g_strdup(n->name);
    case 1:
        return g_strdup(words_node(n->state));
    case 2:
        return g_strdup(words_health(n->health));
    case 3:
        return words_count(n->active);
    case 4:
        return words_count(n->clones);
    case 5:
        return n->load == NOT_KNOWN ? words_count(NOT_KNOWN)
                                    : g_strdup_printf("%.1f %%", (double)n->load / 10);
    case 6:
        return words_mib(n->memory_free);
    case 7:
        return g_strdup(
            n->drain > DRAIN_NO ? words_drain(n->drain) : words_truth(n->maintenance));
    default:
        return g_strdup(n->reason);
    }
}

static int64_t
node_number(unsigned row, int column, void *arg)
{
    const struct view_node *n = &BSC_LISTS(arg)->view->nodes[row];

    return column == 3   ? n->active
           : column == 4 ? n->clones
           : column == 5 ? n->load
           : column == 6 ? n->memory_free
                         : NOT_KNOWN;
}

static enum view_class
node_class(unsigned row, void *arg)
{
    return BSC_LISTS(arg)->view->nodes[row].class;
}

static char *
node_key(unsigned row, void *arg)
{
    return g_strdup(BSC_LISTS(arg)->view->nodes[row].name);
}

/* ---- standbys ---- */

static const struct bsc_table_column standby_columns[] = { { N_("Service"), 150,
                                                               FALSE },
    { N_("Standby"), 100, FALSE }, { N_("State"), 110, FALSE },
    { N_("Required"), 90, FALSE }, { N_("Lag"), 190, FALSE },
    { N_("Last checkpoint"), 130, TRUE }, { N_("Memory of the clone"), 150, TRUE } };

static unsigned
standby_count(void *arg)
{
    return BSC_LISTS(arg)->view->nstandbys;
}

static char *
standby_cell(unsigned row, int column, void *arg)
{
    const struct view_standby *s = &BSC_LISTS(arg)->view->standbys[row];

    switch (column) {
    case 0:
        return g_strdup(s->service);
    case 1:
        return g_strdup(s->name);
    case 2:
        return g_strdup(words_standby(s->state));
    case 3:
        return g_strdup(words_truth(s->in_set));
    case 4:
        return words_lag(s->lag);
    case 5:
        return words_ms(s->clone_age);
    default:
        return words_kib(s->clone_size);
    }
}

static int64_t
standby_number(unsigned row, int column, void *arg)
{
    const struct view_standby *s = &BSC_LISTS(arg)->view->standbys[row];

    return column == 5 ? s->clone_age : column == 6 ? s->clone_size : NOT_KNOWN;
}

static enum view_class
standby_class(unsigned row, void *arg)
{
    return BSC_LISTS(arg)->view->standbys[row].class;
}

static char *
standby_key(unsigned row, void *arg)
{
    const struct view_standby *s = &BSC_LISTS(arg)->view->standbys[row];

    return g_strdup_printf("%s %s", s->service, s->name);
}

/* ---- orders ---- */

static const struct bsc_table_column order_columns[] = { { N_("Number"), 90, FALSE },
    { N_("Order"), 120, FALSE }, { N_("Service"), 120, FALSE },
    { N_("Node"), 80, FALSE }, { N_("State"), 90, FALSE },
    { N_("Started"), 190, FALSE }, { N_("Given by"), 110, FALSE },
    { N_("Result"), 240, FALSE } };

static const struct table *
order_table(void *arg)
{
    return &BSC_LISTS(arg)->model->cluster[OF_ORDERS];
}

static unsigned
order_count(void *arg)
{
    return BSC_LISTS(arg)->model ? order_table(arg)->side[0].rows : 0;
}

/* Newest first. */
static uint32_t
order_at(unsigned row, void *arg)
{
    return order_table(arg)->side[0].rows - 1 - row;
}

static char *
order_cell(unsigned row, int column, void *arg)
{
    const struct table *t = order_table(arg);
    uint32_t i = order_at(row, arg);

    switch (column) {
    case 0:
        return words_count(table_number(t, i, -1, NOT_KNOWN));
    case 1:
        return g_strdup(words_order(table_number(t, i, ORDERS_KIND, 0)));
    case 2:
        return g_strdup(table_text(t, i, ORDERS_SERVICE));
    case 3:
        return g_strdup(table_text(t, i, ORDERS_NODE));
    case 4:
        return g_strdup(words_progress(table_number(t, i, ORDERS_STATE, 0)));
    case 5:
        return words_time(table_number(t, i, ORDERS_STARTED, NOT_KNOWN));
    case 6:
        return g_strdup(table_text(t, i, ORDERS_OWNER));
    default:
        return g_strdup(table_text(t, i, ORDERS_TEXT));
    }
}

static enum view_class
order_class(unsigned row, void *arg)
{
    switch (table_number(order_table(arg), order_at(row, arg), ORDERS_STATE, 0)) {
    case PROGRESS_RUNNING:
        return CLASS_BUSY;
    case PROGRESS_DONE:
        return CLASS_GOOD;
    case PROGRESS_FAILED:
        return CLASS_BAD;
    default:
        return CLASS_UNKNOWN;
    }
}

static char *
order_key(unsigned row, void *arg)
{
    return order_cell(row, 0, arg);
}

/* ---- together ---- */

#define CONTENT(what, with_number)                                                     \
    {                                                                                  \
        .columns = what##_columns, .ncolumns = G_N_ELEMENTS(what##_columns),           \
        .count = what##_count, .cell = what##_cell, .number = with_number,             \
        .class = what##_class, .key = what##_key, .arg = self                          \
    }

static void
setup(BscTable *table, const struct bsc_table_content *content, const char *name,
    const char *empty)
{
    struct bsc_table_content *kept = g_memdup2(content, sizeof *content);

    g_object_set_data_full(G_OBJECT(table), "content", kept, g_free);
    bsc_table_setup(table, kept, name, empty);
}

static void
setup_all(BscLists *self)
{
    const struct bsc_table_content services = CONTENT(service, service_number),
                                   nodes = CONTENT(node, node_number),
                                   standbys = CONTENT(standby, standby_number),
                                   orders = CONTENT(order, NULL);

    setup(self->services, &services, _("Services"),
        _("No services. They are written into bascule.conf on the nodes."));
    setup(self->nodes, &nodes, _("Nodes"), _("No nodes are known yet."));
    setup(self->standbys, &standbys, _("Standbys"),
        _("No standbys: nothing is protected against the loss of a node."));
    setup(self->orders, &orders, _("Orders"), _("No order was given yet."));
}

void
bsc_lists_show(BscLists *self, const struct view *view, const struct model *model)
{
    self->view = view;
    self->model = model;
    bsc_table_show(self->services);
    bsc_table_show(self->nodes);
    bsc_table_show(self->standbys);
    bsc_table_show(self->orders);
}

static void
service_selected_cb(BscTable *table, const char *key, gpointer data)
{
    (void)table;
    g_signal_emit(
        data, signals[CHOSEN], 0, -1, view_find_service(BSC_LISTS(data)->view, key));
}

static void
node_selected_cb(BscTable *table, const char *key, gpointer data)
{
    (void)table;
    g_signal_emit(
        data, signals[CHOSEN], 0, view_find_node(BSC_LISTS(data)->view, key), -1);
}

static void
bsc_lists_class_init(BscListsClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    g_type_ensure(BSC_TYPE_TABLE);
    signals[CHOSEN] = g_signal_new("chosen", BSC_TYPE_LISTS, G_SIGNAL_RUN_LAST, 0, NULL,
        NULL, NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-lists.ui");
    gtk_widget_class_bind_template_child(widget, BscLists, services);
    gtk_widget_class_bind_template_child(widget, BscLists, nodes);
    gtk_widget_class_bind_template_child(widget, BscLists, standbys);
    gtk_widget_class_bind_template_child(widget, BscLists, orders);
    gtk_widget_class_bind_template_callback(widget, service_selected_cb);
    gtk_widget_class_bind_template_callback(widget, node_selected_cb);
}

static void
bsc_lists_init(BscLists *self)
{
    self->view = &nothing;
    gtk_widget_init_template(GTK_WIDGET(self));
    setup_all(self);
}
