/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/announce.h"

#include "gui/words.h"

#include <string.h>

struct known {
    char name[VIEW_NAME], active[VIEW_NAME];
    int64_t state, health;
};

struct announcer {
    GApplication *app; /* borrowed */
    GtkWidget *widget; /* borrowed */
    struct known services[VIEW_SERVICES], nodes[VIEW_NODES];
    unsigned nservices, nnodes;
    gboolean looked;
};

struct announcer *
announcer_new(GApplication *app, GtkWidget *widget)
{
    struct announcer *a = g_new0(struct announcer, 1);

    a->app = app;
    a->widget = widget;
    return a;
}

void
announcer_free(struct announcer *a)
{
    g_free(a);
}

/* One notification for each thing: the newer replaces the older. */
static void
tell(struct announcer *a, const char *about, const char *name, enum view_class class,
    const char *words)
{
    g_autoptr(GNotification) n = g_notification_new(words);
    g_autofree char *id = g_strdup_printf("%s-%s", about, name);
    AtkObject *accessible = gtk_widget_get_accessible(a->widget);

    g_notification_set_body(n, words_class(class));
    g_notification_set_priority(n, class == CLASS_BAD ? G_NOTIFICATION_PRIORITY_URGENT
                                                      : G_NOTIFICATION_PRIORITY_NORMAL);
    if (a->app)
        g_application_send_notification(a->app, id, n);
    atk_object_set_description(accessible, words);
}

static struct known *
find(struct known *list, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return &list[i];
    return NULL;
}

static void
look_at_services(struct announcer *a, const struct view *v, gboolean quiet)
{
    for (unsigned i = 0; i < v->nservices; i++) {
        const struct view_service *s = &v->services[i];
        struct known *k = find(a->services, a->nservices, s->name);

        if (k && !quiet && k->state != s->state) {
            g_autofree char *words = words_service_line(v, i);

            tell(a, "service", s->name, s->class, words);
        } else if (k && !quiet && s->active[0] && k->active[0] &&
                   strcmp(k->active, s->active)) {
            g_autofree char *words = g_strdup_printf(
                _("Service %s moved from %s to %s"), s->name, k->active, s->active);

            tell(a, "service", s->name, s->class, words);
        }
        if (!k && a->nservices < VIEW_SERVICES)
            k = &a->services[a->nservices++];
        if (!k)
            continue;
        g_strlcpy(k->name, s->name, sizeof k->name);
        if (s->active[0])
            g_strlcpy(k->active, s->active, sizeof k->active);
        k->state = s->state;
    }
}

static void
look_at_nodes(struct announcer *a, const struct view *v, gboolean quiet)
{
    for (unsigned i = 0; i < v->nnodes; i++) {
        const struct view_node *n = &v->nodes[i];
        struct known *k = find(a->nodes, a->nnodes, n->name);

        if (k && !quiet && (k->state != n->state || k->health != n->health)) {
            g_autofree char *words = words_node_line(v, i);

            tell(a, "node", n->name, n->class, words);
        }
        if (!k && a->nnodes < VIEW_NODES)
            k = &a->nodes[a->nnodes++];
        if (!k)
            continue;
        g_strlcpy(k->name, n->name, sizeof k->name);
        k->state = n->state;
        k->health = n->health;
    }
}

void
announcer_look(struct announcer *a, const struct view *v, gboolean quiet)
{
    if (v->nservices == 0 && v->nnodes == 0)
        return;
    look_at_nodes(a, v, quiet || !a->looked);
    look_at_services(a, v, quiet || !a->looked);
    a->looked = TRUE;
}
