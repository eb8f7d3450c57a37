/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * secrets.c - secrets with the secret service of the desktop; the only file that knows
 * libsecret. */
#include "gui/settings.h"

#include <glib/gi18n.h>

#ifdef HAVE_LIBSECRET
#include <libsecret/secret.h>

static const char *const kinds[N_SECRETS] = { "auth", "priv", "community" };

static const SecretSchema schema = { .name = "org.bascule.Console",
    .flags = SECRET_SCHEMA_NONE,
    .attributes = { { "cluster", SECRET_SCHEMA_ATTRIBUTE_STRING },
        { "kind", SECRET_SCHEMA_ATTRIBUTE_STRING } } };

struct loading {
    char *cluster;
    char *secrets[N_SECRETS];
    int at;
    void (*done)(char *const secrets[N_SECRETS], void *arg);
    void *arg;
};

struct saving {
    int left;
    char *why;
    void (*done)(const char *why, void *arg);
    void *arg;
};

gboolean
secrets_possible(void)
{
    return TRUE;
}

static void load_next(struct loading *l);

static void
loaded_cb(GObject *object, GAsyncResult *result, gpointer data)
{
    struct loading *l = data;

    (void)object;
    l->secrets[l->at++] = secret_password_lookup_finish(result, NULL);
    load_next(l);
}

static void
load_next(struct loading *l)
{
    if (l->at < N_SECRETS) {
        secret_password_lookup(&schema, NULL, loaded_cb, l, "cluster", l->cluster,
            "kind", kinds[l->at], NULL);
        return;
    }
    l->done(l->secrets, l->arg);
    for (int i = 0; i < N_SECRETS; i++)
        secret_password_free(l->secrets[i]);
    g_free(l->cluster);
    g_free(l);
}

void
secrets_load(const char *cluster,
    void (*done)(char *const secrets[N_SECRETS], void *arg), void *arg)
{
    struct loading *l = g_new0(struct loading, 1);

    l->cluster = g_strdup(cluster);
    l->done = done;
    l->arg = arg;
    load_next(l);
}

static void
saved_cb(GObject *object, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    struct saving *s = data;

    (void)object;
    if (!secret_password_store_finish(result, &error) && !s->why)
        s->why = g_strdup(error->message);
    if (--s->left > 0)
        return;
    s->done(s->why, s->arg);
    g_free(s->why);
    g_free(s);
}

void
secrets_save(const char *cluster, const char *const secrets[N_SECRETS],
    void (*done)(const char *why, void *arg), void *arg)
{
    struct saving *s = g_new0(struct saving, 1);

    s->done = done;
    s->arg = arg;
    s->left = N_SECRETS;
    for (int i = 0; i < N_SECRETS; i++) {
        g_autofree char *label = g_strdup_printf(
            _("Bascule cluster %s: %s"), cluster, kinds[i]);

        secret_password_store(&schema, SECRET_COLLECTION_DEFAULT, label,
            secrets[i] ? secrets[i] : "", NULL, saved_cb, s, "cluster", cluster, "kind",
            kinds[i], NULL);
    }
}

void
secrets_forget(const char *cluster)
{
    secret_password_clear(&schema, NULL, NULL, NULL, "cluster", cluster, NULL);
}

#else

gboolean
secrets_possible(void)
{
    return FALSE;
}

void
secrets_load(const char *cluster,
    void (*done)(char *const secrets[N_SECRETS], void *arg), void *arg)
{
    char *const none[N_SECRETS] = { NULL };

    (void)cluster;
    done(none, arg);
}

void
secrets_save(const char *cluster, const char *const secrets[N_SECRETS],
    void (*done)(const char *why, void *arg), void *arg)
{
    (void)cluster;
    (void)secrets;
    done(_("this program was built without libsecret"), arg);
}

void
secrets_forget(const char *cluster)
{
    (void)cluster;
}

#endif
