/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files_delta.c - what turns one list of files into another.
 *
 * Order: files that changed their names are set aside (any of them may have got the
 * name of another), then what is gone goes, from the leaves up; what is new comes, from
 * the root down; last what was set aside gets its new names.  Attributes follow the
 * content, since writing changes times. */
#include "sockmig/core/files.h"

#include <string.h>

bool
files_same(const struct files_entry *was, const struct files_entry *now)
{
    bool other = was->inode != now->inode && was->inode && now->inode;

    if (was->type != now->type)
        return false;
    if (now->type == FILES_SYMLINK)
        return strcmp(was->target, now->target) == 0 &&
               (!was->shared || was->inode == now->inode);
    if (now->type == FILES_LINK)
        return !other && strcmp(was->target, now->target) == 0;
    /* written in place, other names of the old file would show it too */
    return now->type == FILES_DIR ||
           (was->shared == now->shared && !(other && (was->shared || now->shared)));
}

static size_t
slot_of(const struct files_table *t, uint64_t inode)
{
    return (size_t)((inode * 0x9e3779b97f4a7c15ull) >> 32) & (t->size - 1);
}

static bool
may_move(const struct files_entry *e)
{
    return e->type == FILES_FILE && !e->shared && e->inode;
}

/* The old entry of this inode in the same folder; NULL. */
static const struct files_entry *
of_inode(const struct files_lists *l, const struct files_entry *now)
{
    const struct files_table *t = &l->moved;

    for (size_t at = slot_of(t, now->inode); t->slots[at];
         at = (at + 1) & (t->size - 1)) {
        const struct files_entry *e = &l->was[t->slots[at] - 1];

        if (e->inode == now->inode && e->root == now->root)
            return e;
    }
    return NULL;
}

/* A file that is seen under two names was renamed while it was looked for: it moves
 * once. */
static void
find_moves(struct files_lists *l)
{
    struct files_table *t = &l->moved;

    memset(t->slots, 0, t->size * sizeof *t->slots);
    memset(t->to, 0, l->nwas * sizeof *t->to);
    for (size_t i = 0; i < l->nwas; i++) {
        size_t at = slot_of(t, l->was[i].inode);

        while (t->slots[at])
            at = (at + 1) & (t->size - 1);
        if (may_move(&l->was[i]))
            t->slots[at] = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < l->nnow; i++) {
        const struct files_entry *e = may_move(&l->now[i]) ? of_inode(l, &l->now[i])
                                                           : NULL;

        if (e && strcmp(e->path, l->now[i].path) != 0 && !t->to[e - l->was])
            t->to[e - l->was] = (uint32_t)i + 1;
    }
}

/* What @now was under another name; NULL: nothing. */
static const struct files_entry *
moved_from(const struct files_lists *l, const struct files_entry *now)
{
    const struct files_entry *e = l->moved.size && may_move(now) ? of_inode(l, now)
                                                                 : NULL;

    return e && l->moved.to[e - l->was] == (uint32_t)(now - l->now) + 1 ? e : NULL;
}

static bool
was_taken(const struct files_lists *l, const struct files_entry *was)
{
    return l->moved.size && l->moved.to[was - l->was];
}

/* What is there under the name of @now, and stays. */
static const struct files_entry *
in_place(const struct files_lists *l, const struct files_entry *now)
{
    const struct files_entry *was = files_find(l->was, l->nwas, now);

    return was && files_same(was, now) && !was_taken(l, was) ? was : NULL;
}

const struct files_entry *
files_before(const struct files_lists *l, const struct files_entry *now)
{
    const struct files_entry *was = moved_from(l, now);

    return was ? was : in_place(l, now);
}

/* Where it is in the old list: no two moves have the same number. */
static uint64_t
move_number(const struct files_lists *l, const struct files_entry *was)
{
    return l->numbers + (uint64_t)(was - l->was) + 1;
}

static const char *
folder_of(const char *path, char *to)
{
    size_t n = strlen(path);

    while (n > 0 && path[n - 1] != '/')
        n--;
    memcpy(to, path, n);
    to[n ? n - 1 : 0] = '\0';
    return to;
}

struct watched { /* emit, and the folders in which it changes names */
    struct files_lists *l;
    files_emit *emit;
    void *arg;
};

static void
emit_in_folder(void *arg, const struct files_op *op)
{
    struct watched *w = arg;
    struct files_entry name = { .root = op->root };
    const struct files_entry *folder;
    char path[FILES_PATH];

    name.path = folder_of(op->path, path);
    folder = files_find(w->l->now, w->l->nnow, &name);
    if (folder)
        w->l->now[folder - w->l->now].touched = true;
    w->emit(w->arg, op);
}

static void
take_moved(const struct files_lists *l, files_emit *emit, void *arg)
{
    for (size_t i = 0; l->moved.size && i < l->nnow; i++) {
        const struct files_entry *was = moved_from(l, &l->now[i]);

        if (was)
            emit(arg, &(struct files_op){ .kind = FILES_TAKE,
                          .root = was->root,
                          .path = was->path,
                          .size = move_number(l, was) });
    }
}

/* It has its name still, or was set aside. */
static bool
stays(const struct files_lists *l, const struct files_entry *was)
{
    const struct files_entry *now = files_find(l->now, l->nnow, was);

    return was_taken(l, was) || (now && files_before(l, now) == was);
}

/* It lies in a folder that is dropped as a whole.  That need not be the last one that
 * was dropped: "a-b" is between "a" and "a/b". */
static bool
goes_with_folder(const struct files_lists *l, const struct files_entry *e)
{
    struct files_entry name = { .root = e->root };
    char path[FILES_PATH];
    const struct files_entry *folder;

    name.path = folder_of(e->path, path);
    folder = files_find(l->was, l->nwas, &name);
    return folder && folder->path[0] && !stays(l, folder);
}

static void
drop_gone(const struct files_lists *l, files_emit *emit, void *arg)
{
    for (size_t i = 0; i < l->nwas; i++) {
        const struct files_entry *e = &l->was[i];

        if (!e->path[0] || stays(l, e) || goes_with_folder(l, e))
            continue;
        emit(arg,
            &(struct files_op){ .kind = FILES_DROP, .root = e->root, .path = e->path });
    }
}

static void
make_one(const struct files_lists *l, const struct files_entry *now, files_emit *emit,
    void *arg)
{
    static const enum files_kind kinds[FILES_NTYPES] = { FILES_MAKE_DIR,
        FILES_MAKE_FILE, FILES_MAKE_SYMLINK, FILES_MAKE_LINK, FILES_MAKE_FIFO };
    const struct files_entry *was = files_before(l, now);
    struct files_op op = { .kind = kinds[now->type],
        .root = now->root,
        .path = now->path,
        .target = now->target,
        .attr = now->attr,
        .size = now->size };

    if (was && strcmp(was->path, now->path) != 0)
        return; /* it will be given its name */
    if (now->path[0] && (!was || (now->type == FILES_FILE && was->size != now->size)))
        emit(arg, &op);
}

static void
give_moved(const struct files_lists *l, files_emit *emit, void *arg)
{
    for (size_t i = 0; l->moved.size && i < l->nnow; i++) {
        const struct files_entry *now = &l->now[i], *was = moved_from(l, now);
        struct files_op op = { .root = now->root, .path = now->path };

        if (!was)
            continue;
        op.kind = FILES_GIVE;
        op.size = move_number(l, was);
        emit(arg, &op);
        op.kind = FILES_MAKE_FILE;
        op.attr = now->attr;
        op.size = now->size;
        if (was->size != now->size)
            emit(arg, &op);
    }
}

void
files_structure(struct files_lists *l, files_emit *emit, void *arg)
{
    struct watched w = { l, emit, arg };

    if (l->moved.size)
        find_moves(l);
    take_moved(l, emit_in_folder, &w);
    drop_gone(l, emit_in_folder, &w);
    for (size_t i = 0; i < l->nnow; i++)
        make_one(l, &l->now[i], emit_in_folder, &w);
    give_moved(l, emit_in_folder, &w);
}

static bool
same_attr(const struct files_attr *a, const struct files_attr *b)
{
    return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
           a->mtime_sec == b->mtime_sec && a->mtime_nsec == b->mtime_nsec;
}

/* From the leaves up: what happens in a folder changes its time. */
void
files_attributes(const struct files_lists *l, files_emit *emit, void *arg)
{
    for (size_t i = l->nnow; i-- > 0;) {
        const struct files_entry *now = &l->now[i];
        const struct files_entry *was = files_before(l, now);

        if (now->type == FILES_LINK)
            continue; /* its first name has them */
        if (was && !now->touched && same_attr(&was->attr, &now->attr))
            continue;
        emit(arg, &(struct files_op){ .kind = FILES_ATTR,
                      .root = now->root,
                      .path = now->path,
                      .attr = now->attr });
    }
}
