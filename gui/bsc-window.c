/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-window.h"

#include "gui/bsc-order-dialog.h"
#include "gui/framelog.h"
#include "gui/palette.h"
#include "gui/window-private.h"
#include "gui/words.h"

#include <string.h>

#define SHOW_MS 30    /* what comes within this time is shown together */
#define SAMPLE_MS 200 /* between two points of a plot */
#define REST_MS 80    /* the window is on the screen by then */

G_DEFINE_TYPE(BscWindow, bsc_window, GTK_TYPE_APPLICATION_WINDOW)

/* ---- showing ---- */

static void
set_label(GtkLabel *label, const char *text)
{
    if (g_strcmp0(gtk_label_get_text(label), text))
        gtk_label_set_text(label, text);
}

static void
show_class(BscWindow *self, enum view_class class)
{
    static const char *const names[N_CLASSES] = { "unknown", "good", "busy", "warn",
        "bad" };
    GtkStyleContext *style = gtk_widget_get_style_context(GTK_WIDGET(self->status));

    for (int i = 0; i < N_CLASSES; i++)
        if (i != (int)class)
            gtk_style_context_remove_class(style, names[i]);
    gtk_style_context_add_class(style, names[class]);
}

static void
show_fencing(BscWindow *self)
{
    const struct view *v = self->view;
    g_autofree char *fencing = words_fencing(v);
    g_autofree char *device = words_device(v);

    set_label(self->fencing, fencing);
    gtk_widget_set_tooltip_text(
        GTK_WIDGET(self->fencing), v->fencing_why[0] ? v->fencing_why : NULL);
    set_label(self->device, device);
    gtk_widget_set_tooltip_text(GTK_WIDGET(self->device), device);
    gtk_widget_set_visible(
        gtk_widget_get_parent(GTK_WIDGET(self->device)), v->has_device);
}

static void
show_status(BscWindow *self)
{
    const struct view *v = self->view;
    g_autofree char *overall = words_overall(v);
    g_autofree char *nodes = g_strdup_printf(
        ngettext("%u of %u node online", "%u of %u nodes online", v->nnodes), v->online,
        v->nnodes);
    g_autofree char *quorum = g_strdup_printf(_("Quorum: %s"), words_truth(v->quorate));
    g_autofree char *maintenance = g_strdup_printf(
        _("Maintenance: %s"), words_truth(v->maintenance));
    g_autofree char *asked = NULL;

    show_class(self, v->class);
    set_label(self->sign, words_sign(v->class));
    set_label(self->overall, overall);
    set_label(self->quorum, quorum);
    set_label(self->nodes, nodes);
    set_label(self->maintenance, maintenance);
    show_fencing(self);
    gtk_header_bar_set_title(self->header, v->cluster[0] ? v->cluster : _("Bascule"));
    if (!v->connected)
        asked = g_strdup(v->why[0] ? _(v->why) : _("nobody is asked"));
    else if (v->asked_name[0])
        asked = g_strdup_printf(_("as %s sees it (%s)"), v->asked_name, v->asked);
    else /* its name comes after the first picture */
        asked = g_strdup(v->asked);
    gtk_header_bar_set_subtitle(self->header, asked);
    if (strcmp(self->said, overall)) {
        AtkObject *a = gtk_widget_get_accessible(GTK_WIDGET(self->status));

        g_strlcpy(self->said, overall, sizeof self->said);
        atk_object_set_name(a, overall);
        g_signal_emit_by_name(a, "visible-data-changed");
    }
}

static void
show_detail(BscWindow *self)
{
    struct model *m = source_model(self->source);
    int service = view_find_service(self->view, self->service);
    int node = view_find_node(self->view, self->node);
    gboolean orders = table_cell(&m->cluster[OF_ORDER], 0, ORDER_VALUE)->kind !=
                      CELL_NONE;

    bsc_picture_select(self->picture, service >= 0 ? -1 : node, service);
    bsc_detail_show(self->detail, self->view, m, self->changes, node, service, orders);
}

/* ---- what is measured ---- */

void
window_forget(BscWindow *self)
{
    bsc_plot_show(self->plot, NULL, "");
    for (unsigned i = 0; i < VIEW_SERVICES; i++)
        g_clear_pointer(&self->series[i], g_free);
    self->quiet = TRUE;
}

static int64_t
time_of_model(BscWindow *self)
{
    if (self->player)
        return player_began_ms(self->player) + player_position_ms(self->player);
    return g_get_real_time() / 1000;
}

static void
measure(BscWindow *self)
{
    int64_t now = time_of_model(self), from, to;

    for (unsigned i = 0; i < self->view->nservices; i++) {
        const char *name = self->view->services[i].name;

        if (self->series[i] && strcmp(self->series_of[i], name))
            series_clear(self->series[i]); /* the services are others now */
        if (!self->series[i]) {
            self->series[i] = g_new(struct series, 1);
            series_clear(self->series[i]);
        }
        g_strlcpy(self->series_of[i], name, VIEW_NAME);
        if (!series_span(self->series[i], &from, &to) || now - to >= SAMPLE_MS)
            series_add(self->series[i], self->view, i, now);
    }
}

static void
show_plot(BscWindow *self)
{
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->plot_service));
    int at = id ? view_find_service(self->view, id) : -1;

    if (self->view->nservices !=
        (unsigned)gtk_tree_model_iter_n_children(
            gtk_combo_box_get_model(GTK_COMBO_BOX(self->plot_service)), NULL)) {
        g_autofree char *kept = g_strdup(id);

        gtk_combo_box_text_remove_all(self->plot_service);
        for (unsigned i = 0; i < self->view->nservices; i++)
            gtk_combo_box_text_append(self->plot_service, self->view->services[i].name,
                self->view->services[i].name);
        if (!kept ||
            !gtk_combo_box_set_active_id(GTK_COMBO_BOX(self->plot_service), kept))
            gtk_combo_box_set_active(GTK_COMBO_BOX(self->plot_service), 0);
        return; /* comes back by plot_service_cb() */
    }
    bsc_plot_show(self->plot, at >= 0 ? self->series[at] : NULL, id ? id : "");
}

/* ---- pages ---- */

/* Connections are read only while somebody looks at them: they are many. */
static void
show_connections(BscWindow *self)
{
    struct model *m = source_model(self->source);
    int at = view_find_service(self->view, self->service), slot = -1;
    gboolean seen = !g_strcmp0(
        gtk_stack_get_visible_child_name(self->stack), "connections");

    if (at < 0 && self->view->nservices > 0)
        at = 0;
    if (at >= 0 && self->view->services[at].node >= 0)
        slot = self->view->nodes[self->view->services[at].node].agent;
    if (!self->player)
        source_want_connections(self->source, seen ? slot : -1);
    if (seen)
        bsc_connections_show(self->connections,
            slot < 0 ? NULL : &m->agents[slot].tables[ON_CONNECTIONS], self->service,
            slot < 0 ? "" : m->agents[slot].address);
}

static gboolean
show_cb(gpointer data)
{
    BscWindow *self = data;
    struct model *m = source_model(self->source);

    if (self->show)
        g_source_remove(self->show);
    self->show = 0;
    view_make(self->view, m);
    show_status(self);
    if (self->view->nnodes > 0 && plan_pictured(m))
        framelog_useful();
    bsc_picture_show(self->picture, self->view);
    bsc_lists_show(self->lists, self->view, m);
    bsc_journal_show(self->journal, m);
    takeovers_make(self->changes, m, self->view);
    show_detail(self);
    measure(self);
    show_plot(self);
    show_connections(self);
    bsc_takeovers_show(self->takeovers, self->changes);
    announcer_look(self->announcer, self->view, self->quiet);
    self->quiet = FALSE;
    if (self->order)
        bsc_order_dialog_show(BSC_ORDER_DIALOG(self->order), self->view);
    return G_SOURCE_REMOVE;
}

static gboolean
show_timer_cb(gpointer data)
{
    BSC_WINDOW(data)->show = 0;
    return show_cb(data);
}

void
window_tell(BscWindow *self, GtkMessageType type, const char *words)
{
    gtk_info_bar_set_message_type(self->info, type);
    gtk_label_set_text(self->info_text, words);
    gtk_info_bar_set_revealed(self->info, TRUE);
}

static void
notify_cb(enum source_event event, void *arg)
{
    BscWindow *self = arg;
    g_autofree char *words = NULL;
    const struct model *m = source_model(self->source);

    if (event == SOURCE_SWITCHED && self->view->connected) {
        words = g_strdup_printf(_("%s does not answer any more. %s is asked now."),
            self->view->asked, m->agents[m->primary].address);
        window_tell(self, GTK_MESSAGE_WARNING, words);
    } else if (event == SOURCE_LOST) {
        window_tell(self, GTK_MESSAGE_ERROR,
            _("No node answers. What is shown is what was known last; all are tried "
              "again."));
    } else if (event == SOURCE_SWITCHED) {
        gtk_info_bar_set_revealed(self->info, FALSE);
    }
    if (!gtk_widget_get_mapped(GTK_WIDGET(self)))
        show_cb(self); /* what is drawn first is all that is known */
    else if (!self->show)
        self->show = g_timeout_add(SHOW_MS, show_timer_cb, self);
}

/* ---- what the operator does ---- */

static void
chosen_cb(GtkWidget *widget, int node, int service, gpointer data)
{
    BscWindow *self = data;

    (void)widget;
    g_strlcpy(self->node, node >= 0 ? self->view->nodes[node].name : "", VIEW_NAME);
    g_strlcpy(self->service, service >= 0 ? self->view->services[service].name : "",
        VIEW_NAME);
    show_detail(self);
}

void
window_order(BscWindow *self, int kind, gboolean cluster)
{
    int service = cluster ? -1 : view_find_service(self->view, self->service);
    int node = cluster || service >= 0 ? -1 : view_find_node(self->view, self->node);

    if (!cluster && service < 0 && node < 0)
        return;
    if (self->order)
        gtk_widget_destroy(self->order);
    self->order = bsc_order_dialog_new(
        GTK_WINDOW(self), self->source, self->view, kind, node, service);
    g_signal_connect(
        self->order, "destroy", G_CALLBACK(gtk_widget_destroyed), &self->order);
    gtk_widget_show(self->order);
}

static void
order_cb(GtkWidget *widget, int kind, gpointer data)
{
    (void)widget;
    window_order(BSC_WINDOW(data), kind, FALSE);
}

static void
acknowledged_cb(enum order_stage stage, const char *text, int64_t number, void *arg)
{
    BscWindow *self = arg;

    (void)number;
    if (stage == ORDER_DONE)
        window_tell(self, GTK_MESSAGE_INFO, _("The event is acknowledged."));
    else if (stage > ORDER_DONE)
        window_tell(self, GTK_MESSAGE_WARNING,
            text[0] ? text : _("The event could not be acknowledged."));
}

/* Where the agent keeps no acknowledgements, at least this console does. */
static void
acknowledge_cb(GtkWidget *widget, gint64 serial, gpointer data)
{
    BscWindow *self = data;
    struct order order = { .kind = ORDER_ACKNOWLEDGE };
    const struct model *m = source_model(self->source);

    (void)widget;
    g_snprintf(order.value, sizeof order.value, "%" G_GINT64_FORMAT, serial);
    if (table_cell(&m->cluster[OF_ORDER], 0, ORDER_VALUE)->kind == CELL_NONE ||
        !source_order(self->source, &order, acknowledged_cb, self))
        bsc_journal_mark(self->journal, serial);
}

static void
save_journal_cb(GtkWidget *widget, gpointer data)
{
    (void)widget;
    g_action_group_activate_action(G_ACTION_GROUP(data), "save-journal", NULL);
}

static void
plot_service_cb(GtkComboBox *combo, gpointer data)
{
    (void)combo;
    show_plot(data);
}

static void
page_cb(GObject *object, GParamSpec *spec, gpointer data)
{
    BscWindow *self = data;

    (void)object;
    (void)spec;
    if (self->source)
        show_cb(self);
}

static void
moved_cb(GtkWidget *widget, gboolean back, gpointer data)
{
    (void)widget;
    if (back)
        window_forget(BSC_WINDOW(data));
}

static void
passed_cb(GtkWidget *widget, gpointer data)
{
    BscWindow *self = data;

    (void)widget;
    view_make(self->view, source_model(self->source));
    measure(self);
}

static void
info_cb(GtkInfoBar *bar, int response, gpointer data)
{
    (void)response;
    (void)data;
    gtk_info_bar_set_revealed(bar, FALSE);
}

void
bsc_window_connect(
    BscWindow *self, const char *const *addresses, struct asker_user *user)
{
    gtk_info_bar_set_revealed(self->info, FALSE);
    bsc_player_show(self->player_bar, NULL);
    g_clear_pointer(&self->player, player_close);
    gtk_widget_hide(GTK_WIDGET(self->player_bar));
    window_forget(self);
    source_connect(self->source, addresses, user);
}

static void
bsc_window_finalize(GObject *object)
{
    BscWindow *self = BSC_WINDOW(object);

    if (self->show)
        g_source_remove(self->show);
    if (self->rest)
        g_source_remove(self->rest);
    recorder_close(self->recorder);
    source_free(self->source);
    player_close(self->player);
    for (unsigned i = 0; i < VIEW_SERVICES; i++)
        g_free(self->series[i]);
    announcer_free(self->announcer);
    g_free(self->series_of);
    g_free(self->changes);
    g_free(self->view);
    G_OBJECT_CLASS(bsc_window_parent_class)->finalize(object);
}

static void
bsc_window_class_init(BscWindowClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    g_type_ensure(BSC_TYPE_PICTURE);
    g_type_ensure(BSC_TYPE_LISTS);
    g_type_ensure(BSC_TYPE_DETAIL);
    g_type_ensure(BSC_TYPE_JOURNAL);
    g_type_ensure(BSC_TYPE_PLOT);
    g_type_ensure(BSC_TYPE_CONNECTIONS);
    g_type_ensure(BSC_TYPE_TAKEOVERS);
    g_type_ensure(BSC_TYPE_PLAYER);
    G_OBJECT_CLASS(class)->finalize = bsc_window_finalize;
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-window.ui");
    gtk_widget_class_bind_template_child(widget, BscWindow, header);
    gtk_widget_class_bind_template_child(widget, BscWindow, stack);
    gtk_widget_class_bind_template_child(widget, BscWindow, status);
    gtk_widget_class_bind_template_child(widget, BscWindow, sign);
    gtk_widget_class_bind_template_child(widget, BscWindow, overall);
    gtk_widget_class_bind_template_child(widget, BscWindow, quorum);
    gtk_widget_class_bind_template_child(widget, BscWindow, nodes);
    gtk_widget_class_bind_template_child(widget, BscWindow, fencing);
    gtk_widget_class_bind_template_child(widget, BscWindow, device);
    gtk_widget_class_bind_template_child(widget, BscWindow, maintenance);
    gtk_widget_class_bind_template_child(widget, BscWindow, info);
    gtk_widget_class_bind_template_child(widget, BscWindow, info_text);
    gtk_widget_class_bind_template_child(widget, BscWindow, picture);
    gtk_widget_class_bind_template_child(widget, BscWindow, lists);
    gtk_widget_class_bind_template_child(widget, BscWindow, detail);
    gtk_widget_class_bind_template_child(widget, BscWindow, journal);
    gtk_widget_class_bind_template_child(widget, BscWindow, plot);
    gtk_widget_class_bind_template_child(widget, BscWindow, plot_service);
    gtk_widget_class_bind_template_child(widget, BscWindow, connections);
    gtk_widget_class_bind_template_child(widget, BscWindow, takeovers);
    gtk_widget_class_bind_template_child(widget, BscWindow, recording);
    gtk_widget_class_bind_template_child_full(
        widget, "player", FALSE, G_STRUCT_OFFSET(BscWindow, player_bar));
    gtk_widget_class_bind_template_callback(widget, acknowledge_cb);
    gtk_widget_class_bind_template_callback(widget, save_journal_cb);
    gtk_widget_class_bind_template_callback(widget, plot_service_cb);
    gtk_widget_class_bind_template_callback(widget, page_cb);
    gtk_widget_class_bind_template_callback(widget, moved_cb);
    gtk_widget_class_bind_template_callback(widget, passed_cb);
    gtk_widget_class_bind_template_callback(widget, chosen_cb);
    gtk_widget_class_bind_template_callback(widget, order_cb);
    gtk_widget_class_bind_template_callback(widget, info_cb);
}

static void
bsc_window_init(BscWindow *self)
{
    self->view = g_new0(struct view, 1);
    self->changes = g_new0(struct takeovers, 1);
    self->series_of = g_malloc0(VIEW_SERVICES * sizeof *self->series_of);
    gtk_widget_init_template(GTK_WIDGET(self));
    self->announcer = announcer_new(
        g_application_get_default(), GTK_WIDGET(self->status));
}

static gboolean
rest_cb(gpointer data)
{
    BscWindow *self = data;

    self->rest = 0;
    source_go_on(self->source);
    return G_SOURCE_REMOVE;
}

GtkWidget *
bsc_window_new(GtkApplication *app, struct source *source)
{
    BscWindow *self = g_object_new(BSC_TYPE_WINDOW, "application", app, NULL);

    self->source = source;
    source_listen(source, notify_cb, self);
    show_cb(self);
    /* at a priority below that of drawing, which may need longer */
    self->rest = g_timeout_add_full(G_PRIORITY_LOW, REST_MS, rest_cb, self, NULL);
    window_actions(self);
    framelog_start(GTK_WIDGET(self));
    return GTK_WIDGET(self);
}
