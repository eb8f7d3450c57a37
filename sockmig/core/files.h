/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files.h - state folders: what is in them, how two states differ, and the operations
 * that turn one into the other.
 *
 * A list of entries is a whole folder: sorted by folder and path, so that a parent
 * comes before what is in it.  A file's content is known by the hashes of its blocks;
 * the last block counts as filled up with zeroes, so that a file that is only made
 * longer keeps its hashes.
 *
 * Whatever comes from outside goes through files_get_op() and files_get_entry(): a path
 * that leads out of its folder, a size beyond all bounds or an operation cut short
 * never gets past them.
 *
 * Pure.  Design: doc/design/files.md. */
#ifndef BSC_FILES_H
#define BSC_FILES_H

#include "lib/core/buf.h"

#define FILES_MAX_ROOTS 8
#define FILES_PATH 1024 /* with the NUL, below its folder */
#define FILES_NAME 255
#define FILES_BLOCK 4096u
#define FILES_MAX_SIZE (1ull << 40)
#define FILES_MAX_ENTRIES 65536u
#define FILES_MAX_RUN (1u << 20)  /* bytes of one FILES_DATA */
#define FILES_RESERVED ".bascule" /* names that begin so are ours */

enum files_type {
    FILES_DIR,
    FILES_FILE,
    FILES_SYMLINK,
    FILES_LINK,
    FILES_FIFO,
    FILES_NTYPES
};

struct files_attr {
    uint32_t mode, uid, gid; /* mode: permissions only */
    uint32_t mtime_nsec;
    int64_t mtime_sec;
};

struct files_entry {
    const char *path;   /* borrowed; "" is the folder itself */
    const char *target; /* borrowed; SYMLINK: what it says; LINK: the first name of the
                           same file; else NULL */
    const void *hashes; /* borrowed; FILE: 8 bytes for each block; may be unaligned */
    uint64_t size;      /* FILE */
    uint64_t inode;     /* of this host; 0: of another */
    struct files_attr attr;
    uint8_t root, type;
    bool shared;  /* a file with several names */
    bool touched; /* something in it was changed: attributes go after it in any case */
};

enum files_kind {
    FILES_MAKE_DIR = 1,
    FILES_MAKE_FILE, /* if it is not there; of this size from now on, zeroes beyond the
                        old end */
    FILES_MAKE_SYMLINK,
    FILES_MAKE_LINK,
    FILES_DROP, /* whatever has this name, with all that is in it */
    FILES_DATA, /* bytes at an offset of a file that is there */
    FILES_ZERO, /* the same, all zeroes */
    FILES_ATTR,
    FILES_TAKE, /* a file goes to a place between, .size is its number */
    FILES_GIVE, /* from there it gets this name, instead of what had it */
    FILES_MAKE_FIFO,
    FILES_NKINDS
};

struct files_op {
    enum files_kind kind;
    uint8_t root;
    const char *path, *target; /* as in struct files_entry; in place */
    struct files_attr attr;    /* MAKE_DIR, MAKE_FILE, ATTR */
    uint64_t size;             /* MAKE_FILE; TAKE, GIVE: a number */
    uint64_t offset, length;   /* DATA, ZERO */
    const uint8_t *data;       /* DATA: .length bytes, in place */
};

/* files_path_ok - relative, without "." or ".." or empty parts or names of ours, short
 * enough.  files_target_ok - what symbolic link @path may say: nothing that leads out
 * of the folder. */
bool files_path_ok(const char *path);
bool files_target_ok(const char *path, const char *target);

/* Operations one after the other.  files_get_op: false at the end, and with r->bad when
 * what comes is malformed or refused. */
void files_put_op(struct writer *w, const struct files_op *op);
bool files_get_op(struct reader *r, struct files_op *op);

/* files_check_ops - whole and well formed, and of folders 0..@roots-1.  *@moves: with
 * some of them a name becomes another file that has content already, so that what is
 * before them must not be done again after them. */
bool files_check_ops(const void *data, size_t size, unsigned roots, bool *moves);

/* A list, entry by entry, with hashes, in order.  files_get_entry: @last is the entry
 * before, NULL at the first. */
void files_put_entry(struct writer *w, const struct files_entry *e);
bool files_get_entry(
    struct reader *r, const struct files_entry *last, struct files_entry *e);

static inline uint64_t
files_blocks(uint64_t size)
{
    return (size + FILES_BLOCK - 1) / FILES_BLOCK;
}

uint64_t files_hash(const struct files_entry *e, uint64_t block);

/* files_order - as strcmp, of folder and path. */
int files_order(const struct files_entry *a, const struct files_entry *b);

/* files_find - the entry of that name in a sorted list; NULL. */
const struct files_entry *files_find(
    const struct files_entry *list, size_t n, const struct files_entry *name);

/* files_same - @now is the same thing as @was, of the same name: its content is to be
 * brought up to date in place. */
bool files_same(const struct files_entry *was, const struct files_entry *now);

struct files_table { /* old entries by inode, and what became of them */
    uint32_t *slots; /* caller's, .size of them; holds an index plus 1 */
    uint32_t size;   /* a power of two, more than there are entries */
    uint32_t *to; /* caller's, one for each old entry: index plus 1 of the new one that
                     it became under another name */
};

struct files_lists {
    const struct files_entry *was;
    struct files_entry *now; /* folders in which something is done become .touched */
    size_t nwas, nnow;
    struct files_table moved; /* .size 0: a file under another name is a new one */
    uint64_t numbers;         /* moves get numbers after it, up to .nwas more */
};

typedef void files_emit(void *arg, const struct files_op *op);

/* files_before - whose content an entry of the new list begins with: the one of the
 * same name, or the one that it was under another name; NULL: it begins as zeroes.
 * After files_structure(), with the same lists. */
const struct files_entry *files_before(
    const struct files_lists *l, const struct files_entry *now);

/* files_structure - operations after which the names are those of the new list and the
 * files have their sizes; content of what is new is zeroes.
 * files_attributes - those that differ, and of all that is new or touched.  Last. */
void files_structure(struct files_lists *l, files_emit *emit, void *arg);
void files_attributes(const struct files_lists *l, files_emit *emit, void *arg);

#endif
