/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - bascule-console: the command line, the application. */
#include "gui/bsc-window.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <stdlib.h>

static struct {
    char **nodes;
    char *user, *version, *auth_protocol, *record, *play;
    gboolean show_version, dark;
} options;

/* A near agent has told what the picture needs by then; nobody waits longer for one
 * that is not, since the toolkit wants its time, too. */
#define EARLY_MS 60

static struct source *source; /* the window's, once there is one */

static const GOptionEntry entries[] = {
    { "user", 'u', 0, G_OPTION_ARG_STRING, &options.user, N_("SNMPv3 user"),
        N_("NAME") },
    { "auth-protocol", 'a', 0, G_OPTION_ARG_STRING, &options.auth_protocol,
        N_("SHA, SHA-256 (default) or SHA-512"), N_("PROTOCOL") },
    { "snmp", 0, 0, G_OPTION_ARG_STRING, &options.version,
        N_("SNMP version: 3 (default with a user) or 2c"), N_("VERSION") },
    { "record", 0, 0, G_OPTION_ARG_FILENAME, &options.record, N_("Record what is read"),
        N_("FILE") },
    { "play", 0, 0, G_OPTION_ARG_FILENAME, &options.play, N_("Play a recorded run"),
        N_("FILE") },
    { "dark", 0, 0, G_OPTION_ARG_NONE, &options.dark, N_("Light on dark"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options.show_version,
        N_("Print the version"), NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.nodes, NULL,
        N_("[NODE...]") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
};

/* Secrets come by the environment, never by the command line, which everybody sees. */
static struct asker_user *
user_of_options(void)
{
    struct asker_user u = { .version = 2 };
    const char *auth = g_getenv("BASCULE_AUTH_SECRET"),
               *priv = g_getenv("BASCULE_PRIV_SECRET");
    const char *community = g_getenv("BASCULE_COMMUNITY");

    if (options.user && g_strcmp0(options.version, "2c")) {
        u.version = 3;
        u.name = options.user;
        u.auth = (char *)(auth ? auth : "");
        u.priv = (char *)(priv ? priv : u.auth);
        u.auth_protocol = options.auth_protocol;
    } else {
        u.community = (char *)(community ? community : "public");
    }
    return asker_user_copy(&u);
}

/* Before the toolkit begins its work, so that the first picture drawn shows something.
 * Whom to ask with a pass phrase that is not known yet comes later. */
static void
connect_early(void)
{
    struct asker_user *user = user_of_options();

    source = source_new();
    if (!options.play && options.nodes && (user->version == 2 || user->auth[0])) {
        source_connect(source, (const char *const *)options.nodes, user);
        source_await(source, EARLY_MS);
    } else {
        asker_user_free(user);
    }
}

static void
begin(BscWindow *window)
{
    const char *const *nodes = (const char *const *)options.nodes;
    struct asker_user *user = user_of_options();

    if (options.play)
        bsc_window_play(window, options.play);
    gtk_window_present(GTK_WINDOW(window));
    if (!options.play && nodes && user->version == 3 && !user->auth[0])
        bsc_window_ask(window, nodes, g_steal_pointer(&user));
    else if (!options.play && !nodes)
        g_action_group_activate_action(G_ACTION_GROUP(window), "connect", NULL);
    g_clear_pointer(&user, asker_user_free);
}

static void
activate_cb(GApplication *app, gpointer data)
{
    g_autoptr(GtkCssProvider) css = gtk_css_provider_new();
    GtkWidget *window;

    (void)data;
    gtk_css_provider_load_from_resource(css, "/org/bascule/Console/console.css");
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(),
        GTK_STYLE_PROVIDER(css), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
    window = bsc_window_new(GTK_APPLICATION(app), g_steal_pointer(&source));
    if (options.dark)
        g_action_group_change_action_state(
            G_ACTION_GROUP(window), "dark", g_variant_new_boolean(TRUE));
    if (options.record)
        bsc_window_record(BSC_WINDOW(window), options.record);
    begin(BSC_WINDOW(window));
}

static int
options_cb(GApplication *app, GVariantDict *dict, gpointer data)
{
    (void)app;
    (void)dict;
    (void)data;
    if (options.show_version) {
        g_print("bascule-console %s\n", VERSION);
        return 0;
    }
    connect_early();
    return -1;
}

int
main(int argc, char **argv)
{
    g_autoptr(GtkApplication) app = NULL;
    const char *locale = g_getenv("BASCULE_LOCALEDIR");

    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, locale ? locale : BSC_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    g_setenv("GDK_GL", "disable", FALSE); /* nothing here is drawn by OpenGL, and to
                                           * ask the X server for it takes 0.1 s */
    asker_begin();
    g_set_application_name(_("Bascule console"));
    app = gtk_application_new("org.bascule.Console", G_APPLICATION_NON_UNIQUE);
    g_application_add_main_option_entries(G_APPLICATION(app), entries);
    g_signal_connect(app, "handle-local-options", G_CALLBACK(options_cb), NULL);
    g_signal_connect(app, "activate", G_CALLBACK(activate_cb), NULL);
    return g_application_run(G_APPLICATION(app), argc, argv);
}
