/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.h - runs the standard fence agents that switch a node off.
 *
 * An agent reads NAME=VALUE lines from its standard input and ends with 0 when the node
 * is off.  Each runs in a process group of its own, which is killed when its time is
 * over. Source: the FenceAgentAPI document of ClusterLabs; doc/design/fencing.md. */
#ifndef BSC_FENCE_H
#define BSC_FENCE_H

#include "lib/conf.h"
#include "lib/loop.h"

struct fence;

/* @conf is borrowed.  @ended: node @id is off, or what the last agent said. */
struct fence *fence_new(struct loop *loop, const struct conf *conf,
    void (*ended)(unsigned id, bool off, const char *text, void *arg), void *arg);
void fence_free(struct fence *f); /* agents that run are killed; NULL is legal */

/* fence_start - try the fences of node @id, level by level.  @ended follows, later. */
void fence_start(struct fence *f, unsigned id);

#endif
