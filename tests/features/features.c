/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/features.h"

#include <stdio.h>
#include <string.h>

extern const struct feature_area area_threads, area_attributes, area_signals,
    area_timers, area_process, area_credentials, area_filters, area_memory,
    area_memory_kinds, area_given_back, area_moved, area_turmoil, area_shuffle,
    area_crowd, area_hugetlb, area_shared, area_sysv, area_files, area_locks,
    area_pipes, area_fifos, area_terminals, area_async, area_events, area_sockets,
    area_sockets_closed, area_sockets_other, area_unix, area_flight, area_foreign;

const struct feature_area *const feature_areas[] = {
    &area_threads,
    &area_attributes,
    &area_signals,
    &area_timers,
    &area_process,
    &area_credentials,
    &area_filters,
    &area_memory,
    &area_memory_kinds,
    &area_given_back,
    &area_moved,
    &area_turmoil,
    &area_shuffle,
    &area_crowd,
    &area_hugetlb,
    &area_shared,
    &area_sysv,
    &area_files,
    &area_locks,
    &area_pipes,
    &area_fifos,
    &area_terminals,
    &area_async,
    &area_events,
    &area_sockets,
    &area_sockets_closed,
    &area_sockets_other,
    &area_unix,
    &area_flight,
    &area_foreign,
    NULL,
};

const struct feature *
feature_at(unsigned number, const struct feature_area **area)
{
    for (unsigned i = 0; feature_areas[i]; i++) {
        if (area)
            *area = feature_areas[i];
        if (number < feature_areas[i]->n)
            return &feature_areas[i]->rows[number];
        number -= feature_areas[i]->n;
    }
    return NULL;
}

const char *
feature_wrong(const char *file, int line, const char *text)
{
    static char said[512];
    const char *base = strrchr(file, '/');

    snprintf(said, sizeof said, "%s:%d: %s (%s)", base ? base + 1 : file, line, text,
        strerror(errno));
    return said;
}
