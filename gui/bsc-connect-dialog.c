/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-connect-dialog.h"

#include "gui/settings.h"
#include "gui/source.h"

#include <glib/gi18n.h>
#include <string.h>

struct _BscConnectDialog {
    GtkDialog parent;
    GtkComboBoxText *saved, *version, *auth_protocol;
    GtkWidget *forget, *connect, *v3, *v2, *saved_box;
    GtkEntry *name, *nodes, *user, *auth, *priv, *community;
    GtkToggleButton *remember;
    GtkLabel *trouble;
};

G_DEFINE_TYPE(BscConnectDialog, bsc_connect_dialog, GTK_TYPE_DIALOG)

static const char *
text(GtkEntry *entry)
{
    return gtk_entry_get_text(entry);
}

static gboolean
is_v3(BscConnectDialog *self)
{
    return g_strcmp0(gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->version)), "2c") !=
           0;
}

/* What is missing, or NULL. */
static const char *
trouble(BscConnectDialog *self)
{
    g_auto(GStrv) nodes = bsc_connect_dialog_nodes(self);

    if (!nodes[0])
        return _("Enter the address of at least one node.");
    if (is_v3(self) && !text(self->user)[0])
        return _("Enter the SNMPv3 user.");
    if (is_v3(self) && strlen(text(self->auth)) < 8)
        return _("Pass phrases have 8 characters or more.");
    if (is_v3(self) && text(self->priv)[0] && strlen(text(self->priv)) < 8)
        return _("Pass phrases have 8 characters or more.");
    if (!is_v3(self) && !text(self->community)[0])
        return _("Enter the community.");
    return NULL;
}

static void
changed_cb(GtkWidget *widget, gpointer data)
{
    BscConnectDialog *self = data;
    const char *why = trouble(self);

    (void)widget;
    gtk_widget_set_visible(self->v3, is_v3(self));
    gtk_widget_set_visible(self->v2, !is_v3(self));
    gtk_label_set_text(self->trouble, why ? why : "");
    gtk_widget_set_sensitive(self->connect, why == NULL);
}

static void
loaded_cb(char *const secrets[N_SECRETS], void *arg)
{
    BscConnectDialog *self = arg;

    if (gtk_widget_get_visible(GTK_WIDGET(self))) {
        gtk_entry_set_text(
            self->auth, secrets[SECRET_AUTH] ? secrets[SECRET_AUTH] : "");
        gtk_entry_set_text(
            self->priv, secrets[SECRET_PRIV] ? secrets[SECRET_PRIV] : "");
        if (secrets[SECRET_COMMUNITY] && secrets[SECRET_COMMUNITY][0])
            gtk_entry_set_text(self->community, secrets[SECRET_COMMUNITY]);
    }
    g_object_unref(self);
}

static void
saved_cb(GtkComboBox *combo, gpointer data)
{
    BscConnectDialog *self = data;
    const char *id = gtk_combo_box_get_active_id(combo);
    struct saved_cluster *c = id && id[0] ? settings_load(id) : NULL;

    gtk_widget_set_sensitive(self->forget, c != NULL);
    if (!c)
        return;
    gtk_entry_set_text(self->name, c->name);
    gtk_entry_set_text(self->nodes, c->nodes ? c->nodes : "");
    gtk_entry_set_text(self->user, c->user ? c->user : "");
    gtk_combo_box_set_active_id(
        GTK_COMBO_BOX(self->version), c->version == 2 ? "2c" : "3");
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(self->auth_protocol), c->auth_protocol);
    gtk_toggle_button_set_active(self->remember, TRUE);
    secrets_load(c->name, loaded_cb, g_object_ref(self));
    saved_cluster_free(c);
}

static void
forget_cb(GtkButton *button, gpointer data)
{
    BscConnectDialog *self = data;
    int at = gtk_combo_box_get_active(GTK_COMBO_BOX(self->saved));
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->saved));

    (void)button;
    if (!id || !id[0])
        return;
    settings_forget(id);
    secrets_forget(id);
    gtk_combo_box_text_remove(self->saved, at);
    gtk_combo_box_set_active(GTK_COMBO_BOX(self->saved), 0);
}

char **
bsc_connect_dialog_nodes(BscConnectDialog *self)
{
    g_auto(GStrv) parts = g_strsplit_set(text(self->nodes), " ,;\t\n", -1);
    GPtrArray *nodes = g_ptr_array_new();

    for (int i = 0; parts[i]; i++)
        if (parts[i][0])
            g_ptr_array_add(nodes, g_strdup(parts[i]));
    g_ptr_array_add(nodes, NULL);
    return (char **)g_ptr_array_free(nodes, FALSE);
}

struct asker_user *
bsc_connect_dialog_user(BscConnectDialog *self)
{
    const char *priv = text(self->priv)[0] ? text(self->priv) : text(self->auth);
    struct asker_user u = { .version = is_v3(self) ? 3 : 2,
        .community = (char *)text(self->community),
        .name = (char *)text(self->user),
        .auth = (char *)text(self->auth),
        .priv = (char *)priv,
        .auth_protocol = (char *)gtk_combo_box_get_active_id(
            GTK_COMBO_BOX(self->auth_protocol)) };

    return asker_user_copy(&u);
}

struct telling {
    void (*told)(const char *words, void *arg);
    void *arg;
};

static void
remembered_cb(const char *why, void *arg)
{
    struct telling *t = arg;
    g_autofree char *words =
        why ? g_strdup_printf(
                  _("The cluster is remembered, its secrets are not: %s"), why)
            : NULL;

    if (words)
        t->told(words, t->arg);
    g_free(t);
}

void
bsc_connect_dialog_remember(
    BscConnectDialog *self, void (*told)(const char *words, void *arg), void *arg)
{
    const char *nodes = text(self->nodes);
    struct saved_cluster c = { .name = (char *)(text(self->name)[0] ? text(self->name)
                                                                    : nodes),
        .nodes = (char *)nodes,
        .user = (char *)text(self->user),
        .auth_protocol = (char *)gtk_combo_box_get_active_id(
            GTK_COMBO_BOX(self->auth_protocol)),
        .version = is_v3(self) ? 3 : 2 };
    const char *secrets[N_SECRETS] = { text(self->auth), text(self->priv),
        is_v3(self) ? "" : text(self->community) };
    g_autoptr(GError) error = NULL;
    g_autofree char *clean = g_strdup(c.name);
    struct telling *t;

    if (!gtk_toggle_button_get_active(self->remember))
        return;
    c.name = g_strdelimit(clean, "[]\n", ' '); /* a group of a key file */
    if (!settings_save(&c, &error)) {
        told(error->message, arg);
        return;
    }
    t = g_new0(struct telling, 1);
    *t = (struct telling){ told, arg };
    secrets_save(c.name, secrets, remembered_cb, t);
}

void
bsc_connect_dialog_fill(
    BscConnectDialog *self, const char *const *nodes, const struct asker_user *user)
{
    g_autofree char *all = g_strjoinv(" ", (char **)nodes);

    gtk_combo_box_set_active(GTK_COMBO_BOX(self->saved), 0);
    gtk_entry_set_text(self->nodes, all);
    gtk_combo_box_set_active_id(
        GTK_COMBO_BOX(self->version), user->version == 2 ? "2c" : "3");
    gtk_entry_set_text(self->user, user->name ? user->name : "");
    if (user->auth_protocol)
        gtk_combo_box_set_active_id(
            GTK_COMBO_BOX(self->auth_protocol), user->auth_protocol);
    gtk_widget_grab_focus(GTK_WIDGET(self->auth));
}

GtkWidget *
bsc_connect_dialog_new(GtkWindow *parent)
{
    BscConnectDialog *self = g_object_new(
        BSC_TYPE_CONNECT_DIALOG, "use-header-bar", 0, NULL);
    g_auto(GStrv) names = settings_names();

    if (parent)
        gtk_window_set_transient_for(GTK_WINDOW(self), parent);
    gtk_combo_box_text_append(self->saved, "", _("A cluster that is not remembered"));
    for (int i = 0; names[i]; i++)
        gtk_combo_box_text_append(self->saved, names[i], names[i]);
    gtk_widget_set_visible(self->saved_box, names[0] != NULL);
    gtk_combo_box_set_active(GTK_COMBO_BOX(self->saved), names[0] ? 1 : 0);
    if (!secrets_possible())
        gtk_widget_set_tooltip_text(
            GTK_WIDGET(self->remember), _("Secrets are not remembered: no libsecret"));
    gtk_dialog_set_default_response(GTK_DIALOG(self), GTK_RESPONSE_OK);
    changed_cb(NULL, self);
    gtk_widget_grab_focus(
        GTK_WIDGET(names[0] ? (GtkWidget *)self->saved : (GtkWidget *)self->nodes));
    return GTK_WIDGET(self);
}

static void
bsc_connect_dialog_class_init(BscConnectDialogClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-connect-dialog.ui");
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, saved);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, version);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, auth_protocol);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, forget);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, connect);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, v3);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, v2);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, saved_box);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, name);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, nodes);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, user);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, auth);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, priv);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, community);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, remember);
    gtk_widget_class_bind_template_child(widget, BscConnectDialog, trouble);
    gtk_widget_class_bind_template_callback(widget, changed_cb);
    gtk_widget_class_bind_template_callback(widget, saved_cb);
    gtk_widget_class_bind_template_callback(widget, forget_cb);
}

static void
bsc_connect_dialog_init(BscConnectDialog *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
}
