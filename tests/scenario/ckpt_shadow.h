/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_shadow.h - what a standby would have: the sum of all checkpoints so far, and its
 * comparison with the stopped process, page by page. */
#ifndef BSC_CKPT_SHADOW_H
#define BSC_CKPT_SHADOW_H

#include "sockmig/core/image.h"
#include "sockmig/pages.h"

#include <sys/types.h>

struct shadow;

struct shadow *shadow_new(void);
void shadow_free(struct shadow *s);

/* shadow_apply - one checkpoint (or, with @im NULL, one round before the first). */
void shadow_apply(struct shadow *s, const struct image *im, const struct pages *pages);

/* shadow_compare - with the stopped process @pid.  Pages that differ; *compared: pages
 * looked at. */
long shadow_compare(
    struct shadow *s, pid_t pid, const struct image *im, long *compared);

#endif
