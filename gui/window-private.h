/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * window-private.h - the main window, for bsc-window.c (what is shown) and
 * window-actions.c (what the operator does). */
#ifndef BSC_GUI_WINDOW_PRIVATE_H
#define BSC_GUI_WINDOW_PRIVATE_H

#include "gui/announce.h"
#include "gui/bsc-connections.h"
#include "gui/bsc-detail.h"
#include "gui/bsc-journal.h"
#include "gui/bsc-lists.h"
#include "gui/bsc-picture.h"
#include "gui/bsc-player.h"
#include "gui/bsc-plot.h"
#include "gui/bsc-takeovers.h"
#include "gui/bsc-window.h"
#include "gui/core/series.h"
#include "gui/record.h"

struct _BscWindow {
    GtkApplicationWindow parent;
    GtkHeaderBar *header;
    GtkStack *stack;
    GtkBox *status;
    GtkLabel *sign, *overall, *quorum, *nodes, *maintenance, *recording, *info_text;
    GtkLabel *fencing, *device;
    GtkInfoBar *info;
    GtkComboBoxText *plot_service;
    BscPicture *picture;
    BscLists *lists;
    BscDetail *detail;
    BscJournal *journal;
    BscPlot *plot;
    BscConnections *connections;
    BscTakeovers *takeovers;
    BscPlayer *player_bar;
    struct source *source; /* owned, like all below */
    struct view *view;
    struct takeovers *changes;
    struct series *series[VIEW_SERVICES]; /* NULL: nothing measured */
    char (*series_of)[VIEW_NAME];
    struct announcer *announcer;
    struct recorder *recorder;                /* NULL: nothing is recorded */
    struct player *player;                    /* NULL: it is live */
    guint show;                               /* a timer; 0: nothing new */
    guint rest;                               /* a timer; 0: the rest was asked for */
    char node[VIEW_NAME], service[VIEW_NAME]; /* what is shown in detail */
    char said[256];   /* the last overall state told to screen readers */
    GtkWidget *order; /* the dialog that is open, or NULL */
    gboolean quiet;   /* the run jumped: a change is no news */
};

/* window_tell - a sentence in the bar below the status. */
void window_tell(BscWindow *self, GtkMessageType type, const char *words);

/* window_order - opens the dialog for @kind about what is chosen, or the cluster. */
void window_order(BscWindow *self, int kind, gboolean cluster);

/* window_forget - all that was measured. */
void window_forget(BscWindow *self);

/* window_actions - adds the actions of the menu and the keyboard. */
void window_actions(BscWindow *self);

#endif
