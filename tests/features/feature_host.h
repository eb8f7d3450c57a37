/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * feature_host.h - a host for feature_app: a network namespace with its loopback, and a
 * TUN behind which is 192.0.2.0/24. */
#ifndef BSC_FEATURE_HOST_H
#define BSC_FEATURE_HOST_H

/* Addresses are of TEST-NET-1 (RFC 5737). */
#define FEATURE_HOST_OWN "192.0.2.1"
#define FEATURE_HOST_PEER "192.0.2.2"
#define FEATURE_HOST_TAKES 7 /* ports of the peer, */
#define FEATURE_HOST_REFUSES 9

/* feature_host - this process is in it from now on.  A descriptor of the namespace, and
 * of its TUN; -errno. */
int feature_host(int *tun);

/* feature_host_answer - the peer answers whoever asks for a connection and waits. */
void feature_host_answer(int tun);

#endif
