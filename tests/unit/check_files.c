/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_files.c - state folders: names, the encoding, and what turns one list into
 * another.  Whole folders: tests/scenario/files_loop. */
#include "sockmig/core/files.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *path;
    bool ok;
} paths[] = {
    { "", true },
    { "a", true },
    { "a/b.c/..d", true },
    { "/a", false },
    { "a/", false },
    { "a//b", false },
    { ".", false },
    { "a/.", false },
    { "..", false },
    { "../a", false },
    { "a/../b", false },
    { "a/..", false },
    { ".bascule-between-1", false },
    { "a/.bascule", false },
};

START_TEST(a_path_stays_in_its_folder)
{
    ck_assert_msg(
        files_path_ok(paths[_i].path) == paths[_i].ok, "\"%s\"", paths[_i].path);
}
END_TEST

START_TEST(a_path_has_its_bounds)
{
    char path[FILES_PATH + 1];

    memset(path, 'a', sizeof path);
    path[FILES_NAME] = '\0';
    ck_assert(files_path_ok(path));
    path[FILES_NAME] = 'a';
    path[FILES_NAME + 1] = '\0';
    ck_assert_msg(!files_path_ok(path), "a name of 256 bytes");
    memset(path, 'a', sizeof path);
    for (size_t i = 100; i < FILES_PATH; i += 100)
        path[i] = '/';
    path[FILES_PATH - 1] = '\0';
    ck_assert(files_path_ok(path));
    path[FILES_PATH - 1] = 'a';
    path[FILES_PATH] = '\0';
    ck_assert_msg(!files_path_ok(path), "a path of 1024 bytes");
}
END_TEST

static const struct {
    const char *path, *target;
    bool ok;
} targets[] = {
    { "a", "b", true },
    { "a", "b/../c", true },
    { "d/a", "../b", true },
    { "d/e/a", "../../b", true },
    { "a", "./b", true },
    { "a", "", false },
    { "a", "/etc/passwd", false },
    { "a", "..", false },
    { "a", "../b", false },
    { "d/a", "../../b", false },
    { "d/a", "b/../../../c", false },
};

START_TEST(a_link_stays_in_its_folder)
{
    ck_assert_msg(
        files_target_ok(targets[_i].path, targets[_i].target) == targets[_i].ok,
        "%s -> \"%s\"", targets[_i].path, targets[_i].target);
}
END_TEST

#define ATTR                                                                           \
    {                                                                                  \
        0640, 1, 2, 999999999, -3                                                      \
    }
static const uint8_t data[5] = "abcd";

static const struct files_op ops[] = {
    { .kind = FILES_MAKE_DIR, .path = "d", .attr = { .mode = 0755 } },
    { .kind = FILES_MAKE_FILE,
        .root = 7,
        .path = "d/f",
        .attr = ATTR,
        .size = 1 << 30 },
    { .kind = FILES_MAKE_SYMLINK, .path = "d/s", .target = "../x" },
    { .kind = FILES_MAKE_LINK, .path = "d/l", .target = "d/f" },
    { .kind = FILES_DROP, .path = "gone" },
    { .kind = FILES_DATA, .path = "d/f", .offset = 4096, .length = 5, .data = data },
    { .kind = FILES_ZERO, .path = "d/f", .offset = 1, .length = FILES_MAX_SIZE - 1 },
    { .kind = FILES_ATTR, .path = "", .attr = ATTR },
    { .kind = FILES_TAKE, .path = "d/f", .size = 12 },
    { .kind = FILES_GIVE, .path = "e", .size = 12 },
    { .kind = FILES_MAKE_FIFO, .path = "p" },
};
#define NOPS (sizeof ops / sizeof ops[0])

static size_t
encode_all(uint8_t *to, size_t max)
{
    struct writer w = writer_init(to, max);

    for (size_t i = 0; i < NOPS; i++)
        files_put_op(&w, &ops[i]);
    ck_assert(!w.bad);
    return w.pos;
}

START_TEST(operations_come_back)
{
    uint8_t bytes[1024];
    struct reader r = reader_init(bytes, encode_all(bytes, sizeof bytes));
    struct files_op op;

    for (size_t i = 0; i < NOPS; i++) {
        ck_assert(files_get_op(&r, &op));
        ck_assert_int_eq(op.kind, ops[i].kind);
        ck_assert_int_eq(op.root, ops[i].root);
        ck_assert_str_eq(op.path, ops[i].path);
        if (ops[i].target)
            ck_assert_str_eq(op.target, ops[i].target);
        ck_assert_uint_eq(op.size, ops[i].size);
        ck_assert_uint_eq(op.offset, ops[i].offset);
        ck_assert_uint_eq(op.length, ops[i].length);
        ck_assert_mem_eq(&op.attr, &ops[i].attr, sizeof op.attr);
        if (ops[i].data)
            ck_assert_mem_eq(op.data, ops[i].data, op.length);
    }
    ck_assert(!files_get_op(&r, &op));
    ck_assert(!r.bad);
}
END_TEST

/* Whether it ends at an operation's end is all that a shorter row can be. */
START_TEST(operations_cut_short_are_refused)
{
    uint8_t bytes[1024], one[256];
    size_t size = encode_all(bytes, sizeof bytes), ends[NOPS], n = 0;
    struct writer w;
    bool moves;

    for (size_t i = 0; i < NOPS; i++) {
        w = writer_init(one, sizeof one);
        files_put_op(&w, &ops[i]);
        ends[i] = n += w.pos;
    }
    n = 0;
    for (size_t cut = 1; cut < size; cut++) {
        bool whole = cut == ends[n];

        n += whole;
        ck_assert_msg(
            files_check_ops(bytes, cut, 8, &moves) == whole, "%zu bytes", cut);
    }
    ck_assert(files_check_ops(bytes, size, 8, &moves));
    ck_assert(moves);
    ck_assert_msg(!files_check_ops(bytes, size, 7, &moves), "a folder there is not");
}
END_TEST

static const struct {
    const char *claim;
    struct files_op op;
} bad[] = {
    { "no kind", { .kind = 0, .path = "a" } },
    { "a kind there is not", { .kind = FILES_NKINDS, .path = "a" } },
    { "a folder beyond all",
        { .kind = FILES_DROP, .root = FILES_MAX_ROOTS, .path = "a" } },
    { "out by the parent", { .kind = FILES_DROP, .path = "../a" } },
    { "an absolute path", { .kind = FILES_MAKE_FILE, .path = "/etc/passwd" } },
    { "the folder itself dropped", { .kind = FILES_DROP, .path = "" } },
    { "a name of ours", { .kind = FILES_DROP, .path = ".bascule-between-1" } },
    { "a link out", { .kind = FILES_MAKE_SYMLINK, .path = "a", .target = "../b" } },
    { "a hard link out", { .kind = FILES_MAKE_LINK, .path = "a", .target = "../b" } },
    { "a hard link to nothing",
        { .kind = FILES_MAKE_LINK, .path = "a", .target = "" } },
    { "an absurd size",
        { .kind = FILES_MAKE_FILE, .path = "a", .size = FILES_MAX_SIZE + 1 } },
    { "an absurd offset",
        { .kind = FILES_ZERO, .path = "a", .offset = UINT64_MAX, .length = 2 } },
    { "a range that ends beyond",
        { .kind = FILES_ZERO, .path = "a", .offset = FILES_MAX_SIZE, .length = 1 } },
    { "a mode with more than permissions",
        { .kind = FILES_MAKE_DIR, .path = "a", .attr = { .mode = 0100644 } } },
    { "a time with too many nanoseconds",
        { .kind = FILES_ATTR, .path = "a", .attr = { .mtime_nsec = 1000000000 } } },
};

START_TEST(bad_operations_are_refused)
{
    uint8_t bytes[1024];
    struct writer w = writer_init(bytes, sizeof bytes);
    bool moves;

    files_put_op(&w, &bad[_i].op);
    ck_assert_msg(!files_check_ops(bytes, w.pos, 8, &moves), "%s", bad[_i].claim);
}
END_TEST

START_TEST(entries_come_back_in_order_only)
{
    static const uint64_t hashes[2] = { 7, 8 };
    const struct files_entry list[] = {
        { .path = "", .type = FILES_DIR, .attr = ATTR },
        { .path = "a",
            .type = FILES_FILE,
            .size = 4097,
            .hashes = hashes,
            .shared = true },
        { .path = "b", .type = FILES_LINK, .target = "a" },
        { .path = "c", .type = FILES_SYMLINK, .target = "a" },
        { .path = "d", .type = FILES_FIFO },
    };
    uint8_t bytes[512];
    struct writer w = writer_init(bytes, sizeof bytes);
    struct files_entry got[6];
    struct reader r;
    size_t n = 0;

    for (size_t i = 0; i < 5; i++)
        files_put_entry(&w, &list[i]);
    for (r = reader_init(bytes, w.pos);
         files_get_entry(&r, n ? &got[n - 1] : NULL, &got[n]); n++) {
        ck_assert_str_eq(got[n].path, list[n].path);
        ck_assert_int_eq(got[n].type, list[n].type);
        ck_assert_int_eq(got[n].shared, list[n].shared);
    }
    ck_assert(!r.bad && n == 5);
    ck_assert_uint_eq(files_hash(&got[1], 1), 8);
    for (size_t cut = 1; cut < w.pos; cut++) { /* never beyond the end */
        r = reader_init(bytes, cut);
        for (n = 0; files_get_entry(&r, n ? &got[n - 1] : NULL, &got[n]); n++)
            ;
        ck_assert(r.bad || n < 5);
    }
    files_put_entry(&w, &list[1]);
    r = reader_init(bytes, w.pos);
    for (n = 0; files_get_entry(&r, n ? &got[n - 1] : NULL, &got[n]); n++)
        ;
    ck_assert_msg(r.bad, "an entry out of order");
}
END_TEST

/* Lists in short: a letter for the kind, the inode, the path; the size of all is 1. */
static size_t
read_list(const char *text, struct files_entry *list, char *names)
{
    size_t n = 0;
    char kind, path[32];
    unsigned inode;
    int used;

    while (sscanf(text, " %c%u:%31s%n", &kind, &inode, path, &used) == 3) {
        list[n] = (struct files_entry){ .path = strcpy(names, path),
            .inode = inode,
            .type = kind == 'd'   ? FILES_DIR
                    : kind == 's' ? FILES_SYMLINK
                    : kind == 'p' ? FILES_FIFO
                                  : FILES_FILE,
            .target = kind == 's' ? "x" : NULL,
            .shared = kind == 'F',
            .size = kind == 'f' ? 1 : 2 };
        names += strlen(path) + 1;
        text += used;
        n++;
    }
    return n;
}

static void
tell(void *arg, const struct files_op *op)
{
    static const char *const names[FILES_NKINDS] = { "", "dir", "file", "symlink",
        "link", "drop", "data", "zero", "attr", "take", "give", "fifo" };
    char *text = arg;

    sprintf(
        text + strlen(text), "%s%s %s", *text ? ", " : "", names[op->kind], op->path);
}

static const struct {
    const char *claim, *was, *now, *expected;
} deltas[] = {
    { "nothing", "f1:a", "f1:a", "" },
    { "a new file", "f1:a", "f1:a f2:b", "file b" },
    { "parents come first", "", "d1:a d2:a/b f3:a/b/c", "dir a, dir a/b, file a/b/c" },
    { "a folder goes with all in it", "d1:a f2:a/b f3:c", "f3:c", "drop a" },
    { "a folder goes with all in it, whatever is named like it",
        "d1:a d2:a-b f3:a-b/c f4:a/b f5:c", "f5:c", "drop a, drop a-b" },
    { "a file becomes a folder", "f1:a", "d2:a f3:a/b", "drop a, dir a, file a/b" },
    { "a file becomes a symbolic link", "f1:a", "s2:a", "drop a, symlink a" },
    { "a file becomes a named pipe", "f1:a", "p2:a", "drop a, fifo a" },
    { "another named pipe by the same name", "p1:a", "p2:a", "" },
    { "a renamed named pipe is made anew", "p1:a", "p1:b", "drop a, fifo b" },
    { "renamed", "f1:a", "f1:b", "take a, give b" },
    { "renamed over another", "f1:a f2:b", "f1:b", "take a, drop b, give b" },
    { "two change places", "f1:a f2:b", "f2:a f1:b", "take b, take a, give a, give b" },
    { "logs move up", "f1:log f2:log.1", "f3:log f1:log.1 f2:log.2",
        "take log, take log.1, file log, give log.1, give log.2" },
    { "out of a folder that goes", "d1:a f2:a/b", "f2:b", "take a/b, drop a, give b" },
    { "seen under two names while it is renamed", "f1:a", "f1:a f1:b",
        "take a, file a, give b" },
    { "replaced: its content is brought up to date in place", "f1:a", "f2:a", "" },
    { "... not when it had other names", "F1:a", "f2:a", "drop a, file a" },
    { "made longer", "f1:a", "g1:a", "file a" },
};

START_TEST(lists_differ_by)
{
    struct files_entry was[8], now[8];
    char names[2][128], text[512] = "";
    uint32_t slots[32], to[32];
    struct files_lists l = { .was = was, .now = now, .moved = { slots, 32, to } };

    l.nwas = read_list(deltas[_i].was, was, names[0]);
    l.nnow = read_list(deltas[_i].now, now, names[1]);
    files_structure(&l, tell, text);
    ck_assert_msg(
        strcmp(text, deltas[_i].expected) == 0, "%s: %s", deltas[_i].claim, text);
}
END_TEST

START_TEST(attributes_go_from_the_leaves_up)
{
    struct files_entry was[8], now[8];
    char names[2][128], text[512] = "";
    struct files_lists l = { .was = was, .now = now };

    l.nwas = read_list("d1:a f2:a/b f3:c", was, names[0]);
    l.nnow = read_list("d1:a f2:a/b f4:a/d f3:c", now, names[1]);
    now[1].attr.mode = 1;
    now[3].touched = true;
    files_structure(&l, tell, text);
    text[0] = '\0';
    files_attributes(&l, tell, text);
    ck_assert_str_eq(text, "attr c, attr a/d, attr a/b, attr a");
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("files");

    ADD_ROWS(tc, a_path_stays_in_its_folder, paths);
    tcase_add_test(tc, a_path_has_its_bounds);
    ADD_ROWS(tc, a_link_stays_in_its_folder, targets);
    tcase_add_test(tc, operations_come_back);
    tcase_add_test(tc, operations_cut_short_are_refused);
    ADD_ROWS(tc, bad_operations_are_refused, bad);
    tcase_add_test(tc, entries_come_back_in_order_only);
    ADD_ROWS(tc, lists_differ_by, deltas);
    tcase_add_test(tc, attributes_go_from_the_leaves_up);
    return suite_run("files", tc, NULL);
}
