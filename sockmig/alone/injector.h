/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * injector.h - a device by which sockmig puts packets into the network stack, as if
 * they came from outside: segments that bring half-closed connections about, and unread
 * datagrams.  It is there while its descriptor is. */
#ifndef BSC_INJECTOR_H
#define BSC_INJECTOR_H

#define INJECTOR_NAME "sockmig" /* and a number */

/* injector_open - in the caller's network namespace.  Its descriptor, owned by the
 * caller, or -errno. */
int injector_open(void);

#endif
