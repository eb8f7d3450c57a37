/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * loop.h - the event loop of a daemon (libev behind it, see loop.c).
 *
 * One loop per thread.  A watcher is owned by who made it and must be freed
 * before the loop; freeing one inside its own callback is allowed. */
#ifndef BSC_LOOP_H
#define BSC_LOOP_H

#include "lib/core/mono.h"

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;
struct loop_child;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop *loop_new(void); /* never NULL: without memory the program ends */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop() */
void loop_stop(struct loop *loop);

/* loop_now - CLOCK_MONOTONIC, read once a turn: the one clock of event handlers. */
struct mono loop_now(struct loop *loop);

/* mono_clock - CLOCK_MONOTONIC now, for shells that need it fresh. */
struct mono mono_clock(void);

/* mono_lap_us - microseconds since *@from, which becomes now. */
uint32_t mono_lap_us(struct mono *from);

/* loop_io_new - call @cb with LOOP_READ/LOOP_WRITE bits when @fd (borrowed) is ready.
 */
struct loop_io *loop_io_new(struct loop *loop, int fd, int events,
    void (*cb)(struct loop_io *io, int fd, int events, void *arg), void *arg);
void loop_io_events(struct loop_io *io, int events); /* 0: none */
void loop_io_free(struct loop_io *io);               /* NULL is legal */

/* loop_timer_new - made idle; loop_timer_at() arms it for one call of @cb. */
struct loop_timer *loop_timer_new(
    struct loop *loop, void (*cb)(struct loop_timer *timer, void *arg), void *arg);
void loop_timer_at(struct loop_timer *timer, struct mono at);
void loop_timer_in_ms(struct loop_timer *timer, int64_t ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is legal */

struct loop_signal *loop_signal_new(
    struct loop *loop, int signo, void (*cb)(int signo, void *arg), void *arg);
void loop_signal_free(struct loop_signal *sig); /* NULL is legal */

/* loop_child_new - call @cb once when child @pid ended (default loop only: the first
 * loop of the process). */
struct loop_child *loop_child_new(struct loop *loop, int pid,
    void (*cb)(struct loop_child *child, int pid, int status, void *arg), void *arg);
void loop_child_free(struct loop_child *child); /* NULL is legal */

#endif
