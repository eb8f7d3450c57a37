/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-connect-dialog.h - which cluster, and as whom.
 *
 * The response is GTK_RESPONSE_OK when the operator wants to connect. */
#ifndef BSC_GUI_BSC_CONNECT_DIALOG_H
#define BSC_GUI_BSC_CONNECT_DIALOG_H

#include "gui/asker.h"

#include <gtk/gtk.h>

#define BSC_TYPE_CONNECT_DIALOG (bsc_connect_dialog_get_type())
G_DECLARE_FINAL_TYPE(
    BscConnectDialog, bsc_connect_dialog, BSC, CONNECT_DIALOG, GtkDialog)

GtkWidget *bsc_connect_dialog_new(GtkWindow *parent);

/* bsc_connect_dialog_fill - with what is known; the pass phrase is left to enter. */
void bsc_connect_dialog_fill(
    BscConnectDialog *self, const char *const *nodes, const struct asker_user *user);

/* What was entered; both are the caller's. */
char **bsc_connect_dialog_nodes(BscConnectDialog *self);
struct asker_user *bsc_connect_dialog_user(BscConnectDialog *self);

/* bsc_connect_dialog_remember - if the operator wants it: the cluster in the settings,
 * its secrets with the secret service.  @told gets a sentence when it is done. */
void bsc_connect_dialog_remember(
    BscConnectDialog *self, void (*told)(const char *words, void *arg), void *arg);

#endif
