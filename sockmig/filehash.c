/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filehash.h"

#include "lib/fd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* its state on the stack */
#include <xxhash.h>

#define KNOWN 512
#define EDGE (64u << 10)
#define MAX_HEADERS 64
#define MAX_NOTES 4096

struct known {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
    uint64_t hash; /* 0: empty slot */
};

static struct known known[KNOWN];
static unsigned next_slot;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t
filehash_bytes(const void *data, size_t size)
{
    return XXH64(data, size, 0);
}

uint64_t
filehash_parts(const struct iovec *parts, unsigned n)
{
    XXH3_state_t state;

    if (n == 1)
        return XXH3_64bits(parts->iov_base, parts->iov_len);
    XXH3_64bits_reset(&state);
    for (unsigned i = 0; i < n; i++)
        XXH3_64bits_update(&state, parts[i].iov_base, parts[i].iov_len);
    return XXH3_64bits_digest(&state);
}

uint64_t
filehash_seeded(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

static bool
same_file(const struct known *k, const struct stat *st)
{
    return k->hash && k->dev == st->st_dev && k->ino == st->st_ino &&
           k->size == st->st_size && k->mtime.tv_sec == st->st_mtim.tv_sec &&
           k->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

static uint64_t
look_up(const struct stat *st)
{
    uint64_t hash = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KNOWN && !hash; i++)
        if (same_file(&known[i], st))
            hash = known[i].hash;
    pthread_mutex_unlock(&lock);
    return hash;
}

static void
remember(const struct stat *st, uint64_t hash)
{
    pthread_mutex_lock(&lock);
    known[next_slot] = (struct known){ st->st_dev, st->st_ino, st->st_size, st->st_mtim,
        hash };
    next_slot = (next_slot + 1) % KNOWN;
    pthread_mutex_unlock(&lock);
}

/* The description of the build-id note among @size bytes of notes; NULL: none. */
static const uint8_t *
build_id(const uint8_t *notes, size_t size, size_t *len)
{
    size_t at = 0;

    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr n;
        size_t name, desc;

        memcpy(&n, notes + at, sizeof n);
        at += sizeof n;
        name = ((size_t)n.n_namesz + 3) & ~(size_t)3;
        desc = ((size_t)n.n_descsz + 3) & ~(size_t)3;
        if (name > size - at || desc > size - at - name)
            return NULL;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && n.n_descsz > 0 &&
            !memcmp(notes + at, "GNU", 4)) {
            *len = n.n_descsz;
            return notes + at + name;
        }
        at += name + desc;
    }
    return NULL;
}

static uint64_t
hash_build_id(int fd)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph[MAX_HEADERS];
    uint8_t notes[MAX_NOTES];
    uint64_t hash = 0;

    if (pread(fd, &eh, sizeof eh, 0) != sizeof eh ||
        memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        eh.e_phentsize != sizeof ph[0] || eh.e_phnum > MAX_HEADERS)
        return 0;
    if (pread(fd, ph, eh.e_phnum * sizeof ph[0], (off_t)eh.e_phoff) !=
        (ssize_t)(eh.e_phnum * sizeof ph[0]))
        return 0;
    for (int i = 0; i < eh.e_phnum && !hash; i++) {
        const uint8_t *id;
        size_t len = 0;

        if (ph[i].p_type != PT_NOTE || ph[i].p_filesz > sizeof notes ||
            pread(fd, notes, ph[i].p_filesz, (off_t)ph[i].p_offset) !=
                (ssize_t)ph[i].p_filesz)
            continue;
        id = build_id(notes, ph[i].p_filesz, &len);
        if (id)
            hash = filehash_bytes(id, len);
    }
    return hash;
}

static int
hash_edges(int fd, off_t size, uint64_t *hash)
{
    static _Thread_local uint8_t edges[sizeof(uint64_t) + 2 * EDGE];
    uint64_t length = (uint64_t)size;
    ssize_t first, last;

    memcpy(edges, &length, sizeof length);
    first = pread(fd, edges + sizeof length, EDGE, 0);
    if (first < 0)
        return -errno;
    last = pread(
        fd, edges + sizeof length + first, EDGE, size > EDGE ? size - EDGE : 0);
    if (last < 0)
        return -errno;
    *hash = filehash_bytes(edges, sizeof length + (size_t)first + (size_t)last);
    return 0;
}

int
filehash(const char *path, uint64_t *out)
{
    int fd, ret = 0;
    uint64_t hash = 0;
    struct stat st;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        ret = -errno;
    else if (!S_ISREG(st.st_mode))
        ret = -EINVAL;
    if (ret < 0)
        goto out;
    hash = look_up(&st);
    if (!hash) {
        hash = hash_build_id(fd);
        if (!hash)
            ret = hash_edges(fd, st.st_size, &hash);
        if (ret < 0)
            goto out;
        hash = hash ? hash : 1;
        remember(&st, hash);
    }
    *out = hash;
out:
    fd_close(fd);
    return ret;
}
