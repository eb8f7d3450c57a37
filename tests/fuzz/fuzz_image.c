/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_image.c - whatever the network brings, decoding an image or applying a
 * difference neither crashes nor takes what breaks an invariant.
 *
 * With libFuzzer: compile with -DWITH_LIBFUZZER -fsanitize=fuzzer,address.  Without,
 * main() runs a seeded loop: fuzz_image [SEED [ROUNDS]]. */
#include "tests/unit/sample_image.h"

#include "sockmig/image_alloc.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP (1u << 18)

static struct image im;
static uint8_t out[CAP], base[CAP];

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why;
    size_t have = size < CAP ? size : CAP, n;

    if (!im.threads && image_alloc(&im) < 0)
        return 0;
    if (image_decode(&im, data, size, &why)) {
        n = image_encode(&im, out, sizeof out);
        if (image_check(&im) || (n && (n != size || memcmp(out, data, n) != 0)))
            abort();
    }
    memcpy(base, data, have);
    if (image_lines_apply(base, &have, sizeof base, data, size) && have > sizeof base)
        abort();
    return 0;
}

#ifndef WITH_LIBFUZZER

static uint64_t seed;

static uint32_t
random_below(uint32_t n)
{
    seed ^= seed << 13; /* xorshift64 */
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % n;
}

static void
damage(uint8_t *data, size_t *size)
{
    static const uint32_t edges[] = { 0, 1, 2, 63, 64, 255, 65535, 0x7fffffff,
        0xffffffff };
    uint32_t hits = 1 + random_below(8);

    for (uint32_t i = 0; i<hits && * size> 4; i++) {
        size_t at = random_below((uint32_t)*size - 3);

        switch (random_below(4)) {
        case 0:
            data[at] ^= (uint8_t)(1u << random_below(8));
            break;
        case 1:
            memcpy(data + at, &edges[random_below(9)], 4);
            break;
        case 2:
            memmove(data + at, data + random_below((uint32_t)at + 1), *size - at);
            break;
        default:
            *size -= random_below((uint32_t)*size / 8 + 1);
        }
    }
}

int
main(int argc, char **argv)
{
    static uint8_t good[CAP], bad[CAP];
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
    struct image one;
    size_t size, n;

    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    seed = seed * 0x9e3779b97f4a7c15ull + 1;
    if (image_alloc(&one) < 0)
        return 77;
    sample_image(&one);
    size = image_encode(&one, good, sizeof good);
    for (unsigned long i = 0; i < rounds; i++) {
        memcpy(bad, good, size);
        n = size;
        damage(bad, &n);
        LLVMFuzzerTestOneInput(bad, n);
    }
    image_release(&one);
    image_release(&im);
    printf("%lu damaged images: none taken that breaks an invariant\n", rounds);
    return 0;
}

#endif
