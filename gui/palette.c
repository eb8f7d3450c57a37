/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/palette.h"

#include <string.h>

/* On white and on dark grey; at least 4.5:1 each (WCAG 2.1, AA). */
static const char *const light[N_CLASSES] = { "#5e5c64", "#1a7a3c", "#1a5fb4",
    "#8f5600", "#b8101f" };
static const char *const dark[N_CLASSES] = { "#c0bfbc", "#6fdc94", "#8ec0ff", "#f6c945",
    "#ff9088" };

static void
look_up(GtkStyleContext *style, const char *name, const char *other, GdkRGBA *out)
{
    if (!style || !gtk_style_context_lookup_color(style, name, out))
        gdk_rgba_parse(out, other);
}

static GdkRGBA
mix(const GdkRGBA *a, const GdkRGBA *b, double of_b)
{
    GdkRGBA c = { a->red + (b->red - a->red) * of_b,
        a->green + (b->green - a->green) * of_b, a->blue + (b->blue - a->blue) * of_b,
        1 };

    return c;
}

void
palette_read(struct palette *p, GtkWidget *widget)
{
    GtkStyleContext *style = widget ? gtk_widget_get_style_context(widget) : NULL;
    g_autofree char *theme = NULL;

    look_up(style, "theme_bg_color", "#f6f5f4", &p->ground);
    look_up(style, "theme_base_color", "#ffffff", &p->card);
    look_up(style, "theme_fg_color", "#2e3436", &p->text);
    look_up(style, "theme_selected_bg_color", "#3584e4", &p->accent);
    p->dark = p->card.red * 0.3 + p->card.green * 0.59 + p->card.blue * 0.11 < 0.5;
    if (widget)
        g_object_get(gtk_widget_get_settings(widget), "gtk-theme-name", &theme, NULL);
    p->high = theme && g_str_has_prefix(theme, "HighContrast");
    p->line = mix(&p->card, &p->text, p->high ? 1 : 0.25);
    p->faint = mix(&p->card, &p->text, p->high ? 1 : 0.68);
    for (int i = 0; i < N_CLASSES; i++) {
        gdk_rgba_parse(&p->class[i], p -> dark ? dark[i] : light[i]);
        p->tint[i] = p->high ? p->card
                             : mix(&p->card, &p->class[i], p -> dark ? 0.22 : 0.12);
    }
}

void
palette_set(cairo_t *cr, const GdkRGBA *c)
{
    cairo_set_source_rgb(cr, c->red, c->green, c->blue);
}
