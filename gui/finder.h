/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * finder.h - finds an agent: resolves its name, and asks its SNMPv3 engine who it is.
 *
 * By GIO and core/probe.c, since net-snmp does both synchronously.  Nothing blocks. */
#ifndef BSC_GUI_FINDER_H
#define BSC_GUI_FINDER_H

#include "gui/asker.h"
#include "gui/core/probe.h"

struct finder;

struct found {
    char peer[96]; /* as net-snmp names a transport: udp:ADDRESS:PORT */
    uint8_t engine[PROBE_ENGINE];
    size_t engine_size; /* 0: nobody was asked */
};

/* @result  ASKER_ANSWER: @found is there, borrowed; else @why, untranslated */
typedef void (*finder_done)(
    enum asker_result result, const char *why, const struct found *found, void *arg);

/* finder_start - find @address (host, host:port, [v6]:port).
 *
 * @engine  ask for the engine too
 * @done    called once, never before this has returned; stop the finder in it */
struct finder *finder_start(
    const char *address, bool engine, finder_done done, void *arg);

/* finder_stop - frees it; @done is not called any more. */
void finder_stop(struct finder *finder);

#endif
