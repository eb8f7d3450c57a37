/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_files.c - whatever the network or a damaged journal brings, no operation and no
 * entry gets through that leads out of its folder or beyond its buffer, and what gets
 * through encodes to what came in.
 *
 * With libFuzzer: compile with -DWITH_LIBFUZZER -fsanitize=fuzzer,address.  Without,
 * main() runs a seeded loop: fuzz_files [SEED [ROUNDS]]. */
#include "sockmig/core/files.h"
#include "tests/dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP (1u << 16)

static uint8_t out[2 * CAP];

static void
must(bool ok)
{
    if (!ok)
        abort();
}

static bool
leads_out(const char *path)
{
    return path[0] == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
           strstr(path, "/../") ||
           (strlen(path) > 2 && strcmp(path + strlen(path) - 3, "/..") == 0);
}

static void
feed_ops(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(data, size);
    struct writer w = writer_init(out, sizeof out);
    struct files_op op;

    while (files_get_op(&r, &op)) {
        must(!leads_out(op.path) && strlen(op.path) < FILES_PATH);
        if (op.data)
            must(op.data >= data && op.data + op.length <= data + size);
        files_put_op(&w, &op);
        must(w.bad || (w.pos == r.pos && memcmp(out, data, w.pos) == 0));
    }
}

static void
feed_entries(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(data, size);
    struct files_entry e[2];
    const struct files_entry *last = NULL;
    unsigned n = 0;
    uint64_t sum = 0;

    while (files_get_entry(&r, last, &e[n % 2])) {
        last = &e[n++ % 2];
        must(!leads_out(last->path));
        for (uint64_t b = 0; last->type == FILES_FILE && b < files_blocks(last->size);
             b++)
            sum += files_hash(last, b);
    }
    must(sum != 1 || n > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > CAP)
        size = CAP;
    feed_ops(data, size);
    feed_entries(data, size);
    return 0;
}

#ifndef WITH_LIBFUZZER

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
    return dice(&seed, n);
}

static const char *
a_path(void)
{
    static const char *const paths[] = { "a", "b/c", "d/e/f", "x/..y", "longer.name" };

    return paths[below(5)];
}

static size_t
sample(uint8_t *to)
{
    static const uint8_t data[300] = { 1, 2, 3 };
    struct writer w = writer_init(to, CAP);
    static uint64_t hashes[8];
    bool ops = below(2);

    for (unsigned i = 0; i < 12; i++) {
        struct files_op op = { .kind = (enum files_kind)(1 + below(FILES_NKINDS - 1)),
            .root = (uint8_t)below(8),
            .path = a_path(),
            .target = "z",
            .size = below(1000),
            .offset = below(100000),
            .length = below(300),
            .data = data };
        char name[8];
        struct files_entry e = { .type = (uint8_t)below(FILES_NTYPES),
            .path = name,
            .target = "z",
            .size = below(8 * FILES_BLOCK),
            .hashes = hashes };

        snprintf(name, sizeof name, "f%02u", i);
        if (ops)
            files_put_op(&w, &op);
        else
            files_put_entry(&w, &e);
    }
    return w.pos;
}

static void
damage(uint8_t *data, size_t *size)
{
    static const char *const texts[] = { "..", "/..", "../", "/", ".bascule", "//" };

    for (uint32_t hits = 1 + below(6); hits > 0 && *size > 12; hits--) {
        size_t at = below((uint32_t)*size - 10);
        const char *text = texts[below(6)];

        switch (below(4)) {
        case 0:
            data[at] ^= (uint8_t)(1u << below(8));
            break;
        case 1:
            memset(data + at, below(2) ? 0xff : 0, 8);
            break;
        case 2:
            memcpy(data + at, text, strlen(text));
            break;
        default:
            *size -= below((uint32_t)*size / 8 + 1);
        }
    }
}

int
main(int argc, char **argv)
{
    static uint8_t bytes[CAP];
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;

    seed = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1) * 0x9e3779b97f4a7c15ull + 1;
    for (unsigned long i = 0; i < rounds; i++) {
        size_t size = sample(bytes);
        uint8_t *exact;

        if (i % 8)
            damage(bytes, &size);
        exact = malloc(size ? size : 1); /* a byte beyond it is found */
        if (!exact)
            return 77;
        memcpy(exact, bytes, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    printf("%lu rows of operations and lists: none leads out\n", rounds);
    return 0;
}

#endif
