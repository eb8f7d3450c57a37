/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * builds.h - the program of a service and its libraries, compared between the nodes by
 * what the poller reads.
 *
 * A clone is memory: it runs only on the builds that it was made with.  The engine
 * refuses others when it makes one; this says so before, and names the file. */
#ifndef BSC_BUILDS_H
#define BSC_BUILDS_H

#include "lib/conf.h"
#include "lib/jv.h"
#include "supervisor/core/peermsg.h"

#define BUILDS_TEXT 600

struct builds {
    unsigned like[CONF_MAX_SERVICES]; /* node compared with; 0: none */
    uint64_t
        differ[CONF_MAX_SERVICES]; /* node_bit(): its builds are known to be others */
};

enum builds_news { BUILDS_NOTHING, BUILDS_DIFFER, BUILDS_SAME };

/* builds_compare - service number @index on node @id with that on @active.
 *
 * @there, @here  lines of the poller about @id and @active, NULL: none yet
 * @text          out, BUILDS_TEXT bytes, for the journal, unless it is BUILDS_NOTHING
 *
 * BUILDS_DIFFER and BUILDS_SAME are said once, when it is known and was otherwise. */
enum builds_news builds_compare(struct builds *b, const struct conf *conf,
    unsigned index, unsigned active, unsigned id, const struct jv *here,
    const struct jv *there, char *text);

#endif
