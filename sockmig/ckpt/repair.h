/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * repair.h - what the two halves of tcp.h share: names of TCP_REPAIR and of the
 * states, options as plain ints, and the table of the restore's steps.
 *
 * Source: include/net/tcp_states.h, include/uapi/linux/tcp.h. */
#ifndef BSC_REPAIR_H
#define BSC_REPAIR_H

#include "sockmig/core/image.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SOL_TCP
#define SOL_TCP IPPROTO_TCP
#endif

enum repair_state {
    STATE_ESTABLISHED = 1,
    STATE_FIN_WAIT1 = 4,
    STATE_FIN_WAIT2 = 5,
    STATE_CLOSE = 7,
    STATE_CLOSE_WAIT = 8,
    STATE_LAST_ACK = 9,
    STATE_CLOSING = 11
};

/* What a state says about the two FINs. */
static inline bool
repair_fin_sent(uint32_t state)
{
    return state == STATE_FIN_WAIT1 || state == STATE_FIN_WAIT2 ||
           state == STATE_LAST_ACK || state == STATE_CLOSING;
}

static inline bool
repair_fin_received(uint32_t state)
{
    return state == STATE_CLOSE_WAIT || state == STATE_LAST_ACK ||
           state == STATE_CLOSING;
}

/* First byte that the peer has not acknowledged; its FIN's place if all data are. */
static inline uint32_t
repair_snd_una(const struct image_tcp *im)
{
    bool fin_waits = repair_fin_sent(im->state) && im->state != STATE_FIN_WAIT2;

    return im->write_seq - im->outq - (fin_waits ? 1 : 0);
}

/* What IPv6 has of IPv4 is sent as IPv4, with its type of service. */
static inline bool
repair_speaks_v6(const struct image_tcp *im)
{
    struct sockaddr_in6 remote;

    memcpy(&remote, im->remote, sizeof remote);
    return im->family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&remote.sin6_addr);
}

/* An option's value, or -1 (TCP and socket options here are never negative). */
static inline int
repair_get(int sock, int level, int name)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(sock, level, name, &value, &n) < 0 ? -1 : value;
}

static inline int
repair_set(int sock, int level, int name, int value)
{
    return setsockopt(sock, level, name, &value, sizeof value);
}

/* Where a dump notes which socket it has in repair mode, for who watches over it: a
 * target whose socket was left so by a dump that was killed could not send. */
struct repair_note {
    int fd; /* its number in the target; -1: none */
    int reuse_addr;
};
extern volatile struct repair_note *repair_note; /* borrowed; NULL: nobody watches */

/* repair_leave - what the dump that was killed would have done next with the socket of
 * process @pid that @note names; nothing if it names none, or @pid is gone. */
void repair_leave(pid_t pid, const volatile struct repair_note *note);

/* One restore in the making. */
struct repair {
    int sock;                         /* owned by the caller of the steps */
    const struct image_tcp *im;       /* borrowed, as all others */
    const struct image_tcp *prepared; /* what the socket was prepared for */
    const struct image_tcp *fresh;    /* tcp_fresh(); NULL: set all */
    const uint8_t *inq, *outq;
    uint32_t age_ms;
    int tun; /* -1: none */
};

struct repair_step {
    const char *name;
    int (*run)(const struct repair *r); /* 0, or -1 with errno */
};

/* In the order to carry them out; a step with a NULL name ends a table.  Preparing and
 * restoring end in repair mode, releasing leaves it. */
extern const struct repair_step repair_prepare_steps[];
extern const struct repair_step repair_revert_steps[]; /* from restored to prepared */
extern const struct repair_step repair_restore_steps[];
extern const struct repair_step repair_release_steps[];

/* repair_run - all steps of a table; 0, or -errno with the name of the one that failed.
 */
int repair_run(
    const struct repair_step *step, const struct repair *r, const char **failed);

/* Sizes of the image, as steps are. */
int repair_send_buffer(const struct repair *r);
int repair_receive_buffer(const struct repair *r);

#endif
