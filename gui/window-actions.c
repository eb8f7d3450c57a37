/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * window-actions.c - what the menu and the keyboard do. */
#include "gui/bsc-connect-dialog.h"
#include "gui/window-private.h"

#include <glib/gi18n.h>

/* ---- connecting ---- */

static void
told_cb(const char *words, void *arg)
{
    if (gtk_widget_get_visible(GTK_WIDGET(arg)))
        window_tell(BSC_WINDOW(arg), GTK_MESSAGE_INFO, words);
}

static void
connect_response_cb(GtkDialog *dialog, int response, gpointer data)
{
    BscConnectDialog *d = BSC_CONNECT_DIALOG(dialog);
    BscWindow *self = data;

    if (response == GTK_RESPONSE_OK) {
        g_auto(GStrv) nodes = bsc_connect_dialog_nodes(d);

        bsc_window_connect(
            self, (const char *const *)nodes, bsc_connect_dialog_user(d));
        bsc_connect_dialog_remember(d, told_cb, self);
    }
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

static BscConnectDialog *
ask_connect(BscWindow *self)
{
    GtkWidget *dialog = bsc_connect_dialog_new(GTK_WINDOW(self));

    g_signal_connect(dialog, "response", G_CALLBACK(connect_response_cb), self);
    gtk_widget_show(dialog);
    return BSC_CONNECT_DIALOG(dialog);
}

static void
connect_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    ask_connect(data);
}

void
bsc_window_ask(BscWindow *self, const char *const *addresses, struct asker_user *user)
{
    bsc_connect_dialog_fill(ask_connect(self), addresses, user);
    asker_user_free(user);
}

/* ---- files ---- */

struct choice {
    BscWindow *window;
    void (*chosen)(BscWindow *self, const char *path);
};

static void
file_response_cb(GtkDialog *dialog, int response, gpointer data)
{
    struct choice *c = data;
    g_autofree char *path = response == GTK_RESPONSE_ACCEPT
                                ? gtk_file_chooser_get_filename(
                                      GTK_FILE_CHOOSER(dialog))
                                : NULL;

    gtk_widget_destroy(GTK_WIDGET(dialog));
    if (path)
        c->chosen(c->window, path);
    g_free(c);
}

static void
ask_file(BscWindow *self, const char *title, gboolean save, const char *name,
    void (*chosen)(BscWindow *self, const char *path))
{
    struct choice *c = g_new0(struct choice, 1);
    GtkWidget *d = gtk_file_chooser_dialog_new(title, GTK_WINDOW(self),
        save ? GTK_FILE_CHOOSER_ACTION_SAVE : GTK_FILE_CHOOSER_ACTION_OPEN,
        _("_Cancel"), GTK_RESPONSE_CANCEL, save ? _("_Save") : _("_Open"),
        GTK_RESPONSE_ACCEPT, NULL);

    c->window = self;
    c->chosen = chosen;
    gtk_file_chooser_set_do_overwrite_confirmation(GTK_FILE_CHOOSER(d), TRUE);
    if (save)
        gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(d), name);
    gtk_dialog_set_default_response(GTK_DIALOG(d), GTK_RESPONSE_ACCEPT);
    g_signal_connect(d, "response", G_CALLBACK(file_response_cb), c);
    gtk_window_set_modal(GTK_WINDOW(d), TRUE);
    gtk_widget_show(d);
}

static void
tell_saved(BscWindow *self, const char *path, const GError *error)
{
    g_autofree char *words = error ? g_strdup(error->message)
                                   : g_strdup_printf(_("Saved as %s"), path);

    window_tell(self, error ? GTK_MESSAGE_ERROR : GTK_MESSAGE_INFO, words);
}

static void
picture_chosen(BscWindow *self, const char *path)
{
    g_autoptr(GError) error = NULL;

    bsc_picture_save(self->picture, path, &error);
    tell_saved(self, path, error);
}

static void
journal_chosen(BscWindow *self, const char *path)
{
    g_autoptr(GError) error = NULL;

    bsc_journal_save(self->journal, path, &error);
    tell_saved(self, path, error);
}

void
bsc_window_record(BscWindow *self, const char *path)
{
    g_autoptr(GError) error = NULL;

    recorder_close(self->recorder);
    self->recorder = recorder_open(path, self->source, &error);
    gtk_widget_set_visible(GTK_WIDGET(self->recording), self->recorder != NULL);
    if (error)
        window_tell(self, GTK_MESSAGE_ERROR, error->message);
}

void
bsc_window_play(BscWindow *self, const char *path)
{
    g_autoptr(GError) error = NULL;
    struct player *player;

    player = player_open(path, self->source, &error);
    if (!player) {
        window_tell(self, GTK_MESSAGE_ERROR, error->message);
        return;
    }
    window_forget(self);
    bsc_player_show(self->player_bar, NULL);
    player_close(self->player);
    self->player = player;
    gtk_widget_show(GTK_WIDGET(self->player_bar));
    bsc_player_show(self->player_bar, player);
}

static void
save_picture_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    ask_file(data, _("Save the picture as PNG, SVG or PDF"), TRUE, "cluster.png",
        picture_chosen);
}

static void
save_journal_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    ask_file(data, _("Save the journal as CSV or JSON"), TRUE, "journal.csv",
        journal_chosen);
}

static void
record_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    BscWindow *self = data;

    (void)action;
    (void)parameter;
    if (self->recorder) {
        recorder_close(self->recorder);
        self->recorder = NULL;
        gtk_widget_hide(GTK_WIDGET(self->recording));
        window_tell(self, GTK_MESSAGE_INFO, _("The recording has ended."));
        return;
    }
    ask_file(self, _("Record what is read"), TRUE, "run.bascule", bsc_window_record);
}

static void
play_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    ask_file(data, _("Play a recorded run"), FALSE, NULL, bsc_window_play);
}

/* ---- the rest ---- */

static void
dark_cb(GSimpleAction *action, GVariant *state, gpointer data)
{
    GtkSettings *settings = gtk_widget_get_settings(GTK_WIDGET(data));

    g_object_set(settings, "gtk-application-prefer-dark-theme",
        g_variant_get_boolean(state), NULL);
    g_simple_action_set_state(action, state);
}

static void
order_action_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    const char *name = g_action_get_name(G_ACTION(action));
    BscWindow *self = data;

    (void)parameter;
    if (g_str_equal(name, "maintenance"))
        window_order(self, ORDER_MAINTENANCE, TRUE);
    else if (self->service[0])
        window_order(self, ORDER_SWITCHOVER, FALSE);
}

static void
page_action_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    static const char *const pages[] = { "overview", "plots", "connections",
        "takeovers", "journal" };
    int n = g_variant_get_int32(parameter);

    (void)action;
    if (n >= 0 && n < (int)G_N_ELEMENTS(pages))
        gtk_stack_set_visible_child_name(BSC_WINDOW(data)->stack, pages[n]);
}

static void
search_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    BscWindow *self = data;

    (void)action;
    (void)parameter;
    gtk_stack_set_visible_child_name(self->stack, "journal");
    bsc_journal_search(self->journal);
}

static void
message(BscWindow *self, const char *title, const char *words)
{
    GtkWidget *d = gtk_message_dialog_new(GTK_WINDOW(self), GTK_DIALOG_MODAL,
        GTK_MESSAGE_INFO, GTK_BUTTONS_CLOSE, "%s", title);

    gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(d), "%s", words);
    g_signal_connect(d, "response", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show(d);
}

static void
keyboard_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    message(data, _("Keyboard"),
        _("Alt+1 \u2026 Alt+5\tpages\n"
          "Ctrl+O\tconnect\n"
          "Ctrl+M\tmove the chosen service\n"
          "Ctrl+F\tsearch the journal\n"
          "Ctrl+E\tsave the picture\n"
          "Ctrl+D\tdark\n"
          "F10\tmenu\n"
          "Ctrl+Q\tquit\n\n"
          "In the picture: arrows go from thing to thing, Enter chooses.\n"
          "In plots: + and \u2212 zoom, arrows move, comma and full stop move the "
          "cursor."));
}

static void
about_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    gtk_show_about_dialog(GTK_WINDOW(data), "program-name", _("Bascule console"),
        "version", VERSION, "comments",
        _("Watches a Bascule cluster and gives it orders, by SNMP."), "license-type",
        GTK_LICENSE_GPL_2_0, "logo-icon-name", "org.bascule.Console", NULL);
}

static void
quit_cb(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    (void)action;
    (void)parameter;
    gtk_window_close(GTK_WINDOW(data));
}

static void
set_keys(BscWindow *self)
{
    static const char *const keys[][2] = { { "win.connect", "<Primary>o" },
        { "win.move", "<Primary>m" }, { "win.search", "<Primary>f" },
        { "win.save-picture", "<Primary>e" }, { "win.dark", "<Primary>d" },
        { "win.keyboard", "F1" }, { "win.quit", "<Primary>q" },
        { "win.page(0)", "<Alt>1" }, { "win.page(1)", "<Alt>2" },
        { "win.page(2)", "<Alt>3" }, { "win.page(3)", "<Alt>4" },
        { "win.page(4)", "<Alt>5" } };
    GtkApplication *app = gtk_window_get_application(GTK_WINDOW(self));

    for (size_t i = 0; app && i < G_N_ELEMENTS(keys); i++)
        gtk_application_set_accels_for_action(
            app, keys[i][0], (const char *[]){ keys[i][1], NULL });
}

void
window_actions(BscWindow *self)
{
    static const GActionEntry actions[] = { { .name = "connect",
                                                .activate = connect_cb },
        { .name = "save-picture", .activate = save_picture_cb },
        { .name = "save-journal", .activate = save_journal_cb },
        { .name = "record", .activate = record_cb },
        { .name = "play", .activate = play_cb },
        { .name = "maintenance", .activate = order_action_cb },
        { .name = "move", .activate = order_action_cb },
        { .name = "search", .activate = search_cb },
        { .name = "keyboard", .activate = keyboard_cb },
        { .name = "about", .activate = about_cb },
        { .name = "quit", .activate = quit_cb },
        { .name = "page", .activate = page_action_cb, .parameter_type = "i" },
        { .name = "dark", .state = "false", .change_state = dark_cb } };

    g_action_map_add_action_entries(
        G_ACTION_MAP(self), actions, G_N_ELEMENTS(actions), self);
    set_keys(self);
}
