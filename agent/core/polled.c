/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/polled.h"

#include "lib/core/fnv.h"

#include <stdio.h>
#include <string.h>

const struct polled polled_service[POLLED_SERVICE] = {
    { SNAP_ENGINE, 2, NULL, "role", &words_role, false },
    { SNAP_ENGINE, 3, NULL, "state", &words_engine, false },
    { SNAP_ENGINE, 4, NULL, "epoch", NULL, false },
    { SNAP_ENGINE, 7, NULL, "connections", NULL, false },
    { SNAP_ENGINE, 8, NULL, "protected", NULL, true },
    { SNAP_ENGINE, 9, NULL, "last_error", NULL, false },
    { SNAP_ENGINE, 10, NULL, "last_blackout_ms", NULL, false },
    { SNAP_BUILD_SET, 1, "builds", "digest", NULL, false },
};

const struct polled polled_active[POLLED_ACTIVE] = {
    { SNAP_ENGINE, 12, NULL, "cpu_permille", NULL, false },
    { SNAP_GATE, 1, "gate", "open", NULL, true },
    { SNAP_GATE, 2, "gate", "held", NULL, false },
    { SNAP_GATE, 4, "gate", "released", NULL, false },
    { SNAP_GATE, 5, "gate", "dropped", NULL, false },
    { SNAP_CHECKPOINT, 1, "checkpoint", "count", NULL, false },
    { SNAP_CHECKPOINT, 2, "checkpoint", "last_pause_us", NULL, false },
    { SNAP_CHECKPOINT, 3, "checkpoint", "max_pause_us", NULL, false },
    { SNAP_CHECKPOINT, 4, "checkpoint", "last_bytes", NULL, false },
    { SNAP_CHECKPOINT, 6, "checkpoint", "interval_ms", NULL, false },
    { SNAP_CHECKPOINT, 8, "checkpoint", "age_ms", NULL, false },
};

const struct polled polled_standby[POLLED_STANDBY] = {
    { SNAP_ENGINE_STANDBY, 2, NULL, "state", &words_standby, false },
    { SNAP_ENGINE_STANDBY, 3, NULL, "in_set", NULL, true },
    { SNAP_ENGINE_STANDBY, 5, NULL, "lag", NULL, false },
};

/* mix_object - the value in @column of the row of @table with the index of @at; @number
 * out: it, or MIB_NONE. */
static uint64_t
mix_object(const struct snapshot *s, uint64_t hash, enum snapshot_table table,
    uint32_t column, const struct mib_row *at, int64_t *number)
{
    const struct mib_table *t = &snapshot_tables[table];
    uint32_t oid[MIB_OID_MAX], n = t->npath;
    struct mib_value v;

    memcpy(oid, t->path, n * sizeof *oid);
    oid[n++] = column;
    memcpy(oid + n, at->index, at->nindex * sizeof *oid);
    n += at->nindex;
    hash = fnv_bytes(hash, oid, n * sizeof *oid);
    *number = MIB_NONE;
    if (mib_get(snapshot_tables, SNAP_NTABLES, s, oid, n, &v) != MIB_FOUND)
        return hash;
    if (v.type == MIB_TEXT)
        return fnv_bytes(fnv_bytes(hash, &v.size, sizeof v.size), v.text, v.size);
    *number = v.number;
    return fnv_bytes(hash, &v.number, sizeof v.number);
}

/* mix_verdicts - a text is read while the verdict is not ok. */
static uint64_t
mix_verdicts(
    const struct snapshot *s, uint64_t hash, enum snapshot_table table, uint32_t column)
{
    int64_t verdict, none;

    for (uint32_t i = 0; i < mib_count(&snapshot_tables[table], s); i++) {
        const struct mib_row *row = mib_row(&snapshot_tables[table], s, i);

        hash = mix_object(s, hash, table, column, row, &verdict);
        if (verdict != 1)
            hash = mix_object(s, hash, table, column + 1, row, &none);
    }
    return hash;
}

void
polled_digest(const struct snapshot *s, char out[SNAP_WORD])
{
    const struct mib_table *engines = &snapshot_tables[SNAP_ENGINE];
    uint64_t hash = FNV_BASIS;
    int64_t number;

    hash = mix_verdicts(s, hash, SNAP_DRIVER, POLLED_DRIVER_VERDICT);
    hash = mix_verdicts(s, hash, SNAP_PROBE, POLLED_PROBE_VERDICT);
    for (uint32_t i = 0; i < mib_count(engines, s); i++)
        for (unsigned k = 0; k < POLLED_SERVICE; k++)
            hash = mix_object(s, hash, polled_service[k].table,
                polled_service[k].column, mib_row(engines, s, i), &number);
    snprintf(out, SNAP_WORD, "%016llx", (unsigned long long)hash);
}
