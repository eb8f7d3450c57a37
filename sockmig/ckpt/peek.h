/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * peek.h - what waits in a unix socket, message by message, left where it is.
 *
 * A peek makes duplicates of the descriptors that a message carries (SCM_RIGHTS).  They
 * are the caller's, who closes them: one that is kept would keep open what the service
 * closes.  Source: net/unix/af_unix.c (unix_peek_fds), net/core/scm.c. */
#ifndef BSC_PEEK_H
#define BSC_PEEK_H

#include "sockmig/core/image_fd.h"

#include <stdbool.h>
#include <stddef.h>

#define PEEK_FDS 253     /* SCM_MAX_FD */
#define PEEK_ROOM 262144 /* a message is no larger, but for odd senders */

struct peek {
    int sock; /* borrowed */
    bool stream, closed;
    int at; /* of a stream: byte */
};

struct peeked {
    uint32_t size, name_len;
    uint8_t name[IMAGE_UNIX_NAME];
    unsigned nfds;
    int fds[PEEK_FDS];
};

/* peek_begin - @type: SOCK_STREAM ...; @closed: it receives no more.  0 or -errno, then
 * there is nothing to peek.  peek_end: in any case.
 *
 * peek_next - the next message's bytes to @to, which has @room.  1; 0: there is none;
 * -EPROTO: it carries what cannot be peeked.  Of a stream a message ends where the next
 * one that carries descriptors begins, and is cut at 64 kB. */
int peek_begin(struct peek *p, int sock, int type, bool closed);
int peek_next(struct peek *p, void *to, size_t room, struct peeked *out);
void peek_end(struct peek *p);
void peek_close(struct peeked *m); /* its descriptors */

/* peek_sockets - calls @on for all sockets that wait in @sock, if that is a unix
 * socket, and in those; with duplicates that are closed afterwards. */
void peek_sockets(int sock, void (*on)(void *arg, int sock), void *arg);

#endif
