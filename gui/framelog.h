/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * framelog.h - how long frames take, for the bench. */
#ifndef BSC_GUI_FRAMELOG_H
#define BSC_GUI_FRAMELOG_H

#include <gtk/gtk.h>

/* framelog_start - if BASCULE_FRAME_LOG names a file: a line "frame US" for each frame
 * of
 * @window, "gap US" for each time the main loop did not come round for 20 ms, and
 * "first US" since the process began, at the first frame with a node in it. */
void framelog_start(GtkWidget *window);

/* framelog_useful - the first useful picture is about to be drawn. */
void framelog_useful(void);

#endif
