/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kinds of channels, by the beginning of their files' names; unit: what one step of the
 * file is in thousandths (a fan's is a revolution).  Source: hwmon/sysfs-interface */
static const struct kind {
    const char *prefix;
    int64_t type; /* BasculeSensorKind */
    int64_t divide;
} kinds[] = {
    { "temp", 2, 1 },
    { "fan", 3, 1 },
    { "in", 4, 1 },
    { "curr", 5, 1 },
    { "power", 6, 1000 },
};

static bool
text_of(
    const char *folder, const char *channel, const char *what, char *out, size_t size)
{
    char path[512], text[128];

    if (snprintf(path, sizeof path, "%s/%s%s", folder, channel, what) >=
            (int)sizeof path ||
        file_read(path, text, sizeof text) <= 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    snapshot_text(out, size, text);
    return true;
}

static int64_t
number_of(const char *folder, const char *channel, const char *what, int64_t divide)
{
    char text[64];

    return text_of(folder, channel, what, text, sizeof text)
               ? strtoll(text, NULL, 10) / divide
               : MIB_NONE;
}

static const struct kind *
kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i].prefix);

        if (strncmp(name, kinds[i].prefix, n) == 0 && name[n] >= '0' && name[n] <= '9')
            return &kinds[i];
    }
    return NULL;
}

static void
add(struct readings *r, const char *folder, const char *file)
{
    struct sensor_row *row = &r->sensor.v[r->sensor.n];
    const struct kind *k = kind_of(file);
    size_t n = strcspn(file, "_");
    char channel[32];

    if (!k || r->sensor.n == READ_SENSORS || strcmp(file + n, "_input") != 0 ||
        n >= sizeof channel)
        return;
    snprintf(channel, sizeof channel, "%.*s", (int)n, file);
    memset(row, 0, sizeof *row);
    row->value = number_of(folder, channel, "_input", k->divide);
    if (row->value == MIB_NONE)
        return; /* a channel with nothing connected */
    if (!text_of(folder, "", "name", row->chip, sizeof row->chip))
        snapshot_text(row->chip, sizeof row->chip, strrchr(folder, '/') + 1);
    if (!text_of(folder, channel, "_label", row->label, sizeof row->label))
        snapshot_text(row->label, sizeof row->label, channel);
    row->type = k->type;
    row->limit = number_of(folder, channel, "_crit", k->divide);
    row->health = number_of(folder, channel, "_alarm", 1) > 0 ||
                          number_of(folder, channel, "_crit_alarm", 1) > 0 ||
                          (row->limit > 0 && row->value > row->limit)
                      ? HEALTH_FAILED
                      : HEALTH_OK;
    row->row.known = true;
    row->row.nindex = 1;
    row->row.index[0] = ++r->sensor.n;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void
each_in(const char *folder, struct readings *r,
    void (*act)(struct readings *, const char *folder, const char *name))
{
    struct dirent **list;
    int n = scandir(folder, &list, NULL, by_name); /* the same numbers every time */

    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.')
            act(r, folder, list[i]->d_name);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

static void
add_chip(struct readings *r, const char *folder, const char *name)
{
    char path[512];

    if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
        each_in(path, r, add);
}

static enum watch_result
read_sensor(struct readings *r, const struct driver_context *ctx, char *text)
{
    char path[512];

    r->sensor.n = 0;
    snprintf(path, sizeof path, "%s/class/hwmon", ctx->sys);
    each_in(path, r, add_chip);
    if (r->sensor.n > 0)
        return WATCH_READ;
    snapshot_text(text, SNAP_TEXT, "the node has no sensors that the kernel knows");
    return WATCH_NOTHING;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    f->reading[HEALTH_SENSORS] = 0;
    for (uint32_t i = 0; i < r->sensor.n; i++)
        f->reading[HEALTH_SENSORS] += r->sensor.v[i].health == HEALTH_FAILED;
}

const struct driver driver_sensor = { "sensor", { 5000, 3000, 2, 2 }, true, false,
    read_sensor, facts };
