/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * offload.h - what a network device does itself, by the names of ethtool(8).
 *
 * Source: include/uapi/linux/ethtool.h. */
#ifndef BSC_OFFLOAD_H
#define BSC_OFFLOAD_H

/* offload_off - @device of the calling thread's network namespace does not do @feature.
 * 0, also where the kernel knows no such feature; or -errno. */
int offload_off(const char *device, const char *feature);

#endif
