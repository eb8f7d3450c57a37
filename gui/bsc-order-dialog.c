/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/bsc-order-dialog.h"

#include "gui/words.h"

#include <string.h>

struct _BscOrderDialog {
    GtkDialog parent;
    GtkStack *stack;
    GtkLabel *question, *feel, *choice_label, *forecast, *progress, *step, *result,
        *sign;
    GtkComboBoxText *choice;
    GtkSpinner *spinner;
    GtkWidget *give, *cancel, *close;
    struct source *source; /* borrowed */
    struct order order;
    gint64 began_us;
    gboolean started, ended;
};

G_DEFINE_TYPE(BscOrderDialog, bsc_order_dialog, GTK_TYPE_DIALOG)

/* ---- the question ---- */

static char *
target_words(const struct view *v, int service, int node)
{
    const struct view_node *n = &v->nodes[node];

    for (unsigned i = 0; i < v->nstandbys; i++) {
        const struct view_standby *b = &v->standbys[i];

        if (b->service_at == service && b->node == node) {
            g_autofree char *lag = words_lag(b->lag);

            return g_strdup_printf(_("%s \u2014 standby %s, %s; %s"), n->name,
                words_standby(b->state), lag, words_health(n->health));
        }
    }
    return g_strdup_printf(
        _("%s \u2014 no standby; %s"), n->name, words_health(n->health));
}

/* What the supervisor would do now, in its own words. */
static void
show_forecast(BscOrderDialog *self, const struct view_service *s)
{
    g_autofree char *words = NULL;

    if (s->next[0])
        words = g_strdup_printf(
            _("Left to choose, the supervisor would move it to %s: %s."), s->next,
            words_said(s->next_why));
    else if (s->next_why[0])
        words = g_strdup_printf(
            _("The supervisor would refuse: %s."), words_said(s->next_why));
    else
        words = g_strdup(
            _("Where it would go is not known: the agent has no forecast."));
    if (g_strcmp0(gtk_label_get_text(self->forecast), words))
        gtk_label_set_text(self->forecast, words);
}

static void
fill_targets(BscOrderDialog *self, const struct view *v, int service)
{
    gtk_combo_box_text_append(self->choice, "", _("Let the supervisor choose"));
    for (unsigned i = 0; i < v->nnodes; i++) {
        g_autofree char *target = NULL;

        if ((int)i == v->services[service].node || v->nodes[i].state != NODE_ONLINE)
            continue;
        target = target_words(v, service, (int)i);
        gtk_combo_box_text_append(self->choice, v->nodes[i].name, target);
    }
}

static char *
feel_switchover(const struct view_service *s)
{
    g_autofree char *last = words_ms(s->blackout);

    if (s->state != SERVICE_PROTECTED)
        return g_strdup(
            _("The service is not protected now. Unless that changes, its "
              "connections cannot be moved, and the order will be refused."));
    if (s->blackout == NOT_KNOWN || s->blackout == 0)
        return g_strdup(
            _("Clients keep their connections. They get no answer for the time of "
              "the hand-over, usually well below a second; nothing is lost."));
    return g_strdup_printf(
        _("Clients keep their connections. They get no answer for the time "
          "of the hand-over (last time: %s); nothing is lost."),
        last);
}

static void
ask_switchover(BscOrderDialog *self, const struct view *v, int service)
{
    const struct view_service *s = &v->services[service];
    g_autofree char *question = g_strdup_printf(
        _("Move %s away from %s?"), s->name, s->active);
    g_autofree char *feel = feel_switchover(s);

    gtk_label_set_text(self->question, question);
    gtk_label_set_text(self->feel, feel);
    gtk_label_set_text_with_mnemonic(self->choice_label, _("_To"));
    fill_targets(self, v, service);
    show_forecast(self, s);
    gtk_combo_box_set_active(GTK_COMBO_BOX(self->choice), 0);
    gtk_button_set_label(GTK_BUTTON(self->give), _("_Move"));
}

static void
ask_drain(BscOrderDialog *self, const struct view *v, int node)
{
    const struct view_node *n = &v->nodes[node];
    g_autofree char *question = g_strdup_printf(_("Empty node %s?"), n->name);
    g_autofree char *feel = g_strdup_printf(
        ngettext(
            "%d service is moved to another node. Its clients keep their connections "
            "and "
            "wait for the hand-over. The node takes over nothing until it is resumed.",
            "%d services are moved to other nodes, one after the other. Their clients "
            "keep "
            "their connections and wait for the hand-over. The node takes over nothing "
            "until "
            "it is resumed.",
            (gulong)n->active),
        n->active);

    gtk_label_set_text(self->question, question);
    gtk_label_set_text(self->feel, feel);
    gtk_button_set_label(GTK_BUTTON(self->give), _("_Drain"));
}

static void
ask_resume(BscOrderDialog *self, const struct view *v, int node)
{
    g_autofree char *question = g_strdup_printf(
        _("Let node %s take services again?"), v->nodes[node].name);

    gtk_label_set_text(self->question, question);
    gtk_label_set_text(
        self->feel, _("Clients feel nothing now. The node may be chosen again; "
                      "services come back to it if their placement says so."));
    gtk_button_set_label(GTK_BUTTON(self->give), _("_Resume"));
}

static void
ask_maintenance(BscOrderDialog *self, const struct view *v, int node, int service)
{
    int64_t now = service >= 0 ? v->services[service].maintenance
                  : node >= 0  ? v->nodes[node].maintenance
                               : v->maintenance;
    const char *name = service >= 0 ? v->services[service].name
                       : node >= 0  ? v->nodes[node].name
                                    : _("the whole cluster");
    gboolean on = now != MIB_TRUE;
    g_autofree char *question = g_strdup_printf(
        on ? _("Begin maintenance of %s?") : _("End maintenance of %s?"), name);

    gtk_label_set_text(self->question, question);
    gtk_label_set_text(self->feel,
        on ? _("Clients feel nothing now. But until it ends nothing is started, taken "
               "over or "
               "moved there: if a node fails meanwhile, its clients get no answer.")
           : _("Clients feel nothing. From then on a failure is answered by a takeover "
               "again."));
    g_strlcpy(self->order.value, on ? "on" : "off", sizeof self->order.value);
    gtk_button_set_label(GTK_BUTTON(self->give), on ? _("_Begin") : _("_End"));
}

static void
ask_policy(BscOrderDialog *self, const struct view *v, int service)
{
    static const char *const words[] = {
        N_("commit \u2014 any server; answers wait for a "
           "checkpoint, connections survive"),
        N_("replay \u2014 lowest latency, for servers whose output follows from their "
           "input"),
        N_("warm \u2014 no added latency; after a failure connections are reset"),
        N_("cold \u2014 the command is started afresh after a failure")
    };
    static const char *const ids[] = { "commit", "replay", "warm", "cold" };
    g_autofree char *question = g_strdup_printf(
        _("Change how %s is protected?"), v->services[service].name);

    gtk_label_set_text(self->question, question);
    gtk_label_set_text(self->feel,
        _("Clients keep their connections. From now on answers wait, and a failure is "
          "felt, as "
          "the policy says; the supervisor refuses what this version cannot do."));
    gtk_label_set_text_with_mnemonic(self->choice_label, _("_Policy"));
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        gtk_combo_box_text_append(self->choice, ids[i], _(words[i]));
    gtk_combo_box_set_active(
        GTK_COMBO_BOX(self->choice), (int)CLAMP(v->services[service].policy - 1, 0, 3));
    gtk_button_set_label(GTK_BUTTON(self->give), _("_Change"));
}

static void
ask_checkpoint(BscOrderDialog *self, const struct view *v, int service)
{
    const struct view_service *s = &v->services[service];
    g_autofree char *question = g_strdup_printf(
        _("Take a checkpoint of %s now?"), s->name);
    g_autofree char *pause = words_us(s->pause);
    g_autofree char *feel = g_strdup_printf(
        _("The service is stopped for a moment (last pause: %s). Clients do not "
          "notice."),
        pause);

    gtk_label_set_text(self->question, question);
    gtk_label_set_text(self->feel, feel);
    gtk_button_set_label(GTK_BUTTON(self->give), _("_Take it"));
}

static void
ask(BscOrderDialog *self, const struct view *v, int kind, int node, int service)
{
    gboolean choice = kind == ORDER_SWITCHOVER || kind == ORDER_POLICY;

    self->order.kind = kind;
    if (service >= 0)
        g_strlcpy(
            self->order.service, v->services[service].name, sizeof self->order.service);
    if (node >= 0)
        g_strlcpy(self->order.node, v->nodes[node].name, sizeof self->order.node);
    gtk_widget_set_visible(GTK_WIDGET(self->choice), choice);
    gtk_widget_set_visible(GTK_WIDGET(self->choice_label), choice);
    if (kind == ORDER_SWITCHOVER)
        ask_switchover(self, v, service);
    else if (kind == ORDER_DRAIN)
        ask_drain(self, v, node);
    else if (kind == ORDER_RESUME)
        ask_resume(self, v, node);
    else if (kind == ORDER_POLICY)
        ask_policy(self, v, service);
    else if (kind == ORDER_CHECKPOINT)
        ask_checkpoint(self, v, service);
    else
        ask_maintenance(self, v, node, service);
}

/* ---- progress and result ---- */

static void
end_with(
    BscOrderDialog *self, enum view_class class, const char *words, const char *text)
{
    g_autofree char *all = text && text[0]
                               ? g_strdup_printf("%s\n%s", words, words_said(text))
                               : g_strdup(words);

    self->ended = TRUE;
    gtk_label_set_text(self->sign, words_sign(class));
    gtk_label_set_text(self->result, all);
    gtk_spinner_stop(self->spinner);
    gtk_stack_set_visible_child_name(self->stack, "result");
    gtk_widget_hide(self->give);
    gtk_widget_hide(self->cancel);
    gtk_widget_show(self->close);
    gtk_widget_grab_focus(self->close);
}

static void
progress_cb(enum order_stage stage, const char *text, int64_t number, void *arg)
{
    BscOrderDialog *self = arg;
    g_autofree char *words = NULL;

    switch (stage) {
    case ORDER_SENDING:
        gtk_label_set_text(self->progress, _("Giving the order\u2026"));
        break;
    case ORDER_DECIDING:
        gtk_label_set_text(self->progress, _("The supervisor decides\u2026"));
        break;
    case ORDER_RUNNING:
        words = g_strdup_printf(_("Order %d is being carried out\u2026"), (int)number);
        gtk_label_set_text(self->progress, words);
        break;
    case ORDER_DONE:
        words = g_strdup_printf(_("Done after %.1f s."),
            (double)(g_get_monotonic_time() - self->began_us) / 1e6);
        end_with(self, CLASS_GOOD, words, text);
        break;
    case ORDER_FAILED:
        end_with(self, CLASS_BAD, _("The order came to nothing."), text);
        break;
    case ORDER_REFUSED:
        end_with(
            self, CLASS_BAD, _("The order was refused. Nothing has changed."), text);
        break;
    case ORDER_NO_RIGHT:
        end_with(self, CLASS_BAD,
            _("This user may not give orders. Connect as an operator (SNMPv3, "
              "authPriv, with "
              "the right to write)."),
            text);
        break;
    case ORDER_UNANSWERED:
        end_with(self, CLASS_WARN,
            _("Nobody answered. The order may still be carried out: look into the "
              "journal."),
            text);
        break;
    }
}

void
bsc_order_dialog_show(BscOrderDialog *self, const struct view *v)
{
    int at = view_find_service(v, self->order.service);
    g_autofree char *words = NULL;

    if (at >= 0 && !self->started && self->order.kind == ORDER_SWITCHOVER)
        show_forecast(self, &v->services[at]);
    if (!self->started || self->ended || at < 0)
        return;
    if (v->services[at].step[0])
        words = g_strdup_printf(_("Step: %s"), v->services[at].step);
    gtk_label_set_text(self->step, words ? words : "");
}

static void
give_cb(GtkButton *button, gpointer data)
{
    BscOrderDialog *self = data;
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(self->choice));

    (void)button;
    if (self->order.kind == ORDER_SWITCHOVER)
        g_strlcpy(self->order.node, id ? id : "", sizeof self->order.node);
    if (self->order.kind == ORDER_POLICY)
        g_strlcpy(self->order.value, id ? id : "", sizeof self->order.value);
    self->started = TRUE;
    self->began_us = g_get_monotonic_time();
    gtk_widget_hide(self->give);
    gtk_button_set_label(GTK_BUTTON(self->cancel), _("_Hide"));
    gtk_spinner_start(self->spinner);
    gtk_stack_set_visible_child_name(self->stack, "progress");
    if (!source_order(self->source, &self->order, progress_cb, self))
        end_with(self, CLASS_BAD,
            _("No order can be given now: nobody answers, or another one is on its "
              "way."),
            "");
}

static void
closing_cb(GtkButton *button, gpointer data)
{
    (void)button;
    gtk_widget_destroy(GTK_WIDGET(data));
}

static void
bsc_order_dialog_dispose(GObject *object)
{
    BscOrderDialog *self = BSC_ORDER_DIALOG(object);

    if (self->started && self->source)
        source_forget_order(self->source);
    self->source = NULL;
    G_OBJECT_CLASS(bsc_order_dialog_parent_class)->dispose(object);
}

GtkWidget *
bsc_order_dialog_new(GtkWindow *parent, struct source *source, const struct view *view,
    int kind, int node, int service)
{
    BscOrderDialog *self = g_object_new(
        BSC_TYPE_ORDER_DIALOG, "use-header-bar", 0, NULL);

    if (parent)
        gtk_window_set_transient_for(GTK_WINDOW(self), parent);
    self->source = source;
    gtk_window_set_title(GTK_WINDOW(self), words_order(kind));
    ask(self, view, kind, node, service);
    gtk_widget_grab_focus(self->cancel);
    return GTK_WIDGET(self);
}

static void
bsc_order_dialog_class_init(BscOrderDialogClass *class)
{
    GtkWidgetClass *widget = GTK_WIDGET_CLASS(class);

    G_OBJECT_CLASS(class)->dispose = bsc_order_dialog_dispose;
    gtk_widget_class_set_template_from_resource(
        widget, "/org/bascule/Console/bsc-order-dialog.ui");
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, stack);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, question);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, feel);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, choice_label);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, choice);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, forecast);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, progress);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, step);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, result);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, sign);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, spinner);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, give);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, cancel);
    gtk_widget_class_bind_template_child(widget, BscOrderDialog, close);
    gtk_widget_class_bind_template_callback(widget, give_cb);
    gtk_widget_class_bind_template_callback(widget, closing_cb);
}

static void
bsc_order_dialog_init(BscOrderDialog *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
}
