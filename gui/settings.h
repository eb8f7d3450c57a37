/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.h - clusters that are remembered, in a file without secrets; secrets with
 * the secret service, where there is one. */
#ifndef BSC_GUI_SETTINGS_H
#define BSC_GUI_SETTINGS_H

#include "gui/asker.h"

struct saved_cluster {
    char *name, *nodes, *user, *auth_protocol; /* owned */
    int version;
};

/* settings_names - of the remembered clusters; g_strfreev(). */
char **settings_names(void);

/* settings_load - NULL: there is none of this name. */
struct saved_cluster *settings_load(const char *name);
gboolean settings_save(const struct saved_cluster *cluster, GError **error);
void settings_forget(const char *name);
void saved_cluster_free(struct saved_cluster *cluster);

enum { SECRET_AUTH, SECRET_PRIV, SECRET_COMMUNITY, N_SECRETS };

/* secrets_load - @done is called with what the secret service keeps for @cluster; all
 * NULL if it keeps nothing, or there is no such service. */
void secrets_load(const char *cluster,
    void (*done)(char *const secrets[N_SECRETS], void *arg), void *arg);

/* secrets_save - @done: NULL, or why they are not remembered. */
void secrets_save(const char *cluster, const char *const secrets[N_SECRETS],
    void (*done)(const char *why, void *arg), void *arg);
void secrets_forget(const char *cluster);

/* secrets_possible - whether this program was built with the means. */
gboolean secrets_possible(void);

#endif
