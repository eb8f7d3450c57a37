/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mib_columns.c - print what the agent serves, "OID TYPE ro|rw" a line, for
 * tests/lint/mib.sh to compare with the modules. */
#include "agent/core/snapshot.h"

#include <stdio.h>

int
main(void)
{
    static const char *const types[] = { [MIB_INTEGER] = "Integer",
        [MIB_TRUTH] = "Integer",
        [MIB_UNSIGNED] = "Gauge",
        [MIB_COUNTER32] = "Counter",
        [MIB_COUNTER64] = "Counter64",
        [MIB_TEXT] = "String",
        [MIB_DATE] = "String",
        [MIB_STAMP] = "TimeTicks" };

    for (unsigned t = 0; t < SNAP_NTABLES; t++)
        for (unsigned c = 0; c < snapshot_tables[t].ncolumns; c++) {
            const struct mib_table *table = &snapshot_tables[t];

            for (unsigned i = 0; i < table->npath; i++)
                printf("%u.", table->path[i]);
            printf("%u %s %s\n", table->columns[c].arc, types[table->columns[c].type],
                table->columns[c].flags & MIB_WRITABLE ? "rw" : "ro");
        }
    return 0;
}
