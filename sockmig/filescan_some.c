/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_some.c - a look at what is dirty, and at nothing else. */
#include "sockmig/filescan_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    const char *path;
    struct scan_node *node; /* NULL: it is not known */
    uint8_t root;
};

static int
item_order(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->root != y->root ? (x->root < y->root ? -1 : 1) : strcmp(x->path, y->path);
}

static void
replace_below(struct filescan *s, struct scan_node *folder)
{
    char path[FILES_PATH + 1];
    struct files_entry name = { .root = folder->e.root, .path = path };
    int n = snprintf(path, sizeof path, "%s/", folder->path);

    folder->replaced = true;
    for (size_t i = scan_place(s, &name); i < s->all.n; i++) {
        struct scan_node *node = s->all.v[i];

        if (node->e.root != name.root || strncmp(node->path, path, (size_t)n) != 0)
            break;
        node->replaced = true;
        scan_dirty(s, node);
    }
}

static int
walk_below(struct walk *w)
{
    struct files_entry e = { .root = (uint8_t)w->root, .path = w->path };
    int fd = scan_open(w->s, &e);

    if (fd < 0)
        return fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR ? 0 : fd;
    w->depth = 1;
    for (const char *at = w->path; (at = strchr(at, '/')) != NULL; at++)
        w->depth++;
    return scan_dir(w, fd);
}

static int
add_item(struct walk *w, unsigned root, const char *path, const struct scan_node *node,
    bool *is_dir)
{
    w->root = root;
    w->known = node;
    snprintf(w->path, sizeof w->path, "%s", path);
    return scan_add(w, w->s->fds[root], path, is_dir);
}

static int
look_at(struct walk *w, const struct item *it)
{
    struct scan_node *parent = it->path[0] ? scan_parent(w->s, it->root, it->path)
                                           : NULL;
    struct scan_node *node = it->node;
    bool was_dir = node && node->e.type == FILES_DIR, is_dir = false, same;
    size_t at = w->list->n;
    int ret;

    if (it->path[0] && (!parent || parent->replaced || parent->e.type != FILES_DIR))
        return 0; /* found by whoever looks at what its folder is now */
    ret = add_item(w, it->root, it->path, node, &is_dir);
    if (ret < 0)
        return ret;
    same = was_dir && is_dir && w->list->v[at].inode == node->e.inode;
    if (was_dir && !same)
        replace_below(w->s, node);
    if (is_dir && !same)
        ret = walk_below(w);
    if (ret == 0 && w->list->n > at && w->list->v[at].shared && !parent->dirty) {
        scan_dirty(w->s, parent); /* names in it may change roles */
        ret = add_item(w, it->root, parent->path, parent, &is_dir);
    }
    return ret;
}

static size_t
list_items(struct filescan *s, struct item *v)
{
    size_t n = 0;

    for (size_t i = 0; i < s->dirty.n; i++)
        v[n++] = (struct item){ s->dirty.v[i]->path, s->dirty.v[i],
            s->dirty.v[i]->e.root };
    for (size_t i = 0; i < s->nfresh; i++)
        v[n++] = (struct item){ s->fresh[i].path, NULL, s->fresh[i].root };
    qsort(v, n, sizeof *v, item_order); /* folders before what is in them */
    return n;
}

int
scan_some(struct filescan *s, struct refusals *why)
{
    struct walk w = {
        .s = s, .list = &s->now, .why = why, .watching = true, .some = true
    };
    struct item *v = calloc(s->dirty.n + s->nfresh + 1, sizeof *v);
    int ret = v ? scan_open_roots(s, why) : -ENOMEM;
    size_t n = ret == 0 ? list_items(s, v) : 0;

    scan_list_clear(w.list);
    clock_gettime(CLOCK_REALTIME, &w.now);
    for (size_t i = 0; i < n && ret == 0; i++)
        if (i == 0 || item_order(&v[i - 1], &v[i]) != 0)
            ret = look_at(&w, &v[i]);
    free(v);
    return ret == 0 ? scan_finish(&w) : ret;
}
