/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/settings.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

static char *
file_name(void)
{
    return g_build_filename(g_get_user_config_dir(), "bascule", "console.conf", NULL);
}

static GKeyFile *
read_file(void)
{
    g_autofree char *name = file_name();
    GKeyFile *file = g_key_file_new();

    g_key_file_load_from_file(file, name, G_KEY_FILE_KEEP_COMMENTS, NULL);
    return file;
}

static gboolean
write_file(GKeyFile *file, GError **error)
{
    g_autofree char *name = file_name(), *dir = g_path_get_dirname(name), *text = NULL;
    gsize n;

    g_mkdir_with_parents(dir, 0700);
    text = g_key_file_to_data(file, &n, NULL);
    return g_file_set_contents_full(
        name, text, (gssize)n, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

char **
settings_names(void)
{
    g_autoptr(GKeyFile) file = read_file();

    return g_key_file_get_groups(file, NULL);
}

struct saved_cluster *
settings_load(const char *name)
{
    g_autoptr(GKeyFile) file = read_file();
    struct saved_cluster *c;

    if (!g_key_file_has_group(file, name))
        return NULL;
    c = g_new0(struct saved_cluster, 1);
    c->name = g_strdup(name);
    c->nodes = g_key_file_get_string(file, name, "nodes", NULL);
    c->user = g_key_file_get_string(file, name, "user", NULL);
    c->auth_protocol = g_key_file_get_string(file, name, "auth-protocol", NULL);
    c->version = g_key_file_get_integer(file, name, "snmp", NULL);
    return c;
}

gboolean
settings_save(const struct saved_cluster *c, GError **error)
{
    g_autoptr(GKeyFile) file = read_file();

    g_key_file_set_string(file, c->name, "nodes", c->nodes);
    g_key_file_set_string(file, c->name, "user", c->user ? c->user : "");
    g_key_file_set_string(file, c->name, "auth-protocol",
        c->auth_protocol ? c->auth_protocol : "SHA-256");
    g_key_file_set_integer(file, c->name, "snmp", c->version);
    return write_file(file, error);
}

void
settings_forget(const char *name)
{
    g_autoptr(GKeyFile) file = read_file();

    g_key_file_remove_group(file, name, NULL);
    write_file(file, NULL);
}

void
saved_cluster_free(struct saved_cluster *c)
{
    if (!c)
        return;
    g_free(c->name);
    g_free(c->nodes);
    g_free(c->user);
    g_free(c->auth_protocol);
    g_free(c);
}
