/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-takeovers.h - each takeover and switchover as a bar with its phases. */
#ifndef BSC_GUI_BSC_TAKEOVERS_H
#define BSC_GUI_BSC_TAKEOVERS_H

#include "gui/core/takeovers.h"

#include <gtk/gtk.h>

#define BSC_TYPE_TAKEOVERS (bsc_takeovers_get_type())
G_DECLARE_FINAL_TYPE(BscTakeovers, bsc_takeovers, BSC, TAKEOVERS, GtkBox)

/* bsc_takeovers_show - what is in @takeovers, copied. */
void bsc_takeovers_show(BscTakeovers *self, const struct takeovers *takeovers);

#endif
