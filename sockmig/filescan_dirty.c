/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_dirty.c - what is to be looked at while the service stands still: what
 * inotify tells, and what is found outside of the pause to be other than it is known.
 *
 * A name that is in it without need costs a look; one that is missing would be lost. So
 * whatever is doubtful is in it, and when something that was told is lost, all. */
#include "sockmig/filescan_private.h"

#include "lib/log.h"
#include "lib/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATROL_NODES 64 /* looked at outside of the pause, each PATROL_MS */
#define PATROL_MS 50

void
scan_dirty(struct filescan *s, struct scan_node *node)
{
    if (!node || node->dirty)
        return;
    if (scan_grow((void **)&s->dirty.v, &s->dirty.max, s->dirty.n + 1,
            sizeof *s->dirty.v) < 0)
        log_fatal("state folders: out of memory");
    node->dirty = true;
    s->dirty.v[s->dirty.n++] = node;
}

void
scan_clean(struct filescan *s)
{
    s->dirty.n = 0; /* some of them are freed by now: the others' flags are cleared */
    while (s->nfresh > 0)
        free(s->fresh[--s->nfresh].path);
}

void
scan_all_dirty(struct filescan *s)
{
    for (size_t i = 0; i < s->all.n; i++)
        scan_dirty(s, s->all.v[i]);
}

static int
by_name(const void *a, const void *b)
{
    const struct scan_node *const *x = a, *const *y = b;

    return files_order(&(*x)->e, &(*y)->e);
}

int
scan_was(struct filescan *s)
{
    int ret = scan_grow((void **)&s->was, &s->was_max, s->dirty.n + 1, sizeof *s->was);

    if (ret < 0)
        return ret;
    qsort(s->dirty.v, s->dirty.n, sizeof(struct scan_node *), by_name);
    for (size_t i = 0; i < s->dirty.n; i++)
        s->was[i] = s->dirty.v[i]->e;
    return 0;
}

static void
add_fresh(struct filescan *s, unsigned root, const char *path)
{
    char *copy = strdup(path);

    if (!copy || scan_grow((void **)&s->fresh, &s->fresh_max, s->nfresh + 1,
                     sizeof *s->fresh) < 0)
        log_fatal("state folders: out of memory");
    s->fresh[s->nfresh++] = (struct scan_name){ (uint8_t)root, copy };
}

/* Something happened to that name. */
static void
dirty_name(struct filescan *s, struct scan_node *folder, const char *name)
{
    char path[FILES_PATH];
    struct scan_node *node;
    int n = snprintf(
        path, sizeof path, "%s%s%s", folder->path, folder->path[0] ? "/" : "", name);

    scan_dirty(s, folder);
    if (n < 0 || (size_t)n >= sizeof path) {
        s->lost = true; /* the walk says what is wrong with it */
        return;
    }
    if (strncmp(name, FILES_RESERVED, sizeof FILES_RESERVED - 1) == 0)
        return; /* ours */
    node = scan_find(s, folder->e.root, path);
    if (node)
        node->renamed = true;
    else
        add_fresh(s, folder->e.root, path);
    scan_dirty(s, node);
}

static void
on_event(void *arg, const struct filewatch_event *event)
{
    struct filescan *s = arg;
    struct scan_node *node = s->by_watch[(unsigned)event->wd % SCAN_SLOTS];

    for (; node; node = node->next) {
        if (node->x.wd != event->wd)
            continue;
        scan_dirty(s, node);
        node->x.written |= event->content;
        node->renamed |= event->gone;
        if (event->name)
            dirty_name(s, node, event->name);
    }
}

void
scan_events(struct filescan *s)
{
    if (s->watch && !filewatch_read(s->watch, on_event, s))
        s->lost = true;
}

static void
on_written(void *arg, uint64_t inode)
{
    struct filescan *s = arg;

    for (struct scan_node *n = s->by_inode[inode % SCAN_SLOTS]; n; n = n->next_inode)
        if (n->x.kernel_inode == inode)
            scan_dirty(s, n);
}

/* Calls that fail after they did something, and asynchronous ones: inotify does not
 * tell of them. */
void
scan_told(struct filescan *s)
{
    if (s->watch && s->told)
        filewrites_each(s->writes, on_written, s);
}

void
scan_unwatch(struct filescan *s, const char *reason)
{
    if (s->watch)
        log_warn("state folders: all of their files are looked at for each checkpoint: "
                 "%s",
            reason);
    filewatch_free(s->watch);
    s->watch = NULL;
    s->wants_watch = false;
}

bool
scan_watches(struct filescan *s)
{
    filewatch_free(s->watch);
    s->watch = NULL;
    s->lost = false;
    if (!s->by_watch) {
        s->by_watch = calloc(SCAN_SLOTS, sizeof *s->by_watch);
        s->by_inode = calloc(SCAN_SLOTS, sizeof *s->by_inode);
    }
    if (!s->by_watch || !s->by_inode)
        log_fatal("state folders: out of memory");
    if (s->wants_watch)
        s->watch = filewatch_new(s->fds, s->conf.nroots);
    s->wants_watch = s->watch != NULL;
    return s->wants_watch;
}

void
filescan_rest(struct filescan *s)
{
    filewatch_free(s->watch);
    s->watch = NULL;
}

/* ---- outside of the pause */

static void
suspect(struct filescan *s, struct scan_node *node)
{
    node->renamed = node->x.written = true;
    scan_dirty(s, node);
    if (node->path[0])
        scan_dirty(s, scan_parent(s, node->e.root, node->path));
}

static void
compare(struct filescan *s, struct scan_node *node, const struct files_entry *e,
    const struct scan_extra *x)
{
    if (node->e.inode != e->inode || node->e.size != e->size ||
        node->e.type != e->type || node->x.ctime.tv_sec != x->ctime.tv_sec ||
        node->x.ctime.tv_nsec != x->ctime.tv_nsec)
        suspect(s, node);
}

/* Some of what was told is lost: all that is not as it is known, is dirty. */
static void
find_lost(struct filescan *s)
{
    struct refusals why = { .n = 0 };
    struct scan_list *now = &s->now;
    size_t k = 0;

    s->lost = false; /* what is told from here on is not */
    if (scan_walk(s, false, &why) < 0) {
        s->lost = true; /* the look says why */
        return;
    }
    for (size_t i = 0; i < now->n; i++) {
        while (k < s->all.n && files_order(&s->all.v[k]->e, &now->v[i]) < 0)
            suspect(s, s->all.v[k++]);
        if (k < s->all.n && files_order(&s->all.v[k]->e, &now->v[i]) == 0) {
            if (!s->all.v[k]->x.settled)
                suspect(s, s->all.v[k]);
            compare(s, s->all.v[k++], &now->v[i], &now->x[i]);
            continue;
        }
        add_fresh(s, now->v[i].root, now->v[i].path);
        scan_dirty(s, scan_parent(s, now->v[i].root, now->v[i].path));
    }
    while (k < s->all.n)
        suspect(s, s->all.v[k++]);
}

static void
patrol(struct filescan *s)
{
    struct mono now = mono_clock();

    if (mono_before(now, mono_add_ms(s->patrolled, PATROL_MS)))
        return;
    s->patrolled = now;
    for (unsigned i = 0; i < PATROL_NODES && i < s->all.n; i++) {
        struct scan_node *node = s->all.v[s->patrol++ % s->all.n];
        struct files_entry e = node->e;
        struct scan_extra x = node->x;

        if (node->e.shared || scan_is_mapped(s, &node->x))
            continue; /* looked at each time */
        if (!scan_status(s, node, &e, &x))
            suspect(s, node);
        else
            compare(s, node, &e, &x);
    }
}

void
filescan_prepare(struct filescan *s)
{
    if (!s->watch)
        return;
    scan_events(s);
    if (s->lost)
        find_lost(s);
    else
        patrol(s);
}
