/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-journal.h"

#include "gui/bsc-table.h"
#include "gui/words.h"

#include <string.h>

struct _BscJournal {
    GtkBox parent;
    BscTable *table;
    GtkSearchEntry *search;
    GtkComboBoxText *severity;
    GtkToggleButton *open_only;
    GtkWidget *acknowledge, *save;
    GtkLabel *count;
    const struct table *events; /* borrowed */
    GHashTable *marked;         /* serial numbers acknowledged here only */
    struct bsc_table_content content;
    char *wanted; /* folded */
    uint32_t seen;
};

G_DEFINE_TYPE(BscJournal, bsc_journal, GTK_TYPE_BOX)

enum { ACKNOWLEDGE, SAVE, N_SIGNALS };
static guint signals[N_SIGNALS];

static const struct bsc_table_column columns[] = { { N_("Severity"), 120, FALSE },
    { N_("Time"), 190, FALSE }, { N_("Node"), 80, FALSE },
    { N_("Service"), 110, FALSE }, { N_("Event"), 130, FALSE },
    { N_("Acknowledged"), 130, FALSE }, { N_("What happened"), 320, FALSE } };

/* Newest first. */
static uint32_t
at(BscJournal *self, unsigned row)
{
    return self->events->side[0].rows - 1 - row;
}

static unsigned
count_cb(void *arg)
{
    BscJournal *self = arg;

    return self->events ? self->events->side[0].rows : 0;
}

static int64_t
serial(BscJournal *self, unsigned row)
{
    return table_number(self->events, at(self, row), -1, 0);
}

static char *
acknowledged(BscJournal *self, unsigned row)
{
    const char *owner = table_text(self->events, at(self, row), EVENT_ACK_OWNER);
    int64_t s = serial(self, row);

    if (owner[0])
        return g_strdup(owner);
    if (table_number(self->events, at(self, row), EVENT_ACK_TIME, 0) > 0)
        return g_strdup(_("yes"));
    return g_strdup(g_hash_table_contains(self->marked, &s) ? _("here only") : "");
}

static char *
cell_cb(unsigned row, int column, void *arg)
{
    BscJournal *self = arg;
    const struct table *t = self->events;
    uint32_t i = at(self, row);

    switch (column) {
    case 0:
        return g_strdup(words_severity(table_number(t, i, EVENT_SEVERITY, 0)));
    case 1:
        return words_time(table_number(t, i, EVENT_TIME, NOT_KNOWN));
    case 2:
        return g_strdup(table_text(t, i, EVENT_NODE));
    case 3:
        return g_strdup(table_text(t, i, EVENT_SERVICE));
    case 4:
        return g_strdup(table_text(t, i, EVENT_KIND));
    case 5:
        return acknowledged(self, row);
    default:
        return g_strdup(table_text(t, i, EVENT_TEXT));
    }
}

static enum view_class
class_cb(unsigned row, void *arg)
{
    BscJournal *self = arg;

    return view_severity(table_number(self->events, at(self, row), EVENT_SEVERITY, 0));
}

static char *
key_cb(unsigned row, void *arg)
{
    return g_strdup_printf("%" G_GINT64_FORMAT, serial(arg, row));
}

static gboolean
match_cb(unsigned row, void *arg)
{
    BscJournal *self = arg;
    int least = gtk_combo_box_get_active(GTK_COMBO_BOX(self->severity));
    gboolean found = FALSE;

    if (table_number(self->events, at(self, row), EVENT_SEVERITY, 0) <
        least + (least > 0))
        return FALSE;
    if (gtk_toggle_button_get_active(self->open_only)) {
        g_autofree char *by = acknowledged(self, row);

        if (by[0])
            return FALSE;
    }
    if (!self->wanted || !self->wanted[0])
        return TRUE;
    for (int c = 1; c < (int)G_N_ELEMENTS(columns) && !found; c++) {
        g_autofree char *text = cell_cb(row, c, self),
                        *folded = g_utf8_casefold(text, -1);

        found = strstr(folded, self->wanted) != NULL;
    }
    return found;
}

static void
refresh(BscJournal *self)
{
    unsigned all = count_cb(self);
    g_autofree char *words = NULL;

    bsc_table_show(self->table);
    words = g_strdup_printf(ngettext("%u of %u event", "%u of %u events", all),
        bsc_table_count(self->table), all);
    gtk_label_set_text(self->count, words);
    gtk_widget_set_sensitive(self->acknowledge, bsc_table_key(self->table) != NULL);
    gtk_widget_set_sensitive(self->save, bsc_table_count(self->table) > 0);
}

void
bsc_journal_show(BscJournal *self, const struct model *model)
{
    const struct table *t = &model->cluster[OF_EVENTS];

    if (self->events == t && self->seen == t->serial)
        return;
    self->events = t;
    self->seen = t->serial;
    refresh(self);
}

void
bsc_journal_mark(BscJournal *self, int64_t s)
{
    g_hash_table_add(self->marked, g_memdup2(&s, sizeof s));
    refresh(self);
}

void
bsc_journal_search(BscJournal *self)
{
    gtk_widget_grab_focus(GTK_WIDGET(self->search));
}

static void
filter_cb(GtkWidget *widget, gpointer data)
{
    BscJournal *self = data;

    (void)widget;
    g_free(self->wanted);
    self->wanted = g_utf8_casefold(gtk_entry_get_text(GTK_ENTRY(self->search)), -1);
    refresh(self);
}

static void
selected_cb(BscTable *table, const char *key, gpointer data)
{
    (void)table;
    gtk_widget_set_sensitive(BSC_JOURNAL(data)->acknowledge, key != NULL);
}

static void
acknowledge_cb(GtkButton *button, gpointer data)
{
    BscJournal *self = data;
    const char *key = bsc_table_key(self->table);

    (void)button;
    if (key)
        g_signal_emit(self, signals[ACKNOWLEDGE], 0, g_ascii_strtoll(key, NULL, 10));
}

static void
save_cb(GtkButton *button, gpointer data)
{
    (void)button;
    g_signal_emit(data, signals[SAVE], 0);
}

/* ---- export ---- */

static void
put_csv(GString *s, const char *text)
{
    g_string_append_c(s, '"');
    /* a spreadsheet takes these for formulas */
    if (text[0] && strchr("=+-@", text[0]))
        g_string_append_c(s, '\'');
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            g_string_append_c(s, '"');
        g_string_append_c(s, *c);
    }
    g_string_append_c(s, '"');
}

static void
put_json(GString *s, const char *text)
{
    g_string_append_c(s, '"');
    for (const char *c = text; *c; c++)
        if (*c == '"' || *c == '\\')
            g_string_append_printf(s, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            g_string_append_printf(s, "\\u%04x", (unsigned char)*c);
        else
            g_string_append_c(s, *c);
    g_string_append_c(s, '"');
}

static void
put_event(BscJournal *self, GString *s, unsigned row, gboolean json)
{
    static const char *const keys[] = { "severity", "time", "node", "service", "kind",
        "acknowledged", "text" };
    static const char *const severities[] = { "unknown", "info", "warning", "error" };
    int64_t severity = table_number(self->events, at(self, row), EVENT_SEVERITY, 0);

    g_string_append_printf(s,
        json ? "{\"serial\":%" G_GINT64_FORMAT : "%" G_GINT64_FORMAT,
        serial(self, row));
    for (int c = 0; c < (int)G_N_ELEMENTS(keys); c++) {
        g_autofree char *text = c == 0 ? g_strdup(severities[CLAMP(severity, 0, 3)])
                                       : cell_cb(row, c, self);

        if (json)
            g_string_append_printf(s, ",\"%s\":", keys[c]);
        else
            g_string_append_c(s, ',');
        (json ? put_json : put_csv)(s, text);
    }
    g_string_append(s, json ? "}" : "\r\n");
}

gboolean
bsc_journal_save(BscJournal *self, const char *path, GError **error)
{
    gboolean json = g_str_has_suffix(path, ".json");
    g_autoptr(GString) s = g_string_new(
        json ? "[" : "serial,severity,time,node,service,kind,acknowledged,text\r\n");

    for (unsigned i = 0; i < bsc_table_count(self->table); i++) {
        if (json && i > 0)
            g_string_append(s, ",\n");
        put_event(self, s, bsc_table_row(self->table, i), json);
    }
    if (json)
        g_string_append(s, "]\n");
    return g_file_set_contents(path, s->str, (gssize)s->len, error);
}

static void
bsc_journal_finalize(GObject *object)
{
    BscJournal *self = BSC_JOURNAL(object);

    g_hash_table_unref(self->marked);
    g_free(self->wanted);
    G_OBJECT_CLASS(bsc_journal_parent_class)->finalize(object);
}

static void
bsc_journal_class_init(BscJournalClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    g_type_ensure(BSC_TYPE_TABLE);
    G_OBJECT_CLASS(class)->finalize = bsc_journal_finalize;
    signals[ACKNOWLEDGE] = g_signal_new("acknowledge", BSC_TYPE_JOURNAL,
        G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
    signals[SAVE] = g_signal_new("save", BSC_TYPE_JOURNAL, G_SIGNAL_RUN_LAST, 0, NULL,
        NULL, NULL, G_TYPE_NONE, 0);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-journal.ui");
    gtk_widget_class_bind_template_child(widget, BscJournal, table);
    gtk_widget_class_bind_template_child(widget, BscJournal, search);
    gtk_widget_class_bind_template_child(widget, BscJournal, severity);
    gtk_widget_class_bind_template_child(widget, BscJournal, open_only);
    gtk_widget_class_bind_template_child(widget, BscJournal, acknowledge);
    gtk_widget_class_bind_template_child(widget, BscJournal, save);
    gtk_widget_class_bind_template_child(widget, BscJournal, count);
    gtk_widget_class_bind_template_callback(widget, filter_cb);
    gtk_widget_class_bind_template_callback(widget, selected_cb);
    gtk_widget_class_bind_template_callback(widget, acknowledge_cb);
    gtk_widget_class_bind_template_callback(widget, save_cb);
}

static void
bsc_journal_init(BscJournal *self)
{
    self->marked = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    gtk_widget_init_template(GTK_WIDGET(self));
    self->content = (struct bsc_table_content){ .columns = columns,
        .ncolumns = G_N_ELEMENTS(columns),
        .count = count_cb,
        .cell = cell_cb,
        .class = class_cb,
        .key = key_cb,
        .match = match_cb,
        .arg = self };
    bsc_table_setup(self->table, &self->content, _("Journal"),
        _("No event. What happens in the cluster is written here."));
}
