/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp.h - one TCP connection, to an image and back (TCP_REPAIR).
 *
 * Both families, states ESTABLISHED and half closed.  Source: findings summed up in
 * doc/design/sockets.md; net/ipv4/tcp.c, do_tcp_setsockopt(). */
#ifndef BSC_TCP_H
#define BSC_TCP_H

#include "sockmig/core/image.h"
#include "sockmig/pages.h"

/* While a connection is restored its socket has this mark: a rule of the cell may lead
 * it to a route with a large first window (gate_route.c). */
#define TCP_RESTORED_MARK 82

/* Looks during which options are always read: the stop can fall between accept() and
 * setsockopt(). */
#define TCP_YOUNG 3

/* What tells whether a connection moved since its last dump; owned by the caller, one
 * per descriptor, zeroed for a new socket. */
struct tcp_watch {
    uint64_t inode, bytes_acked, bytes_received;
    uint32_t segs_in, segs_out, notsent, inq, state;
    uint32_t looks;   /* how often options were read: the first few times always */
    uint32_t options; /* tcp_reading.options by then; 0: not known */
};

enum tcp_look { TCP_LOOK_SAME, TCP_LOOK_DUMPED, TCP_LOOK_DEAD, TCP_LOOK_ERROR };

/* tcp_dump - look at the connection @sock (a duplicate of descriptor @fd of the
 * stopped process; not kept).
 *
 * @entry    in: its last image (zeroed: new); out: the present one
 * @parcels  gets the queues if it is dumped anew
 *
 * SAME: nothing moved, @entry is still right.  DEAD: closed or reset.  ERROR: no
 * consistent state within 20 tries or @parcels is full: the caller gives up this
 * checkpoint.  Leaves the socket as it was (SO_REUSEADDR, which TCP_REPAIR clears,
 * included). */
enum tcp_look tcp_dump(int sock, int fd, uint64_t inode, struct tcp_watch *watch,
    struct image_tcp *entry, struct parcels *parcels);

/* tcp_dump_moved - the same of a connection that is known and moved, which the kernel
 * has at @sock (struct survey_row) for a process that stands still.  False: tcp_dump()
 * has to look at it; @watch and @entry are as they were. */
bool tcp_dump_moved(uint64_t sock, int fd, struct tcp_watch *watch,
    struct image_tcp *entry, struct parcels *parcels);

/* tcp_look_ahead - what can be read of an established connection while the process
 * runs: addresses and options.  *options: tcp_reading.options before these were read;
 * 0: not known.  False: it is in another state.
 * tcp_watch_ahead - after that: it is to be dumped, its options are known. */
bool tcp_look_ahead(int sock, int fd, struct image_tcp *entry, uint32_t *options);

static inline struct tcp_watch
tcp_watch_ahead(uint64_t inode, uint32_t options)
{
    return (struct tcp_watch){ .inode = inode, .looks = TCP_YOUNG, .options = options };
}

/* tcp_is_known - whether the socket was dumped often enough to be told by what moves:
 * once, where a hash tells that its options are what they were. */
static inline bool
tcp_is_known(const struct tcp_watch *watch, uint64_t inode)
{
    return watch->inode == inode && (watch->looks > TCP_YOUNG || watch->options != 0);
}

/* tcp_secret - what @sock has that TCP_REPAIR cannot carry over: kernel TLS, keys of
 * TCP-AO or MD5 signatures.  @diag: NETLINK_SOCK_DIAG socket of its network namespace;
 * -1: MD5 keys are not looked for.  NULL: nothing; else a static text. */
const char *tcp_secret(int sock, int diag);

/* tcp_dump_orphan - the same of one that the kernel has at @sock and no process any
 * more, if it has a FIN on its way and at most @most bytes before that.  @entry has its
 * addresses and options.  TCP_LOOK_DUMPED; TCP_LOOK_DEAD: it has none any more;
 * TCP_LOOK_ERROR: it does not fit, or cannot be read. */
enum tcp_look tcp_dump_orphan(uint64_t sock, int fd, uint32_t most,
    struct image_tcp *entry, struct parcels *parcels);

/* What a connection is made of besides its entry in the image. */
struct tcp_parts {
    const struct image_tcp *fresh; /* tcp_fresh() of its family: what is as there is not
                                      set; NULL: all is */
    const uint8_t *inq, *outq;     /* its queues: entry->inq and entry->outq bytes */
    uint32_t age_ms; /* since the image was taken, by this host's clock: timestamps go
                        on from there and never step back */
    int tun; /* TUN of the network namespace: the socket is told its round trip time by
                a segment that comes by it.  -1: none, it is not */
};

/* tcp_restore - make the connection in the caller's network namespace, still in repair
 * mode: no packet leaves before tcp_release().  @nonblock: SOCK_NONBLOCK or 0.
 *
 * The descriptor, or -errno.  *step gets the name of the step that failed. */
int tcp_restore(const struct image_tcp *entry, const struct tcp_parts *parts,
    int nonblock, const char **step);

/* The same in two halves.  tcp_prepare - a socket in repair mode with all that does not
 * depend on what was sent; nothing of it gets out, closing it is silent.
 * tcp_is_prepared - may one that was prepared for @for_this become @entry?
 * tcp_establish - it becomes @entry; @prepared: what it was prepared for.  0 or -errno:
 * to be closed.
 * tcp_set_age - of one that was established earlier, whose image is still @entry.
 * tcp_revert - one that was established as @was, with empty queues, is prepared for
 * @entry again, which costs a third of a new one.  0; -EINVAL: they differ too much, it
 * is untouched; other -errno: to be closed. */
int tcp_prepare(const struct image_tcp *entry, const struct image_tcp *fresh,
    int nonblock, const char **step);
bool tcp_is_prepared(const struct image_tcp *for_this, const struct image_tcp *entry);
int tcp_establish(int sock, const struct image_tcp *prepared,
    const struct image_tcp *entry, const struct tcp_parts *parts, const char **step);
int tcp_set_age(int sock, const struct image_tcp *entry, uint32_t age_ms);
int tcp_revert(int sock, const struct image_tcp *was, const struct image_tcp *entry);

/* tcp_fresh - the options of a new socket of @family in the caller's network namespace.
 * False: there can be none. */
bool tcp_fresh(int family, struct image_tcp *out);

/* tcp_release - leave repair mode without a probe, queue what was never sent, bring
 * half-closed states about.  @raw: raw socket (IPPROTO_RAW / AF_PACKET-free injection
 * is the caller's) or TUN for the segments that half-closed states need; -1: none at
 * hand, such a state is then reported as -EOPNOTSUPP.  0 or -errno. */
int tcp_release(int sock, const struct image_tcp *entry, const uint8_t *outq, int tun,
    const char **step);

/* tcp_resend - put the data in flight, at most @most bytes, on the wire again through
 * raw socket @raw: the restored socket would wait for its timer, 0.25 s or more.  If
 * there is none, but unsent data, the other side's window was shut, and that it opened
 * may have been said while nobody heard it: a segment that asks, as the socket would
 * later.  Packets sent. */
int tcp_resend(int sock, const struct image_tcp *entry, const uint8_t *outq,
    uint32_t most, int raw);

/* tcp_purge - destroy all connections in the caller's network namespace: what a service
 * that was killed there left to the kernel.  The fence must be shut: resets are sent.
 * 0 or -errno. */
int tcp_purge(void);

/* tcp_purge_waits - destroy what is in TIME-WAIT at local @port (network order): a
 * listener that was there before could not be bound again beside it. */
int tcp_purge_waits(uint16_t port);

/* tcp_purge_orphans - destroy what a process that was killed left behind at local @port
 * (network order): its connections could not be made again beside it. */
int tcp_purge_orphans(uint16_t port);

#endif
