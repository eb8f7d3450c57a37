/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_devices.h - the numbers of a gate's devices, chosen, so that BPF programs need
 * not be told: a new namespace has none that large. */
#ifndef BSC_GATE_DEVICES_H
#define BSC_GATE_DEVICES_H

enum {
    OUTLET_INDEX = 1000, /* out0, in the cell and in the gate */
    UPLINK_INDEX,        /* up0 */
    INNER_INDEX          /* vg */
};

#endif
