/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * story.h - what follows from rows that are in a snapshot already: the newest events,
 * the steps of the last change of each service, whether constraints are met.  Pure. */
#ifndef BSC_AGENT_STORY_H
#define BSC_AGENT_STORY_H

#include "agent/core/snapshot.h"

/* story_tell - write those rows; events, services and constraints are there. */
void story_tell(struct snapshot *s);

/* story_event - the newest event of the journal about @service or @node (NULL: about
 * none); its serial number, 0: there is none. */
uint32_t story_event(const struct snapshot *s, const char *service, const char *node);

#endif
