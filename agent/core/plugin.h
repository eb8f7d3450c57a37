/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugin.h - what a program with the interface of the monitoring plugins said.
 *
 * Exit status 0 to 3; a first line "TEXT | DATA", then longer text, in which another
 * '|' begins more data.  A datum is 'LABEL'=VALUE[UNIT];[WARN];[CRIT];[MIN];[MAX].
 * Whatever a program prints is taken: what cannot be read is left out.  Pure.
 * Source: Monitoring Plugins Development Guidelines, section 2 */
#ifndef BSC_AGENT_PLUGIN_H
#define BSC_AGENT_PLUGIN_H

#include "agent/core/snapshot.h"

#define PLUGIN_DATA 16 /* of one result; more are left out */

enum plugin_state { PLUGIN_UNKNOWN, PLUGIN_OK, PLUGIN_WARNING, PLUGIN_CRITICAL };

struct plugin_datum {
    char label[SNAP_WORD], value[SNAP_WORD], unit[SNAP_WORD];
    char warning[SNAP_WORD], critical[SNAP_WORD];
    char minimum[SNAP_WORD], maximum[SNAP_WORD];
};

struct plugin_result {
    enum plugin_state state;
    char output[SNAP_TEXT]; /* the first line, without the data */
    struct plugin_datum data[PLUGIN_DATA];
    unsigned ndata;
};

/* plugin_read - @status: its exit status, -1: it was killed; @text: @size bytes of
 * output, anything. */
void plugin_read(int status, const char *text, size_t size, struct plugin_result *out);

/* plugin_health - the verdict that goes with a state. */
enum health plugin_health(enum plugin_state state);

#endif
