/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-window.h"

#include "gui/bsc-detail.h"
#include "gui/bsc-journal.h"
#include "gui/bsc-lists.h"
#include "gui/bsc-order-dialog.h"
#include "gui/bsc-picture.h"
#include "gui/palette.h"
#include "gui/words.h"

#include <string.h>

#define SHOW_MS 30 /* what comes within this time is shown together */

struct _BscWindow {
    GtkApplicationWindow parent;
    GtkHeaderBar *header;
    GtkStack *stack;
    GtkBox *status;
    GtkLabel *sign, *overall, *quorum, *nodes, *maintenance, *asked;
    GtkInfoBar *info;
    GtkLabel *info_text;
    BscPicture *picture;
    BscLists *lists;
    BscDetail *detail;
    BscJournal *journal;
    struct source *source;                    /* owned */
    struct view *view;                        /* owned */
    guint show;                               /* a timer; 0: nothing new */
    char node[VIEW_NAME], service[VIEW_NAME]; /* what is shown in detail */
    char said[256];   /* the last overall state told to screen readers */
    GtkWidget *order; /* the dialog that is open, or NULL */
};

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
    gtk_header_bar_set_title(self->header, v->cluster[0] ? v->cluster : _("Bascule"));
    asked = v->connected ? g_strdup_printf(_("as %s sees it (%s)"),
                               v->asked_name[0] ? v->asked_name : v->asked, v->asked)
                         : g_strdup(v->why[0] ? _(v->why) : _("nobody is asked"));
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
    bsc_detail_show(self->detail, self->view, m, node, service, orders);
}

static gboolean
show_cb(gpointer data)
{
    BscWindow *self = data;
    struct model *m = source_model(self->source);

    self->show = 0;
    view_make(self->view, m);
    show_status(self);
    bsc_picture_show(self->picture, self->view);
    bsc_lists_show(self->lists, self->view, m);
    bsc_journal_show(self->journal, m);
    show_detail(self);
    if (self->order)
        bsc_order_dialog_show(BSC_ORDER_DIALOG(self->order), self->view);
    return G_SOURCE_REMOVE;
}

static void
tell(BscWindow *self, GtkMessageType type, const char *words)
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
        tell(self, GTK_MESSAGE_WARNING, words);
    } else if (event == SOURCE_LOST) {
        tell(self, GTK_MESSAGE_ERROR,
            _("No node answers. What is shown is what was known last; all are tried "
              "again."));
    } else if (event == SOURCE_SWITCHED) {
        gtk_info_bar_set_revealed(self->info, FALSE);
    }
    if (!self->show)
        self->show = g_timeout_add(SHOW_MS, show_cb, self);
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

static void
order_cb(GtkWidget *widget, int kind, gpointer data)
{
    BscWindow *self = data;
    int service = view_find_service(self->view, self->service);
    int node = service >= 0 ? -1 : view_find_node(self->view, self->node);

    (void)widget;
    if (self->order)
        gtk_widget_destroy(self->order);
    self->order = bsc_order_dialog_new(
        GTK_WINDOW(self), self->source, self->view, kind, node, service);
    g_signal_connect(
        self->order, "destroy", G_CALLBACK(gtk_widget_destroyed), &self->order);
    gtk_widget_show(self->order);
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
    source_connect(self->source, addresses, user);
}

static void
bsc_window_finalize(GObject *object)
{
    BscWindow *self = BSC_WINDOW(object);

    if (self->show)
        g_source_remove(self->show);
    source_free(self->source);
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
    gtk_widget_class_bind_template_child(widget, BscWindow, maintenance);
    gtk_widget_class_bind_template_child(widget, BscWindow, info);
    gtk_widget_class_bind_template_child(widget, BscWindow, info_text);
    gtk_widget_class_bind_template_child(widget, BscWindow, picture);
    gtk_widget_class_bind_template_child(widget, BscWindow, lists);
    gtk_widget_class_bind_template_child(widget, BscWindow, detail);
    gtk_widget_class_bind_template_child(widget, BscWindow, journal);
    gtk_widget_class_bind_template_callback(widget, chosen_cb);
    gtk_widget_class_bind_template_callback(widget, order_cb);
    gtk_widget_class_bind_template_callback(widget, info_cb);
}

static void
bsc_window_init(BscWindow *self)
{
    self->view = g_new0(struct view, 1);
    gtk_widget_init_template(GTK_WIDGET(self));
    self->source = source_new(notify_cb, self);
    show_cb(self);
}

GtkWidget *
bsc_window_new(GtkApplication *app)
{
    return g_object_new(BSC_TYPE_WINDOW, "application", app, NULL);
}
