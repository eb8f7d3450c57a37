/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_mark.h - the mark (skb->mark) of what a verdict let go, for the fence. */
#ifndef BSC_FENCE_MARK_H
#define BSC_FENCE_MARK_H

#define FENCE_MARK 0x62736331 /* any value but 0, the mark of what no verdict saw */

#endif
