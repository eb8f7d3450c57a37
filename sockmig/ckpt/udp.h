/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * udp.h - one UDP socket, to an image and back; and one raw socket, whose unread
 * packets are lost.
 *
 * Both families, bound or not, connected or not, with its options and its unread
 * datagrams.  Design: doc/design/sockets.md. */
#ifndef BSC_UDP_H
#define BSC_UDP_H

#include "sockmig/core/image.h"

/* udp_look - what @sock (a duplicate of the stopped process's) is, but for .queued.
 *
 * NULL, or a static text: what it has that no image can hold. */
const char *udp_look(int sock, int family, struct image_udp *out);

/* udp_peek - its unread datagrams as they stand in a parcel, into @to.
 *
 * Leaves them in the queue and the socket as it was.  Bytes; what does not fit (the
 * newest) is left out.  An empty datagram that was peeked at before is left out too:
 * the kernel passes over it. */
uint32_t udp_peek(int sock, int family, uint8_t *to, uint32_t size);

/* udp_restore - make the socket in the caller's network namespace, then give it its
 * datagrams (@parcel, im->queued bytes) by @tun, or by the loopback where they came
 * from the host itself.
 *
 * Its descriptor, or -errno; *step gets the name of the step that failed. */
int udp_restore(
    const struct image_udp *im, const uint8_t *parcel, int tun, const char **step);

#endif
