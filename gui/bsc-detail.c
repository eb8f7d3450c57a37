/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-detail.h"

#include "gui/palette.h"
#include "gui/words.h"

#include <string.h>

#define ROWS 48

struct _BscDetail {
    GtkBox parent;
    GtkLabel *sign, *title, *subtitle, *nothing;
    GtkGrid *grid;
    GtkBox *orders;
    GtkWidget *body;
    GtkWidget *names[ROWS], *values[ROWS];
    GtkWidget *buttons[N_ORDER_KINDS];
    int n;
};

G_DEFINE_TYPE(BscDetail, bsc_detail, GTK_TYPE_BOX)

enum { ORDER, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- rows ---- */

static GtkWidget *
new_label(BscDetail *self, int column, int row)
{
    GtkWidget *label = gtk_label_new(NULL);

    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_yalign(GTK_LABEL(label), 0);
    if (column == 0) {
        gtk_style_context_add_class(gtk_widget_get_style_context(label), "dim-label");
    } else {
        gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
        gtk_label_set_line_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
        gtk_label_set_lines(GTK_LABEL(label), 6);
        gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
        gtk_label_set_selectable(GTK_LABEL(label), TRUE);
        gtk_widget_set_can_focus(label, FALSE);
        gtk_widget_set_hexpand(label, TRUE);
    }
    gtk_grid_attach(self->grid, label, column, row, 1, 1);
    return label;
}

static void
set_text(GtkWidget *label, const char *text)
{
    if (g_strcmp0(gtk_label_get_text(GTK_LABEL(label)), text))
        gtk_label_set_text(GTK_LABEL(label), text);
}

/* @value is taken; a row without a value is left out. */
static void
add(BscDetail *self, const char *name, char *value)
{
    int i = self->n;

    if (value && value[0] && i < ROWS) {
        if (!self->names[i]) {
            self->names[i] = new_label(self, 0, i);
            self->values[i] = new_label(self, 1, i);
        }
        set_text(self->names[i], name);
        set_text(self->values[i], value);
        gtk_widget_show(self->names[i]);
        gtk_widget_show(self->values[i]);
        self->n++;
    }
    g_free(value);
}

static void
end_rows(BscDetail *self)
{
    for (int i = self->n; i < ROWS && self->names[i]; i++) {
        gtk_widget_hide(self->names[i]);
        gtk_widget_hide(self->values[i]);
    }
}

static void
head(BscDetail *self, enum view_class class, const char *title, const char *subtitle)
{
    struct palette p;
    g_autofree char *sign = NULL;
    g_autofree char *colour = NULL;

    palette_read(&p, GTK_WIDGET(self));
    colour = g_strdup_printf("#%02x%02x%02x", (int)(p.class[class].red * 255),
        (int)(p.class[class].green * 255), (int)(p.class[class].blue * 255));
    sign = g_markup_printf_escaped(
        "<span foreground='%s'>%s</span>", colour, words_sign(class));
    gtk_label_set_markup(self->sign, sign);
    set_text(GTK_WIDGET(self->title), title);
    set_text(GTK_WIDGET(self->subtitle), subtitle);
}

/* ---- what is shown ---- */

static void
add_refusals(BscDetail *self, const struct model *m, int agent, const char *service)
{
    const struct table *t = agent < 0 ? NULL : &m->agents[agent].tables[ON_REFUSALS];

    for (uint32_t i = 0; t && t->def && i < t->side[0].rows; i++)
        if (!strcmp(table_text(t, i, -1), service))
            add(self, _("Not protected because"),
                g_strdup_printf("%s: %s. %s", table_text(t, i, REFUSAL_PROCESS),
                    table_text(t, i, REFUSAL_WHAT), table_text(t, i, REFUSAL_CURE)));
}

static void
add_constraints(BscDetail *self, const struct model *m, const char *service)
{
    static const char *const kinds[] = { N_("not known"), N_("prefers"), N_("never on"),
        N_("together with"), N_("apart from") };
    const struct table *t = &m->cluster[OF_CONSTRAINTS];

    for (uint32_t i = 0; i < t->side[0].rows; i++) {
        int64_t kind = table_number(t, i, CONSTRAINT_KIND, 0);

        if (strcmp(table_text(t, i, -1), service) || kind < 0 || kind > 4)
            continue;
        add(self, _("Placement"),
            g_strdup_printf("%s %s%s", _(kinds[kind]),
                table_text(t, i, CONSTRAINT_TARGET),
                table_number(t, i, CONSTRAINT_MET, 0) == MIB_FALSE ? _(" (not met)")
                                                                   : ""));
    }
}

static void
add_standbys(BscDetail *self, const struct view *v, int service)
{
    for (unsigned i = 0; i < v->nstandbys; i++) {
        const struct view_standby *b = &v->standbys[i];
        g_autofree char *lag = NULL, *age = NULL, *name = NULL;

        if (b->service_at != service)
            continue;
        lag = words_lag(b->lag);
        age = words_ms(b->clone_age);
        name = g_strdup_printf(_("Standby %s"), b->name);
        add(self, name,
            g_strdup_printf("%s %s, %s%s\n%s %s", words_sign(b->class),
                words_standby(b->state), lag,
                b->in_set == MIB_FALSE ? _(", not required") : "", _("last checkpoint"),
                age));
    }
}

static char *
ago(int64_t ms)
{
    g_autofree char *age = words_ms(ms);

    return g_strdup_printf(_("%s ago"), age);
}

/* add_change - how the service came to where it is, with the time of each step. */
static void
add_change(BscDetail *self, const struct takeover *o)
{
    add(self, _("Last change"), words_time(o->began_ms));
    if (o->total_us > 0)
        add(self, _("Took"), words_us(o->total_us));
    if (o->blackout_ms > 0)
        add(self, _("Blackout"), words_ms(o->blackout_ms));
    for (unsigned i = 0; i < o->nphases; i++) {
        const struct takeover_phase *p = &o->phases[i];
        g_autofree char *name = g_strdup_printf("%u  %s", i + 1, p->name);
        g_autofree char *time = words_phase(o, i);

        add(self, name,
            g_strdup_printf("%s%s%s", time, *time && p->text[0] ? "  " : "", p->text));
    }
}

static void
add_change_of(BscDetail *self, const struct takeovers *t, const char *service)
{
    for (unsigned i = 0; i < t->n; i++)
        if (!strcmp(t->list[i].service, service)) {
            add_change(self, &t->list[i]);
            return;
        }
}

/* Nobody was chosen: what happened last is what one looks for. */
static void
show_change(BscDetail *self, const struct view *v, const struct takeover *o)
{
    int at = view_find_service(v, o->service);
    g_autofree char *title = o->node[0]
                                 ? g_strdup_printf("%s \u2192 %s", o->service, o->node)
                                 : g_strdup(o->service);

    head(self, at < 0 ? CLASS_UNKNOWN : v->services[at].class, title,
        at < 0 ? "" : words_service(v->services[at].state));
    add_change(self, o);
}

static void
show_service(BscDetail *self, const struct view *v, const struct model *m,
    const struct takeovers *changes, int at)
{
    const struct view_service *s = &v->services[at];

    head(self, s->class, s->name, words_service(s->state));
    add(self, _("Reason"), g_strdup(s->reason));
    add(self, _("Last error"), g_strdup(s->error));
    add(self, _("Step"), g_strdup(s->step));
    add(self, _("Active on"), g_strdup(s->active[0] ? s->active : _("no node")));
    add(self, _("Addresses"), g_strdup(s->addresses));
    add(self, _("Policy"), g_strdup(words_policy(s->policy)));
    add(self, _("Epoch"), words_count(s->epoch));
    add(self, _("Connections"), words_count(s->connections));
    if (s->health != NOT_KNOWN)
        add(self, _("Health"), g_strdup(words_health(s->health)));
    if (s->maintenance != NOT_KNOWN)
        add(self, _("Maintenance"), g_strdup(words_truth(s->maintenance)));
    add_standbys(self, v, at);
    add(self, _("Last blackout"),
        s->blackout == 0 ? g_strdup(_("none yet")) : words_ms(s->blackout));
    add(self, _("Last pause"), words_us(s->pause));
    add(self, _("Longest pause"), words_us(s->max_pause));
    add(self, _("Checkpoints"), words_count(s->checkpoint));
    add(self, _("Last checkpoint"),
        s->checkpoint_age == NOT_KNOWN ? words_ms(NOT_KNOWN) : ago(s->checkpoint_age));
    add(self, _("Its size"), words_bytes(s->checkpoint_size));
    add(self, _("Packets held"), words_count(s->held));
    add(self, _("Lease runs for"), words_ms(s->lease));
    add_constraints(self, m, s->name);
    add_change_of(self, changes, s->name);
    if (s->node >= 0)
        add_refusals(self, m, v->nodes[s->node].agent, s->name);
}

static char *
of_total(int64_t free_mib, int64_t total_mib)
{
    g_autofree char *a = NULL, *b = NULL;

    if (free_mib == NOT_KNOWN || total_mib == NOT_KNOWN)
        return words_count(NOT_KNOWN);
    a = words_mib(free_mib);
    b = words_mib(total_mib);
    return g_strdup_printf(_("%s free of %s"), a, b);
}

static char *
names_of(const struct view *v, int node)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; i < v->nservices; i++)
        if (v->services[i].node == node)
            g_string_append_printf(s, "%s%s", s->len ? ", " : "", v->services[i].name);
    return g_string_free(s, FALSE);
}

static void
show_node(BscDetail *self, const struct view *v, const struct model *m, int at)
{
    const struct view_node *n = &v->nodes[at];
    const struct agent *a = n->agent < 0 ? NULL : &m->agents[n->agent];

    head(self, n->class, n->name, words_node(n->state));
    add(self, _("Health"), g_strdup(words_health(n->health)));
    add(self, _("Reason"), g_strdup(n->reason));
    add(self, _("Runs"), names_of(v, at));
    add(self, _("Standby of"),
        g_strdup_printf(
            ngettext("%d service", "%d services", (gulong)n->clones), n->clones));
    if (n->maintenance != NOT_KNOWN)
        add(self, _("Maintenance"), g_strdup(words_truth(n->maintenance)));
    if (n->drain != NOT_KNOWN)
        add(self, _("Drain"), g_strdup(words_drain(n->drain)));
    if (n->load != NOT_KNOWN)
        add(self, _("Load"), g_strdup_printf("%.1f %%", (double)n->load / 10));
    add(self, _("Asked at"),
        a ? g_strdup(a->address) : g_strdup(_("not asked: its address was not given")));
    if (a && a->why[0])
        add(self, _("Trouble"), g_strdup(_(a->why)));
    if (n->cut)
        add(self, _("Device down"), g_strdup(n->down));
    add(self, _("Answers the others"), g_strdup(words_truth(n->answers)));
    add(self, _("Processors"), words_count(n->processors));
    add(self, _("Memory"), of_total(n->memory_free, n->memory_total));
    add(self, _("Disk of the journal"), of_total(n->disk_free, n->disk_total));
    add(self, _("Version"), g_strdup(n->version));
    add(self, _("Number"), words_count(n->id));
}

/* ---- orders ---- */

static void
button_cb(GtkButton *button, gpointer data)
{
    int kind = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(button), "kind"));

    g_signal_emit(data, signals[ORDER], 0, kind);
}

static void
make_buttons(BscDetail *self)
{
    static const struct {
        int kind;
        const char *label;
    } all[] = { { ORDER_SWITCHOVER, N_("_Move\u2026") },
        { ORDER_CHECKPOINT, N_("_Checkpoint now\u2026") },
        { ORDER_POLICY, N_("_Policy\u2026") }, { ORDER_DRAIN, N_("_Drain\u2026") },
        { ORDER_RESUME, N_("_Resume\u2026") },
        { ORDER_MAINTENANCE, N_("Main_tenance\u2026") } };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        GtkWidget *b = gtk_button_new_with_mnemonic(_(all[i].label));

        g_object_set_data(G_OBJECT(b), "kind", GINT_TO_POINTER(all[i].kind));
        g_signal_connect(b, "clicked", G_CALLBACK(button_cb), self);
        gtk_container_add(GTK_CONTAINER(self->orders), b);
        self->buttons[all[i].kind] = b;
    }
}

static void
offer(BscDetail *self, int kind, gboolean visible, gboolean possible, const char *why)
{
    GtkWidget *b = self->buttons[kind];

    gtk_widget_set_visible(b, visible);
    gtk_widget_set_sensitive(b, possible);
    gtk_widget_set_tooltip_text(b, possible ? NULL : why);
}

static void
offer_orders(
    BscDetail *self, const struct view *v, int node, int service, gboolean orders)
{
    const char *old = _("The agent of this node does not take this order");
    const char *busy = _("An order is being carried out already");
    gboolean moving = service >= 0 && v->services[service].order > 0;

    offer(self, ORDER_SWITCHOVER, service >= 0, service >= 0 && !moving, busy);
    offer(self, ORDER_CHECKPOINT, service >= 0, orders, old);
    offer(self, ORDER_POLICY, service >= 0, orders, old);
    offer(
        self, ORDER_DRAIN, node >= 0 && v->nodes[node].drain <= DRAIN_NO, orders, old);
    offer(
        self, ORDER_RESUME, node >= 0 && v->nodes[node].drain > DRAIN_NO, orders, old);
    offer(self, ORDER_MAINTENANCE, TRUE, orders, old);
}

void
bsc_detail_show(BscDetail *self, const struct view *v, const struct model *m,
    const struct takeovers *changes, int node, int service, gboolean orders)
{
    gboolean chosen = node >= 0 || service >= 0, any = chosen || changes->n > 0;

    gtk_widget_set_visible(self->body, any);
    gtk_widget_set_visible(GTK_WIDGET(self->nothing), !any);
    gtk_widget_set_visible(GTK_WIDGET(self->orders), chosen);
    self->n = 0;
    if (service >= 0)
        show_service(self, v, m, changes, service);
    else if (node >= 0)
        show_node(self, v, m, node);
    else if (any)
        show_change(self, v, &changes->list[0]);
    end_rows(self);
    if (chosen)
        offer_orders(self, v, service >= 0 ? -1 : node, service, orders);
}

static void
bsc_detail_class_init(BscDetailClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    signals[ORDER] = g_signal_new("order", BSC_TYPE_DETAIL, G_SIGNAL_RUN_LAST, 0, NULL,
        NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-detail.ui");
    gtk_widget_class_bind_template_child(widget, BscDetail, sign);
    gtk_widget_class_bind_template_child(widget, BscDetail, title);
    gtk_widget_class_bind_template_child(widget, BscDetail, subtitle);
    gtk_widget_class_bind_template_child(widget, BscDetail, nothing);
    gtk_widget_class_bind_template_child(widget, BscDetail, grid);
    gtk_widget_class_bind_template_child(widget, BscDetail, orders);
    gtk_widget_class_bind_template_child(widget, BscDetail, body);
}

static void
bsc_detail_init(BscDetail *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
    make_buttons(self);
}
