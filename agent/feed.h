/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * feed.h - what sockmigd or basculed says, kept fresh, and never kept when it is not.
 *
 * Asks for `status` at least every second, and after an event at most 5 times a
 * second.  An answer that is late by FEED_SILENT_MS, or a connection that ends, drops
 * all that was known. */
#ifndef BSC_AGENT_FEED_H
#define BSC_AGENT_FEED_H

#include "agent/core/words.h"
#include "lib/core/mono.h"
#include "lib/jv.h"

#include <poll.h>

#define FEED_SILENT_MS 3000

struct feed;

enum feed_doc { FEED_STATUS, FEED_ORDERS, FEED_JOURNAL, FEED_NDOCS };

/* feed_new - @cluster: also ask for orders and journal (basculed knows them).
 * @answer: gets the answers to feed_ask(); may be NULL. */
struct feed *feed_new(const char *name, const char *path, bool cluster,
    void (*answer)(const struct jv *msg, void *arg), void *arg);
void feed_free(struct feed *feed); /* NULL is legal */

/* feed_poll - what to give to poll(); .fd is -1 if there is nothing. */
struct pollfd feed_poll(const struct feed *feed);
struct mono feed_due(const struct feed *feed); /* call feed_turn() then at the latest */

/* feed_turn - do what can be done without waiting.  @ready: poll() says that there is
 * something to read or to write.  True: something changed. */
bool feed_turn(struct feed *feed, bool ready, struct mono now);

/* feed_ask - send a request of one's own (taken), with id @id > 100.  False: nobody is
 * there to take it. */
bool feed_ask(struct feed *feed, struct jv *request, int64_t id);

enum liveness feed_state(const struct feed *feed);
const struct jv *feed_doc(const struct feed *feed, enum feed_doc doc); /* or NULL */
int64_t feed_age_ms(const struct feed *feed, struct mono now); /* <0: never answered */

#endif
