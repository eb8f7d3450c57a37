/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/core/fnv.h"
#include "lib/fd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 128 /* of a service */
#define MAX_MAPPED (1u << 30)

struct file { /* mapped; .data NULL: none */
    const uint8_t *data;
    size_t size;
};

struct set { /* the files of one service */
    char path[MAX_FILES][256];
    unsigned n;
};

static struct file
map(const char *path)
{
    struct file f = { 0 };
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size >= (off_t)sizeof(Elf64_Ehdr) && st.st_size < (off_t)MAX_MAPPED)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    fd_close(fd);
    if (p != MAP_FAILED)
        f = (struct file){ p, (size_t)st.st_size };
    return f;
}

static void
unmap(struct file f)
{
    if (f.data)
        munmap((void *)(uintptr_t)f.data, f.size);
}

/* part - @size bytes at @offset; NULL: the file does not have them. */
static const void *
part(struct file f, uint64_t offset, uint64_t size)
{
    return offset <= f.size && size <= f.size - offset ? f.data + offset : NULL;
}

static const Elf64_Phdr *
segment(struct file f, unsigned *n)
{
    const Elf64_Ehdr *h = part(f, 0, sizeof *h);

    *n = 0;
    if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
        h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_phentsize != sizeof(Elf64_Phdr))
        return NULL;
    *n = h->e_phnum;
    return part(f, h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr));
}

/* find_identity - the build identifier in the notes, in hexadecimal. */
static void
find_identity(struct file f, char *out, size_t size)
{
    unsigned n;
    const Elf64_Phdr *ph = segment(f, &n);

    out[0] = '\0';
    for (unsigned i = 0; ph && i < n; i++) {
        uint64_t at = ph[i].p_offset, end = at + ph[i].p_filesz;
        const Elf64_Nhdr *note;

        while (ph[i].p_type == PT_NOTE && at < end &&
               (note = part(f, at, sizeof *note)) && note->n_namesz < 256 &&
               note->n_descsz < 4096) {
            uint64_t name = at + sizeof *note,
                     desc = name + ((note->n_namesz + 3) & ~3u);
            const uint8_t *id = part(f, desc, note->n_descsz);
            const char *owner = part(f, name, note->n_namesz);

            if (id && owner && note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
                memcmp(owner, "GNU", 4) == 0) {
                for (unsigned k = 0; k < note->n_descsz && 2 * k + 2 < size; k++)
                    snprintf(out + 2 * k, 3, "%02x", id[k]);
                return;
            }
            at = desc + ((note->n_descsz + 3) & ~3u);
        }
    }
}

/* offset_of - of the virtual address @at in the file. */
static uint64_t
offset_of(const Elf64_Phdr *ph, unsigned n, uint64_t at)
{
    for (unsigned i = 0; i < n; i++)
        if (ph[i].p_type == PT_LOAD && at >= ph[i].p_vaddr &&
            at < ph[i].p_vaddr + ph[i].p_filesz)
            return at - ph[i].p_vaddr + ph[i].p_offset;
    return UINT64_MAX;
}

static void
add_library(struct set *s, const char *name)
{
    static const char *const folders[] = { "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/local/lib", "/lib",
        "/usr/lib" };
    char path[256];

    for (unsigned i = 0; i < s->n; i++) {
        const char *base = strrchr(s->path[i], '/');

        if (base && strcmp(base + 1, name) == 0)
            return;
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && s->n < MAX_FILES; i++)
        if (snprintf(path, sizeof path, "%s/%s", folders[i], name) < (int)sizeof path &&
            access(path, R_OK) == 0) {
            strcpy(s->path[s->n++], path);
            return;
        }
}

/* add_needed - the libraries that @f names (DT_NEEDED). */
static void
add_needed(struct set *s, struct file f)
{
    unsigned n;
    const Elf64_Phdr *ph = segment(f, &n);
    uint64_t strings = UINT64_MAX;

    for (unsigned i = 0; ph && i < n; i++) {
        uint64_t count = ph[i].p_filesz / sizeof(Elf64_Dyn);
        const Elf64_Dyn *d = ph[i].p_type == PT_DYNAMIC
                                 ? part(f, ph[i].p_offset, ph[i].p_filesz)
                                 : NULL;

        for (uint64_t k = 0; d && k < count && d[k].d_tag != DT_NULL; k++)
            if (d[k].d_tag == DT_STRTAB)
                strings = offset_of(ph, n, d[k].d_un.d_ptr);
        for (uint64_t k = 0; d && k < count && d[k].d_tag != DT_NULL; k++) {
            uint64_t at = strings + d[k].d_un.d_val;
            const char *name;

            if (d[k].d_tag != DT_NEEDED || strings >= f.size || at >= f.size)
                continue;
            name = (const char *)f.data + at;
            if (memchr(name, '\0', f.size - at) && !strchr(name, '/'))
                add_library(s, name);
        }
    }
}

/* find_program - as the cell would (execvp with its PATH). */
static bool
find_program(const char *command, char *out, size_t size)
{
    static const char *const folders[] = { "/usr/local/sbin", "/usr/local/bin",
        "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

    if (strchr(command, '/')) {
        snprintf(out, size, "%s", command);
        return access(out, R_OK) == 0;
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(out, size, "%s/%s", folders[i], command);
        if (access(out, R_OK) == 0)
            return true;
    }
    snprintf(out, size, "%s", command);
    return false;
}

static uint64_t
digest(uint64_t hash, const char *text)
{
    return fnv_mix(fnv_bytes(hash, text, strlen(text)), '\n');
}

static void
add_row(struct readings *r, const char *service, unsigned number, const char *path,
    const char *identity)
{
    struct build_row *row = &r->build.v[r->build.n];

    if (r->build.n == READ_BUILDS)
        return;
    memset(row, 0, sizeof *row);
    row->row.nindex = mib_index_name(row->row.index, 0, service);
    row->row.index[row->row.nindex++] = number;
    row->row.known = true;
    snapshot_text(row->file, sizeof row->file, path);
    snapshot_text(row->identity, sizeof row->identity, identity);
    r->build.n++;
}

static void
read_service(struct readings *r, const struct conf_service *service, struct set *s)
{
    struct build_set_row *set = &r->build.sets[r->build.nsets];
    uint64_t hash = FNV_BASIS;
    char identity[SNAP_WORD];

    memset(set, 0, sizeof *set);
    s->n = 1;
    r->build.missing += !find_program(
        service->command[0], s->path[0], sizeof s->path[0]);
    for (unsigned i = 0; i < s->n; i++) { /* grows while it is walked */
        struct file f = map(s->path[i]);

        find_identity(f, identity, sizeof identity);
        add_needed(s, f);
        unmap(f);
        add_row(r, service->name, i + 1, s->path[i], identity);
        hash = digest(digest(hash, s->path[i]), identity);
    }
    snprintf(set->digest, sizeof set->digest, "%016llx", (unsigned long long)hash);
    set->files = s->n;
    set->row.nindex = mib_index_name(set->row.index, 0, service->name);
    set->row.known = true;
    r->build.nsets++;
}

static enum watch_result
read_build(struct readings *r, const struct driver_context *ctx, char *text)
{
    static struct set set; /* this driver runs once at a time */

    (void)text;
    r->build.n = r->build.nsets = 0;
    r->build.missing = 0;
    for (unsigned i = 0; i < ctx->conf->nservices; i++)
        read_service(r, &ctx->conf->services[i], &set);
    return WATCH_READ;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    f->reading[HEALTH_PROGRAMS] = r->build.missing;
}

const struct driver driver_build = { "build", { 60000, 30000, 1, 1 }, false, false,
    read_build, facts };
