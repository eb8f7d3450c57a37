/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-connections.h - the connections of a service, any number of them. */
#ifndef BSC_GUI_BSC_CONNECTIONS_H
#define BSC_GUI_BSC_CONNECTIONS_H

#include "gui/core/view.h"

#include <gtk/gtk.h>

#define BSC_TYPE_CONNECTIONS (bsc_connections_get_type())
G_DECLARE_FINAL_TYPE(BscConnections, bsc_connections, BSC, CONNECTIONS, GtkBox)

/* bsc_connections_show - those on the node whose table is @table (borrowed until the
 * next call; NULL: nobody is asked), of @service only unless it is empty. */
void bsc_connections_show(BscConnections *self, const struct table *table,
    const char *service, const char *node);

#endif
