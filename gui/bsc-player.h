/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-player.h - the controls of a recorded run: play, pause, speed, a slider.
 *
 * Signals: "moved" (gboolean back): the model is that of another time, or of the
 * beginning before it goes on; "passed": of a time on the way there. */
#ifndef BSC_GUI_BSC_PLAYER_H
#define BSC_GUI_BSC_PLAYER_H

#include "gui/record.h"

#include <gtk/gtk.h>

#define BSC_TYPE_PLAYER (bsc_player_get_type())
G_DECLARE_FINAL_TYPE(BscPlayer, bsc_player, BSC, PLAYER, GtkBox)

/* bsc_player_show - controls @player (borrowed) from now on; NULL: none. */
void bsc_player_show(BscPlayer *self, struct player *player);

#endif
