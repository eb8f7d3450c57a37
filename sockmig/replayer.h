/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replayer.h - a takeover's replay: the machine core/replay.h driven by the queues, the
 * cell's TUN and the map of connections to be made again.
 *
 * The main thread's, but for the machine itself, which the tracer's thread prepares
 * before it wakes the clone.  Design: doc/design/replay.md. */
#ifndef BSC_REPLAYER_H
#define BSC_REPLAYER_H

#include "sockmig/core/replay.h"
#include "sockmig/nfq.h"

#include <stdbool.h>

struct engine;
struct replayer;
struct jv;

/* replayer_open - make what a replay needs, for e->replayer.  0, or -errno and logged.
 */
int replayer_open(struct engine *e);

/* replayer_machine - an empty machine, for the tracer's thread to prepare. */
struct replay *replayer_machine(struct replayer *r);

/* replayer_begin - the clone runs: feed it.  replayer_ended() of the engine's orders is
 * called when it is where the log ends, or given up. */
void replayer_begin(struct engine *e);
bool replayer_runs(const struct engine *e);
void replayer_turn(struct engine *e); /* output may be there */

/* replayer_opened - the outside is open: send what the clients have not acknowledged.
 */
void replayer_opened(struct engine *e);

/* replayer_awaits - whether @pkt is of a connection that is half open, or to be made
 * again (its listener waits for data: TCP_DEFER_ACCEPT), and still waited for.
 * One that was queued while the replay ran has passed the place where it would have
 * been recognized: delivered, it would be answered with a reset, or a SYN of it with
 * another number than before.  The client sends it again.  A system call for TCP. */
bool replayer_awaits(const struct engine *e, const struct packet *pkt);

/* replayer_shut - whether clients can complete half-open connections: not while what
 * comes from them is queued, see above. */
void replayer_shut(struct engine *e, bool shut);

/* replayer_passes - after the end: whether output packet @pkt may leave.
 * replayer_hears - whether input packet @pkt may be delivered.
 * replayer_watch - after a batch of them. */
bool replayer_passes(struct engine *e, const struct captured *pkt);
bool replayer_hears(struct engine *e, const struct packet *pkt);
void replayer_watch(struct engine *e);

void replayer_tick(struct engine *e); /* every 100 ms */
void replayer_stop(struct engine *e); /* the service ends here */

struct jv *replayer_status(const struct engine *e); /* of the last replay */

#endif
