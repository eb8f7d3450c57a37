/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fill_keys.h - what the files that fill rows share. */
#ifndef BSC_AGENT_FILL_KEYS_H
#define BSC_AGENT_FILL_KEYS_H

#include "agent/core/snapshot.h"
#include "lib/jv.h"

enum fill_kind { NUMBER, TRUTH };

struct key { /* a number or truth value of the protocol, and its field in the row */
    const char *object; /* NULL: the outermost */
    const char *key;
    enum fill_kind kind;
    size_t offset;
};

#define NKEYS(keys) (sizeof keys / sizeof keys[0])

/* fill_keys - the fields of @row that @keys name; MIB_NONE where @from has none. */
void fill_keys(void *row, const struct jv *from, const struct key *keys, size_t n);

#define TEXT(field, object, key)                                                       \
    snapshot_text(field, sizeof(field), jv_str(object, key, ""))

/* fill_standbys - of @service, from a list of { node, state, in_set, acked, lag, log };
 * @set: names of those in the set where the list does not say, or NULL. */
void fill_standbys(struct snapshot *s, enum snapshot_table table, const char *service,
    const struct jv *list, const struct jv *set);

#endif
