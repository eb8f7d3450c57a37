/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_nodes.c - what is known of the state folders: a node for each name, in the
 * order of names and by its watch.
 *
 * Nodes stay where they are as long as their names do, so that a look changes only what
 * it looked at. */
#include "sockmig/filescan_private.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
scan_grow(void **p, size_t *max, size_t want, size_t each)
{
    size_t more = *max ? 2 * *max : 1024;
    void *q;

    if (want <= *max)
        return 0;
    while (more < want)
        more *= 2;
    q = realloc(*p, more * each);
    if (!q)
        return -ENOMEM;
    *p = q;
    *max = more;
    return 0;
}

/* Where the first of the first @n is that is not before it. */
static size_t
place(const struct filescan *s, size_t n, const struct files_entry *name)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (files_order(&s->all.v[middle]->e, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t
scan_place(const struct filescan *s, const struct files_entry *name)
{
    return place(s, s->all.n, name);
}

struct scan_node *
scan_find(const struct filescan *s, unsigned root, const char *path)
{
    struct files_entry name = { .root = (uint8_t)root, .path = path };
    size_t at = scan_place(s, &name);

    return at < s->all.n && files_order(&s->all.v[at]->e, &name) == 0 ? s->all.v[at]
                                                                      : NULL;
}

struct scan_node *
scan_parent(const struct filescan *s, unsigned root, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[FILES_PATH];
    size_t n = slash ? (size_t)(slash - path) : 0;

    memcpy(parent, path, n);
    parent[n] = '\0';
    return scan_find(s, root, parent);
}

struct files_entry *
scan_flat(const struct filescan *s)
{
    struct files_entry *v = malloc((s->all.n + 1) * sizeof *v);

    for (size_t i = 0; v && i < s->all.n; i++)
        v[i] = s->all.v[i]->e;
    return v;
}

/* ---- by watch */

static struct scan_node **
slot(const struct filescan *s, int wd)
{
    return &s->by_watch[(unsigned)wd % SCAN_SLOTS];
}

static void
bind(struct filescan *s, struct scan_node *node)
{
    struct scan_node **at;

    if (node->x.wd <= 0)
        return;
    at = slot(s, node->x.wd);
    node->next = *at;
    *at = node;
    at = &s->by_inode[node->x.kernel_inode % SCAN_SLOTS];
    node->next_inode = *at;
    *at = node;
}

static void
unbind(struct filescan *s, struct scan_node *node)
{
    struct scan_node **at;

    if (node->x.wd <= 0)
        return;
    at = slot(s, node->x.wd);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    at = &s->by_inode[node->x.kernel_inode % SCAN_SLOTS];
    while (*at != node)
        at = &(*at)->next_inode;
    *at = node->next_inode;
}

static bool
is_bound(const struct filescan *s, int wd)
{
    for (const struct scan_node *n = *slot(s, wd); n; n = n->next)
        if (n->x.wd == wd)
            return true;
    return false;
}

/* ---- what is there instead of what was */

static void
free_node(struct scan_node *node)
{
    free(node->x.hashes);
    free((char *)node->e.target);
    free(node);
}

static void
count(struct filescan *s, const struct files_entry *e, bool more)
{
    if (e->type != FILES_FILE)
        return;
    s->files += more ? 1 : -1ull;
    s->bytes += more ? e->size : -e->size;
}

/* Takes what the entry owns. */
static void
fill_node(struct filescan *s, struct scan_node *node, const struct files_entry *e,
    struct scan_extra *x)
{
    const char *target = e->target ? strdup(e->target) : NULL;

    if (e->target && !target)
        log_fatal("state folders: out of memory");
    free((char *)node->e.target);
    free(node->x.hashes);
    node->e = *e;
    node->x = *x;
    x->hashes = NULL;
    node->e.path = node->path;
    node->e.target = target;
    node->e.touched = node->dirty = node->renamed = node->replaced = false;
    bind(s, node);
    count(s, e, true);
}

static struct scan_node *
new_node(const struct files_entry *e)
{
    size_t n = strlen(e->path) + 1;
    struct scan_node *node = calloc(1, sizeof *node + n);

    if (!node)
        log_fatal("state folders: out of memory");
    memcpy(node->path, e->path, n);
    return node;
}

/* From behind, so that each is moved once: what stays lies in front of .end and from
 * .to on. */
static void
remove_nodes(struct filescan *s, struct scan_node **gone, size_t n)
{
    struct scan_node **v = s->all.v;
    size_t end = s->all.n, to = s->all.n;

    for (size_t i = n; i-- > 0;) {
        size_t at = place(s, end, &gone[i]->e), stay = end - at - 1;

        to -= stay;
        memmove(&v[to], &v[at + 1], stay * sizeof *v);
        end = at;
    }
    memmove(&v[end], &v[to], (s->all.n - to) * sizeof *v);
    s->all.n = end + (s->all.n - to);
    for (size_t i = 0; i < n; i++)
        free_node(gone[i]);
}

static void
insert_nodes(struct filescan *s, struct scan_node *const *come, size_t n)
{
    size_t end = s->all.n;

    if (scan_grow((void **)&s->all.v, &s->all.max, s->all.n + n, sizeof *s->all.v) < 0)
        log_fatal("state folders: out of memory");
    s->all.n += n;
    for (size_t i = n; i-- > 0;) {
        size_t at = place(s, end, &come[i]->e);

        memmove(&s->all.v[at + i + 1], &s->all.v[at], (end - at) * sizeof *s->all.v);
        s->all.v[at + i] = come[i];
        end = at;
    }
}

struct commit {
    struct scan_node **gone, **come, **now; /* .now: of s->now */
    size_t ngone, ncome;
    int *wds; /* of s->dirty */
};

static void
begin_commit(struct filescan *s, struct commit *c)
{
    size_t n = s->dirty.n;

    *c = (struct commit){ .gone = calloc(n + 1, sizeof *c->gone),
        .come = calloc(s->now.n + 1, sizeof *c->come),
        .now = calloc(s->now.n + 1, sizeof *c->now),
        .wds = calloc(n + 1, sizeof *c->wds) };
    if (!c->gone || !c->come || !c->now || !c->wds)
        log_fatal("state folders: out of memory");
    for (size_t i = 0; i < n; i++) {
        c->wds[i] = s->dirty.v[i]->x.wd;
        unbind(s, s->dirty.v[i]);
        count(s, &s->dirty.v[i]->e, false);
    }
}

/* Both are sorted: what has the same name is the same node. */
static void
merge(struct filescan *s, struct commit *c)
{
    struct scan_list *now = &s->now;
    size_t k = 0;

    for (size_t i = 0; i < now->n; i++) {
        while (k < s->dirty.n && files_order(&s->dirty.v[k]->e, &now->v[i]) < 0)
            c->gone[c->ngone++] = s->dirty.v[k++];
        if (k < s->dirty.n && files_order(&s->dirty.v[k]->e, &now->v[i]) == 0)
            c->now[i] = s->dirty.v[k++];
        else
            c->now[i] = c->come[c->ncome++] = new_node(&now->v[i]);
        fill_node(s, c->now[i], &now->v[i], &now->x[i]);
    }
    while (k < s->dirty.n)
        c->gone[c->ngone++] = s->dirty.v[k++];
}

/* Who writes to a named pipe changes its times, and is not watched: that would be much.
 * Names of a file that has several are looked at together, and the folders that they
 * are in: which of them is the file's first may change. */
static void
mark_restless(struct filescan *s, struct scan_node *node)
{
    bool foreign = node->x.foreign && s->now_s - node->x.foreign <= SCAN_FOREIGN_S;

    if (node->e.shared || node->e.type == FILES_FIFO || node->x.look ||
        node->x.unknown || foreign)
        scan_dirty(s, node);
    if (node->e.shared)
        scan_dirty(s, scan_parent(s, node->e.root, node->path));
}

void
scan_commit(struct filescan *s)
{
    size_t nwas = s->dirty.n;
    struct commit c;

    begin_commit(s, &c);
    merge(s, &c);
    remove_nodes(s, c.gone, c.ngone);
    insert_nodes(s, c.come, c.ncome);
    scan_clean(s);
    for (size_t i = 0; i < nwas && s->watch; i++)
        if (c.wds[i] > 0 && !is_bound(s, c.wds[i])) /* without a name */
            filewatch_remove(s->watch, c.wds[i]);
    for (size_t i = 0; i < s->now.n && s->watch; i++)
        mark_restless(s, c.now[i]);
    free(c.gone);
    free(c.come);
    free(c.now);
    free(c.wds);
}

void
scan_nodes_clear(struct filescan *s)
{
    for (size_t i = 0; i < s->all.n; i++)
        free_node(s->all.v[i]);
    s->all.n = s->dirty.n = 0;
    s->files = s->bytes = 0;
    if (s->by_watch) {
        memset(s->by_watch, 0, SCAN_SLOTS * sizeof *s->by_watch);
        memset(s->by_inode, 0, SCAN_SLOTS * sizeof *s->by_inode);
    }
}
