/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ctl.h - control messages between processes of one node.
 *
 * One JSON object per line over a unix stream socket; see doc/protocol.md for what
 * the objects hold.  A line longer than CTL_MAX_LINE or not an object ends the
 * connection.  Sending never blocks: what the socket does not take is kept, and a
 * peer that leaves more than CTL_MAX_QUEUED unread is dropped. */
#ifndef BSC_CTL_H
#define BSC_CTL_H

#include "lib/jv.h"
#include "lib/loop.h"

#include <sys/types.h>

#define CTL_MAX_LINE (4u << 20)
#define CTL_MAX_QUEUED (16u << 20)

struct ctl_conn;   /* one connection, on either side */
struct ctl_server; /* listens; owns the connections it accepted */

struct ctl_handler {
    /* one message; @msg is borrowed for the call */
    void (*message)(struct ctl_conn *conn, const struct jv *msg, void *arg);
    /* the connection ended; freed by the caller of this after it returns.  May be
     * NULL. */
    void (*closed)(struct ctl_conn *conn, void *arg);
    void *arg;
};

/* ctl_listen - serve @path with @mode (e.g. 0660), owned by group @gid ((gid_t)-1:
 * unchanged).  A dead socket at @path is replaced.
 *
 * 0 and *out, or -errno (-EADDRINUSE: another process answers there). */
int ctl_listen(struct loop *loop, const char *path, mode_t mode, gid_t gid,
    struct ctl_handler handler, struct ctl_server **out);
void ctl_server_free(
    struct ctl_server *server); /* and its connections; NULL is legal */

/* ctl_broadcast - send a copy of @msg (borrowed) to every connection for which
 * ctl_subscribe() was called. */
void ctl_broadcast(struct ctl_server *server, const struct jv *msg);
void ctl_subscribe(struct ctl_conn *conn);

/* ctl_connect - as client.  0 and *out, or -errno.  The caller owns *out, unless
 * handler.closed was called for it. */
int ctl_connect(struct loop *loop, const char *path, struct ctl_handler handler,
    struct ctl_conn **out);

/* ctl_adopt - make a connection of the connected stream socket @fd (taken). */
struct ctl_conn *ctl_adopt(struct loop *loop, int fd, struct ctl_handler handler);

void ctl_send(struct ctl_conn *conn, struct jv *taken);

/* ctl_take_rest - hand out what has come in by now, as the loop would: for the last
 * words of a peer that is known to be gone.  handler.closed may be called. */
void ctl_take_rest(struct ctl_conn *conn); /* NULL is legal */
void ctl_close(struct ctl_conn *conn);     /* without calling closed; NULL is legal */
uid_t ctl_peer_uid(const struct ctl_conn *conn); /* (uid_t)-1 if unknown */
pid_t ctl_peer_pid(const struct ctl_conn *conn); /* 0 if unknown */

/* A slot for the owner of the connection, NULL at first. */
void *ctl_data(const struct ctl_conn *conn);
void ctl_set_data(struct ctl_conn *conn, void *data);

/* ctl_call - one request, one answer, blocking: for command-line programs.
 *
 * @request  taken; "id" is set by the call
 * @reply    out: new value, only if 0 is returned
 *
 * 0, or -errno: -ENOENT/-ECONNREFUSED nobody listens, -ETIMEDOUT, -EPROTO. */
int ctl_call(const char *path, struct jv *request, int timeout_ms, struct jv **reply);

#endif
