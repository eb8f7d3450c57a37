/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture_private.h - what capture.c (packets) and capture_open.c (made once) share. */
#ifndef BSC_CAPTURE_PRIVATE_H
#define BSC_CAPTURE_PRIVATE_H

#include "sockmig/engine.h"

#define CAPTURE_FLOWS 65536 /* connections known at a time */

/* The loop's callbacks: a queue has packets. */
void capture_on_in(struct loop_io *io, int fd, int events, void *engine);
void capture_on_out(struct loop_io *io, int fd, int events, void *engine);

#endif
