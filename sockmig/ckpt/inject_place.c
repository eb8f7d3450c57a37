/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/inject_place.h"

#include "lib/fd.h"
#include "sockmig/ckpt/inject.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VDSO_MAX 65536u
#define FIRST_PLACE                                                                    \
    0x200000000ull /* above what 32-bit addresses reach, below heaps                   \
                    */
#define STEP 0x40000000ull
#define PLACES 1024
#define CODE_ALIGN 64u

static uint64_t
vdso_address(pid_t pid)
{
    Elf64_auxv_t auxv[128];
    char path[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    n = file_read(path, (char *)auxv, sizeof auxv);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof auxv[0]; i++)
        if (auxv[i].a_type == AT_SYSINFO_EHDR)
            return auxv[i].a_un.a_val;
    return 0;
}

/* Read page by page up to the first that is not there: bytes read. */
static size_t
read_vdso(int mem_fd, uint64_t at, uint8_t *to)
{
    size_t n = 0;

    while (n < VDSO_MAX && pread(mem_fd, to + n, 4096, (off_t)(at + n)) == 4096) {
        if (n > 0 && !memcmp(to + n, ELFMAG, SELFMAG))
            break; /* something else that happens to lie behind it */
        n += 4096;
    }
    return n;
}

/* Bytes that the loaded segment of the vdso has: the file ends at a page. */
static size_t
used_size(const uint8_t *vdso, size_t size)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph;
    size_t used = 0;

    memcpy(&eh, vdso, sizeof eh);
    if (size < sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
        eh.e_phentsize != sizeof ph)
        return 0;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        size_t at = eh.e_phoff + i * sizeof ph;

        if (at + sizeof ph > size)
            return 0;
        memcpy(&ph, vdso + at, sizeof ph);
        if (ph.p_type == PT_LOAD && ph.p_offset + ph.p_filesz > used)
            used = ph.p_offset + ph.p_filesz;
    }
    used = (used + 4095) & ~(size_t)4095;
    return used < size ? used : size;
}

static size_t
section_headers(const uint8_t *vdso, size_t size, size_t need)
{
    Elf64_Ehdr eh;
    size_t at, len;

    memcpy(&eh, vdso, sizeof eh);
    at = (eh.e_shoff + CODE_ALIGN - 1) & ~(size_t)(CODE_ALIGN - 1);
    len = (size_t)eh.e_shnum * eh.e_shentsize;
    return eh.e_shoff > 0 && eh.e_shoff + len <= size && at + need <= eh.e_shoff + len
               ? at
               : 0;
}

int
inject_place_code(
    pid_t pid, int mem_fd, const void *program, size_t size, uint64_t *out)
{
    static _Thread_local uint8_t vdso[VDSO_MAX];
    uint64_t at = vdso_address(pid);
    size_t used, tail, place = 0;

    used = at ? used_size(vdso, read_vdso(mem_fd, at, vdso)) : 0;
    if (used == 0)
        return -EOPNOTSUPP;
    for (size_t i = 0; i + size <= used && !place; i += CODE_ALIGN)
        if (!memcmp(vdso + i, program, 8))
            place = i;
    for (tail = used; tail > 0 && vdso[tail - 1] == 0;)
        tail--;
    tail = (tail + CODE_ALIGN - 1) & ~(size_t)(CODE_ALIGN - 1);
    if (!place && tail + size <= used)
        place = tail;
    if (!place)
        place = section_headers(vdso, used, size);
    if (!place)
        return -EOPNOTSUPP;
    *out = at + place;
    return 0;
}

static int
is_free(const uint64_t (*avoid)[2], size_t n, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        if (avoid[i][0] < at + INJECT_SCRATCH + 4096 && avoid[i][1] + 4096 > at)
            return 0;
    return 1;
}

uint64_t
inject_place_scratch(
    const uint64_t (*avoid)[2], size_t navoid, int mem_fd, uint64_t magic)
{
    uint64_t at = FIRST_PLACE, word;

    for (int i = 0; i < PLACES; i++, at += STEP) {
        if (is_free(avoid, navoid, at))
            return at;
        if (pread(mem_fd, &word, sizeof word, (off_t)at) == sizeof word &&
            word == magic)
            return at;
    }
    return FIRST_PLACE;
}
