/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files.c - names, and the encoding of entries and operations. */
#include "sockmig/core/files.h"

#include <string.h>

/* Length of the part at @path, up to the next slash. */
static size_t
part(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash ? (size_t)(slash - path) : strlen(path);
}

static bool
is_dots(const char *name, size_t n)
{
    return (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.');
}

bool
files_path_ok(const char *path)
{
    size_t n;

    if (strnlen(path, FILES_PATH) == FILES_PATH)
        return false;
    for (const char *at = path; *path; at += n + 1) {
        n = part(at);
        if (n == 0 || n > FILES_NAME || is_dots(at, n) ||
            strncmp(at, FILES_RESERVED, sizeof FILES_RESERVED - 1) == 0)
            return false;
        if (!at[n])
            break;
    }
    return true;
}

bool
files_target_ok(const char *path, const char *target)
{
    size_t n = strnlen(target, FILES_PATH);
    int depth = 0;

    if (n == 0 || n == FILES_PATH || target[0] == '/')
        return false;
    for (const char *at = path; (at = strchr(at, '/')) != NULL; at++)
        depth++;
    for (const char *at = target;; at += n + 1) {
        n = part(at);
        if (n == 2 && is_dots(at, n))
            depth--;
        else if (n > 0 && !is_dots(at, n))
            depth++;
        if (depth < 0)
            return false;
        if (!at[n])
            return true;
    }
}

/* Text with its NUL, so that it can be used in place. */
static void
put_text(struct writer *w, const char *text)
{
    size_t n = strlen(text) + 1;

    put_u16(w, (uint16_t)n);
    put_bytes(w, text, n);
}

static const char *
get_text(struct reader *r)
{
    size_t n = get_u16(r);
    const char *text = get_bytes(r, n);

    if (r->bad || n == 0 || n > FILES_PATH || text[n - 1] != '\0' ||
        memchr(text, '\0', n - 1)) {
        r->bad = true;
        return "";
    }
    return text;
}

static void
put_attr(struct writer *w, const struct files_attr *a)
{
    put_u32(w, a->mode);
    put_u32(w, a->uid);
    put_u32(w, a->gid);
    put_u32(w, a->mtime_nsec);
    put_u64(w, (uint64_t)a->mtime_sec);
}

static void
get_attr(struct reader *r, struct files_attr *a)
{
    a->mode = get_u32(r);
    a->uid = get_u32(r);
    a->gid = get_u32(r);
    a->mtime_nsec = get_u32(r);
    a->mtime_sec = (int64_t)get_u64(r);
    if (a->mode > 07777 || a->mtime_nsec >= 1000000000)
        r->bad = true;
}

static bool
has_target(enum files_kind kind)
{
    return kind == FILES_MAKE_SYMLINK || kind == FILES_MAKE_LINK;
}

static bool
has_attr(enum files_kind kind)
{
    return kind == FILES_MAKE_DIR || kind == FILES_MAKE_FILE || kind == FILES_ATTR;
}

static bool
has_size(enum files_kind kind)
{
    return kind == FILES_MAKE_FILE || kind == FILES_TAKE || kind == FILES_GIVE;
}

static bool
has_range(enum files_kind kind)
{
    return kind == FILES_DATA || kind == FILES_ZERO;
}

void
files_put_op(struct writer *w, const struct files_op *op)
{
    put_u8(w, (uint8_t)op->kind);
    put_u8(w, op->root);
    put_text(w, op->path);
    if (has_target(op->kind))
        put_text(w, op->target);
    if (has_attr(op->kind))
        put_attr(w, &op->attr);
    if (has_size(op->kind))
        put_u64(w, op->size);
    if (has_range(op->kind)) {
        put_u64(w, op->offset);
        put_u64(w, op->length);
    }
    if (op->kind == FILES_DATA)
        put_bytes(w, op->data, op->length);
}

/* The folder itself stays: only its attributes are changed. */
static bool
op_ok(const struct files_op *op)
{
    if (!files_path_ok(op->path) || (!op->path[0] && op->kind != FILES_ATTR))
        return false;
    if (op->kind == FILES_MAKE_SYMLINK)
        return files_target_ok(op->path, op->target);
    if (op->kind == FILES_MAKE_LINK)
        return op->target[0] && files_path_ok(op->target);
    if (has_size(op->kind))
        return op->size <= FILES_MAX_SIZE;
    if (has_range(op->kind) &&
        (op->offset > FILES_MAX_SIZE || op->length > FILES_MAX_SIZE - op->offset))
        return false;
    return op->kind != FILES_DATA || op->length <= FILES_MAX_RUN;
}

bool
files_get_op(struct reader *r, struct files_op *op)
{
    if (r->bad || reader_left(r) == 0)
        return false;
    *op = (struct files_op){ .kind = (enum files_kind)get_u8(r), .root = get_u8(r) };
    if (op->kind < FILES_MAKE_DIR || op->kind >= FILES_NKINDS ||
        op->root >= FILES_MAX_ROOTS)
        r->bad = true;
    op->path = get_text(r);
    if (has_target(op->kind))
        op->target = get_text(r);
    if (has_attr(op->kind))
        get_attr(r, &op->attr);
    if (has_size(op->kind))
        op->size = get_u64(r);
    if (has_range(op->kind)) {
        op->offset = get_u64(r);
        op->length = get_u64(r);
    }
    if (!r->bad && !op_ok(op))
        r->bad = true;
    if (!r->bad && op->kind == FILES_DATA)
        op->data = get_bytes(r, op->length);
    return !r->bad;
}

bool
files_check_ops(const void *data, size_t size, unsigned roots, bool *moves)
{
    struct reader r = reader_init(data, size);
    struct files_op op;

    *moves = false;
    while (files_get_op(&r, &op)) {
        if (op.root >= roots)
            return false;
        *moves |= op.kind == FILES_TAKE || op.kind == FILES_GIVE ||
                  op.kind == FILES_MAKE_LINK;
    }
    return !r.bad;
}

void
files_put_entry(struct writer *w, const struct files_entry *e)
{
    put_u8(w, e->root);
    put_u8(w, e->type);
    put_u8(w, e->shared);
    put_text(w, e->path);
    put_attr(w, &e->attr);
    if (e->type == FILES_SYMLINK || e->type == FILES_LINK)
        put_text(w, e->target);
    if (e->type == FILES_FILE) {
        put_u64(w, e->size);
        put_bytes(w, e->hashes, files_blocks(e->size) * 8);
    }
}

static bool
entry_ok(const struct files_entry *last, const struct files_entry *e)
{
    if (e->root >= FILES_MAX_ROOTS || !files_path_ok(e->path) ||
        (!e->path[0] && e->type != FILES_DIR))
        return false;
    if (e->type == FILES_SYMLINK && !files_target_ok(e->path, e->target))
        return false;
    if (e->type == FILES_LINK && (!e->target[0] || !files_path_ok(e->target)))
        return false;
    return !last || files_order(last, e) < 0;
}

bool
files_get_entry(struct reader *r, const struct files_entry *last, struct files_entry *e)
{
    uint8_t shared;

    if (r->bad || reader_left(r) == 0)
        return false;
    *e = (struct files_entry){ .root = get_u8(r), .type = get_u8(r) };
    shared = get_u8(r);
    e->shared = shared == 1;
    e->path = get_text(r);
    get_attr(r, &e->attr);
    if (e->type == FILES_SYMLINK || e->type == FILES_LINK)
        e->target = get_text(r);
    if (e->type == FILES_FILE) {
        e->size = get_u64(r);
        if (e->size > FILES_MAX_SIZE)
            r->bad = true;
        e->hashes = get_bytes(r, files_blocks(e->size) * 8);
    }
    if (!r->bad && (e->type >= FILES_NTYPES || shared > 1 || !entry_ok(last, e)))
        r->bad = true;
    return !r->bad;
}

uint64_t
files_hash(const struct files_entry *e, uint64_t block)
{
    uint64_t hash;

    memcpy(&hash, (const uint8_t *)e->hashes + block * 8, 8);
    return hash;
}

int
files_order(const struct files_entry *a, const struct files_entry *b)
{
    return a->root != b->root ? (a->root < b->root ? -1 : 1) : strcmp(a->path, b->path);
}

const struct files_entry *
files_find(const struct files_entry *list, size_t n, const struct files_entry *name)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = files_order(&list[middle], name);

        if (order == 0)
            return &list[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
