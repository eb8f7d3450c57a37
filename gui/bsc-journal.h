/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bsc-journal.h - the events: search, filter, acknowledge, export.
 *
 * Signal: "acknowledge" (gint64 serial). */
#ifndef BSC_GUI_BSC_JOURNAL_H
#define BSC_GUI_BSC_JOURNAL_H

#include "gui/core/model.h"

#include <gtk/gtk.h>

#define BSC_TYPE_JOURNAL (bsc_journal_get_type())
G_DECLARE_FINAL_TYPE(BscJournal, bsc_journal, BSC, JOURNAL, GtkBox)

/* bsc_journal_show - @model is borrowed until the next call. */
void bsc_journal_show(BscJournal *self, const struct model *model);

/* bsc_journal_mark - acknowledged here only: the agent keeps no acknowledgements. */
void bsc_journal_mark(BscJournal *self, int64_t serial);

/* bsc_journal_save - the events that are shown, as CSV (RFC 4180) or JSON, by the
 * ending of @path. */
gboolean bsc_journal_save(BscJournal *self, const char *path, GError **error);

void bsc_journal_search(BscJournal *self);

#endif
