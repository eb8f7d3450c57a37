/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * record.h - writes what agents say into a file, and plays such a file.
 *
 * A recorded run is text, a line a thing (doc/protocol.md, "Recorded runs"): times,
 * agents, tables.  A table is written when it differs from the last time. */
#ifndef BSC_GUI_RECORD_H
#define BSC_GUI_RECORD_H

#include "gui/source.h"

struct recorder;
struct player;

/* recorder_open - begin to write to @path what @source reads.  NULL: @error says why.
 */
struct recorder *recorder_open(const char *path, struct source *source, GError **error);
void recorder_close(struct recorder *recorder);

/* player_open - @source is fed from @path from now on, and asks nobody. */
struct player *player_open(const char *path, struct source *source, GError **error);
void player_close(struct player *player);

int64_t player_length_ms(const struct player *player);
int64_t player_position_ms(const struct player *player);
/* When it was recorded, in ms since 1970. */
int64_t player_began_ms(const struct player *player);

/* player_seek - what was known at @ms is what the model knows.  True: it jumped back.
 */
bool player_seek(struct player *player, int64_t ms);

#endif
