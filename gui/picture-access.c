/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/picture-access.h"

#include "gui/words.h"

#include <gtk/gtk-a11y.h>

/* ---- one thing in the picture ---- */

typedef struct {
    AtkObject parent;
    GtkWidget *widget; /* borrowed */
    int at;
} PictureThing;
typedef AtkObjectClass PictureThingClass;

static GType picture_thing_get_type(void);
static void picture_thing_component_init(AtkComponentIface *iface);

G_DEFINE_TYPE_WITH_CODE(PictureThing, picture_thing, ATK_TYPE_OBJECT,
    G_IMPLEMENT_INTERFACE(ATK_TYPE_COMPONENT, picture_thing_component_init))

static int
thing_index(AtkObject *object)
{
    return ((PictureThing *)object)->at;
}

static AtkStateSet *
thing_states(AtkObject *object)
{
    AtkStateSet *set =
        ATK_OBJECT_CLASS(picture_thing_parent_class)->ref_state_set(object);

    atk_state_set_add_state(set, ATK_STATE_VISIBLE);
    atk_state_set_add_state(set, ATK_STATE_SHOWING);
    atk_state_set_add_state(set, ATK_STATE_FOCUSABLE);
    return set;
}

static void
thing_extents(
    AtkComponent *component, int *x, int *y, int *w, int *h, AtkCoordType type)
{
    AtkObject *parent = atk_object_get_parent(ATK_OBJECT(component));

    atk_component_get_extents(ATK_COMPONENT(parent), x, y, w, h, type);
}

static void
picture_thing_component_init(AtkComponentIface *iface)
{
    iface->get_extents = thing_extents;
}

static void
picture_thing_class_init(PictureThingClass *class)
{
    class->get_index_in_parent = thing_index;
    class->ref_state_set = thing_states;
}

static void
picture_thing_init(PictureThing *self)
{
    (void)self;
}

/* ---- the picture ---- */

typedef struct {
    GtkWidgetAccessible parent;
    GPtrArray *things; /* AtkObject, owned */
} PictureAccess;
typedef GtkWidgetAccessibleClass PictureAccessClass;

G_DEFINE_TYPE(PictureAccess, picture_access, GTK_TYPE_WIDGET_ACCESSIBLE)

static int
access_count(AtkObject *object)
{
    return (int)((PictureAccess *)object)->things->len;
}

static AtkObject *
access_child(AtkObject *object, int i)
{
    PictureAccess *self = (PictureAccess *)object;

    if (i < 0 || i >= (int)self->things->len)
        return NULL;
    return g_object_ref(g_ptr_array_index(self->things, (guint)i));
}

static void
access_initialize(AtkObject *object, gpointer data)
{
    ATK_OBJECT_CLASS(picture_access_parent_class)->initialize(object, data);
    object->role = ATK_ROLE_LIST;
}

static void
access_finalize(GObject *object)
{
    g_ptr_array_unref(((PictureAccess *)object)->things);
    G_OBJECT_CLASS(picture_access_parent_class)->finalize(object);
}

static void
picture_access_class_init(PictureAccessClass *class)
{
    G_OBJECT_CLASS(class)->finalize = access_finalize;
    ATK_OBJECT_CLASS(class)->get_n_children = access_count;
    ATK_OBJECT_CLASS(class)->ref_child = access_child;
    ATK_OBJECT_CLASS(class)->initialize = access_initialize;
}

static void
picture_access_init(PictureAccess *self)
{
    self->things = g_ptr_array_new_with_free_func(g_object_unref);
}

static char *
line(const struct view *v, guint i)
{
    if (i < v->nnodes)
        return words_node_line(v, i);
    i -= v->nnodes;
    if (i < v->nservices)
        return words_service_line(v, i);
    return words_standby_line(v, i - v->nservices);
}

static void
set_count(PictureAccess *self, GtkWidget *widget, guint n)
{
    while (self->things->len > n) {
        guint last = self->things->len - 1;
        AtkObject *gone = g_object_ref(g_ptr_array_index(self->things, last));

        g_ptr_array_remove_index(self->things, last);
        g_signal_emit_by_name(self, "children-changed::remove", last, gone, NULL);
        g_object_unref(gone);
    }
    while (self->things->len < n) {
        PictureThing *thing = g_object_new(picture_thing_get_type(), NULL);

        thing->widget = widget;
        thing->at = (int)self->things->len;
        atk_object_set_role(ATK_OBJECT(thing), ATK_ROLE_LIST_ITEM);
        atk_object_set_parent(ATK_OBJECT(thing), ATK_OBJECT(self));
        g_ptr_array_add(self->things, thing);
        g_signal_emit_by_name(
            self, "children-changed::add", self->things->len - 1, thing, NULL);
    }
}

void
picture_access_update(GtkWidget *widget, const struct view *v)
{
    PictureAccess *self = (PictureAccess *)gtk_widget_get_accessible(widget);
    g_autofree char *name = NULL, *overall = words_overall(v);

    set_count(self, widget, v->nnodes + v->nservices + v->nstandbys);
    for (guint i = 0; i < self->things->len; i++) {
        AtkObject *thing = g_ptr_array_index(self->things, i);
        g_autofree char *words = line(v, i);

        if (g_strcmp0(atk_object_get_name(thing), words))
            atk_object_set_name(thing, words);
    }
    name = g_strdup_printf(_("Picture of the cluster: %s"), overall);
    if (g_strcmp0(atk_object_get_name(ATK_OBJECT(self)), name))
        atk_object_set_name(ATK_OBJECT(self), name);
}

void
picture_access_focus(GtkWidget *widget, int place)
{
    PictureAccess *self = (PictureAccess *)gtk_widget_get_accessible(widget);

    if (place < 0 || place >= (int)self->things->len)
        return;
    atk_object_notify_state_change(
        g_ptr_array_index(self->things, (guint)place), ATK_STATE_FOCUSED, TRUE);
    g_signal_emit_by_name(self, "active-descendant-changed",
        g_ptr_array_index(self->things, (guint)place), NULL);
}
