/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/framelog.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
    FILE *file; /* NULL: nobody wants to know */
    gint64 began_us, turn_us;
    gboolean useful, told;
} log_;

/* When the process began, on the same clock (field 22 of /proc/self/stat, proc(5)). */
static gint64
process_began_us(void)
{
    g_autofree char *text = NULL;
    unsigned long long ticks = 0;
    const char *at;
    struct timespec boot, mono;

    if (!g_file_get_contents("/proc/self/stat", &text, NULL, NULL))
        return g_get_monotonic_time();
    at = g_strrstr(text, ")");
    if (!at ||
        sscanf(at,
            ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
            "%*d %llu",
            &ticks) != 1)
        return g_get_monotonic_time();
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (gint64)(ticks * 1000000 / (unsigned long long)sysconf(_SC_CLK_TCK)) -
           (boot.tv_sec - mono.tv_sec) * 1000000;
}

static void
before_cb(GdkFrameClock *clock, gpointer data)
{
    (void)clock;
    (void)data;
    log_.began_us = g_get_monotonic_time();
}

static void
after_cb(GdkFrameClock *clock, gpointer data)
{
    gint64 now = g_get_monotonic_time();

    (void)clock;
    (void)data;
    fprintf(log_.file, "frame %lld\n", (long long)(now - log_.began_us));
    if (log_.useful && !log_.told) {
        log_.told = TRUE;
        fprintf(log_.file, "first %lld\n", (long long)(now - process_began_us()));
    }
    fflush(log_.file);
}

static gboolean
turn_cb(gpointer data)
{
    gint64 now = g_get_monotonic_time();

    (void)data;
    if (log_.turn_us && now - log_.turn_us > 25000)
        fprintf(log_.file, "gap %lld\n", (long long)(now - log_.turn_us));
    log_.turn_us = now;
    return G_SOURCE_CONTINUE;
}

void
framelog_useful(void)
{
    log_.useful = TRUE;
}

void
framelog_start(GtkWidget *window)
{
    const char *path = g_getenv("BASCULE_FRAME_LOG");
    GdkFrameClock *clock;

    log_.file = path ? fopen(path, "we") : NULL;
    if (!log_.file)
        return;
    gtk_widget_realize(window);
    clock = gtk_widget_get_frame_clock(window);
    g_signal_connect(clock, "before-paint", G_CALLBACK(before_cb), NULL);
    g_signal_connect(clock, "after-paint", G_CALLBACK(after_cb), NULL);
    g_timeout_add_full(G_PRIORITY_HIGH, 5, turn_cb, NULL, NULL);
}
