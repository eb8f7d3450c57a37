/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * service_private.h - what service.c (its record) and service_rules.c (what is
 * delivered) share. */
#ifndef BSC_SERVICE_PRIVATE_H
#define BSC_SERVICE_PRIVATE_H

#include "supervisor/core/service.h"

void service_persist(struct service *s, struct effects *out);
struct effect *service_journal(
    struct service *s, enum journal_kind kind, unsigned node, struct effects *out);
void service_drop_claim(struct service *s);
void service_end_takeover(struct service *s, struct effects *out);

/* service_take_record - a record that another node told of. */
void service_take_record(struct service *s, const struct cluster *c,
    const struct peermsg *msg, struct mono now, struct effects *out);

#endif
