/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/maps_private.h"

#include "lib/fd.h"
#include "sockmig/ckpt/hugepages.h"
#include "sockmig/ckpt/kernel.h"
#include "sockmig/ckpt/place.h"
#include "sockmig/filehash.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TEXT_SIZE (64u << 20)
#define TMPFS 0x01021994

int
maps_open(struct maps *m, pid_t pid, int cell_pid)
{
    char path[64];

    *m = (struct maps){ .pid = pid, .cell_pid = cell_pid, .fd = -1 };
    m->flags = reserve(IMAGE_MAX_VMAS * sizeof *m->flags);
    m->known = reserve(IMAGE_MAX_VMAS * sizeof *m->known);
    if (!m->flags || !m->known || proctext_init(&m->text, TEXT_SIZE) < 0) {
        maps_close(m);
        return -ENOMEM;
    }
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    m->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (m->fd < 0) {
        int ret = -errno;

        maps_close(m);
        return ret == -ENOENT ? -ESRCH : ret;
    }
    return 0;
}

void
maps_close(struct maps *m)
{
    fd_close(m->fd);
    m->fd = -1;
    proctext_fini(&m->text);
    reserve_end(m->flags, IMAGE_MAX_VMAS * sizeof *m->flags);
    reserve_end(m->known, IMAGE_MAX_VMAS * sizeof *m->known);
    m->flags = NULL;
    m->known = NULL;
}

bool
maps_parse_line(const char **at, struct image_vma *v, uint32_t *perms,
    const char **path, size_t *path_len)
{
    const char *p = *at, *end = strchr(p, '\n');
    uint64_t major = 0, minor = 0;
    bool ok;

    if (!end)
        return false;
    *at = end + 1;
    ok = number_at(&p, 16, &v->start) && *p++ == '-' && number_at(&p, 16, &v->end) &&
         *p++ == ' ' && end - p > 5;
    if (!ok)
        return false;
    *perms = (p[0] == 'r') | (p[1] == 'w') << 1 | (p[2] == 'x') << 2 |
             (p[3] == 's' ? MAPS_SHARED : 0);
    p += 5;
    ok = number_at(&p, 16, &v->offset) && *p++ == ' ' && number_at(&p, 16, &major) &&
         *p++ == ':' && number_at(&p, 16, &minor) && *p++ == ' ' &&
         number_at(&p, 10, &v->inode);
    if (!ok)
        return false;
    v->dev_major = (uint32_t)major;
    v->dev_minor = (uint32_t)minor;
    p += strspn(p, " ");
    *path = p;
    *path_len = (size_t)(end - p);
    return true;
}

static bool
ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

#define HUGE_CURE                                                                      \
    "let the service map huge pages by mmap(MAP_ANONYMOUS | MAP_HUGETLB), or none"

struct unsupported {
    const char *prefix, *what, *cure;
};

static const struct unsupported unsupported[] = {
    { "/SYSV", "System V shared memory is mapped",
        "configure the service to use another kind of shared memory" },
    { "/memfd:", "private mapping of a memory file (memfd)",
        "disable the feature that uses it" },
    { "/dev/shm/", "POSIX shared memory is mapped",
        "configure the service to use another kind of shared memory" },
    { "/secretmem", "secret memory (memfd_secret) is mapped",
        "disable the feature that uses it" },
    { "/[aio]", "kernel asynchronous I/O context",
        "disable native asynchronous I/O in the service" },
    { "/dev/hugepages/", "a file of huge pages (hugetlbfs) is mapped", HUGE_CURE },
    { "/dev/", "device is mapped", "disable the feature that uses the device" },
    { "anon_inode:[io_uring]", "io_uring instance is mapped",
        "disable io_uring in the service (kernel.io_uring_disabled=2)" },
    { "anon_inode:", "special file is mapped", "disable the feature that uses it" },
    { "socket:", "packet socket is mapped", "disable the feature that uses it" },
};

static int
refuse_mapping(struct maps *m, const struct image_vma *v, struct refusals *why)
{
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++)
        if (!strncmp(v->path, unsupported[i].prefix, strlen(unsupported[i].prefix))) {
            refuse(why, m->cell_pid, -1, unsupported[i].cure, "%s: %.100s",
                unsupported[i].what, v->path);
            return -EOPNOTSUPP;
        }
    if (ends_with(v->path, " (deleted)")) {
        refuse(why, m->cell_pid, -1, "restart the service: it runs with old files",
            "mapped file is deleted: %.100s", v->path);
        return -EOPNOTSUPP;
    }
    if (v->kind == IMAGE_VMA_SHARED_FILE && (v->prot & 2) && !m->with_files) {
        refuse(why, m->cell_pid, -1, "keep it in a folder of \"state\"",
            "file is mapped shared and writable: %.100s", v->path);
        return -EOPNOTSUPP;
    }
    return 0;
}

/* Names of mappings that are no files. */
static uint32_t
kind_of_name(const char *path, bool shared)
{
    if (!strcmp(path, "[vdso]"))
        return IMAGE_VMA_VDSO;
    if (!strcmp(path, "[vvar]"))
        return IMAGE_VMA_VVAR;
    if (!strcmp(path, "[vvar_vclock]"))
        return IMAGE_VMA_VVAR_VCLOCK;
    return shared ? IMAGE_VMA_SHARED_ANON : IMAGE_VMA_ANON;
}

static int
build_of(struct maps *m, struct image_vma *v, struct refusals *why)
{
    char path[IMAGE_PATH + 32];
    int ret;

    for (size_t i = 0; i < m->nfiles; i++)
        if (m->files[i].inode == v->inode && m->files[i].major == v->dev_major &&
            m->files[i].minor == v->dev_minor) {
            v->file_hash = m->files[i].hash;
            return 0;
        }
    place_path(m->pid, v->path, path, sizeof path);
    ret = filehash(path, &v->file_hash);
    if (ret < 0) {
        refuse(why, m->cell_pid, -1, "make the file readable under its name",
            "mapped file cannot be read (%s): %.100s", strerror(-ret), v->path);
        return -EOPNOTSUPP;
    }
    if (m->nfiles == sizeof m->files / sizeof m->files[0])
        m->nfiles = 0;
    m->files[m->nfiles++] = (struct maps_file){ v->inode, v->file_hash, v->dev_major,
        v->dev_minor };
    return 0;
}

static bool
is_of_tmpfs(const struct maps *m, const struct image_vma *v)
{
    char path[IMAGE_PATH + 32];
    struct statfs fs;

    place_path(m->pid, v->path, path, sizeof path);
    return statfs(path, &fs) == 0 && fs.f_type == TMPFS;
}

bool
maps_in_folders(const struct maps_folders *folders, const char *path)
{
    for (unsigned i = 0; folders && i < folders->n; i++) {
        size_t n = strlen(folders->roots[i]);

        if (strncmp(path, folders->roots[i], n) == 0 && path[n] == '/')
            return true;
    }
    return false;
}

void
maps_renamed(struct maps *m)
{
    for (uint32_t i = 0; i < m->nknown; i++)
        if (m->known[i].kind == IMAGE_VMA_STATE_FILE) {
            m->nknown = 0;
            return;
        }
}

/* Shared memory that has a name, a key or an id. */
static bool
is_segment(const struct maps *m, const struct image_vma *v, bool shared)
{
    if (!shared || v->path[0] != '/')
        return false;
    if (ends_with(v->path, " (deleted)"))
        return !strncmp(v->path, "/SYSV", 5);
    return !strncmp(v->path, "/dev/shm/", 9) || ((v->prot & 2) && is_of_tmpfs(m, v));
}

/* mmap() with MAP_HUGETLB makes a file without a name for each mapping. */
static int
classify_huge(struct maps *m, struct image_vma *v, bool shared, struct refusals *why)
{
    v->page_bits = hugepages_bits(m->pid, v);
    if (v->page_bits == 0) {
        refuse(why, m->cell_pid, -1, HUGE_CURE, "size of huge pages is not known");
        return -EOPNOTSUPP;
    }
    v->kind = shared ? IMAGE_VMA_SHARED_ANON : IMAGE_VMA_ANON;
    if (!shared)
        v->offset = 0;
    return 0;
}

static int
classify(struct maps *m, struct image_vma *v, uint32_t perms, struct refusals *why)
{
    bool shared = perms & MAPS_SHARED;

    v->prot = perms & 7;
    if (v->path[0] == '/' && shared && !strcmp(v->path, "/dev/zero (deleted)")) {
        v->kind = IMAGE_VMA_SHARED_ANON;
        return 0;
    }
    if (!strcmp(v->path, "/anon_hugepage (deleted)"))
        return classify_huge(m, v, shared, why);
    if (shared && ends_with(v->path, " (deleted)") &&
        (!strncmp(v->path, "/memfd:", 7) || !strncmp(v->path, "/dev/shm/", 9))) {
        v->kind = IMAGE_VMA_HELD;
        if (hugepages_bits(m->pid, v) == 0)
            return 0;
        refuse(why, m->cell_pid, -1, HUGE_CURE,
            "a memory file of huge pages (hugetlb) is mapped: %.100s", v->path);
        return -EOPNOTSUPP;
    }
    if (shared && !ends_with(v->path, " (deleted)") &&
        maps_in_folders(m->folders, v->path)) {
        v->kind = IMAGE_VMA_STATE_FILE;
        return 0;
    }
    if (is_segment(m, v, shared)) {
        v->kind = IMAGE_VMA_SEGMENT;
        return 0;
    }
    if (v->path[0] == '/' || (v->path[0] && v->path[0] != '[')) {
        int ret;

        v->kind = shared ? IMAGE_VMA_SHARED_FILE : IMAGE_VMA_FILE;
        ret = refuse_mapping(m, v, why);
        if (ret == 0 && (!shared || !(v->prot & 2))) /* else it changes */
            ret = build_of(m, v, why);
        return ret;
    }
    v->kind = kind_of_name(v->path, shared);
    if (!strcmp(v->path, "[stack]"))
        v->flags |= IMAGE_VMA_GROWSDOWN;
    if (!strcmp(v->path, "[heap]"))
        m->brk = v->end;
    if (v->kind == IMAGE_VMA_ANON)
        v->offset = 0;
    return 0;
}

/* Flags of the mapping that was there when smaps was last read. */
static uint32_t
known_flags(const struct maps *m, const struct image_vma *v, size_t *from)
{
    while (*from < m->nflags && m->flags[*from].end <= v->start)
        ++*from;
    return *from < m->nflags && m->flags[*from].start <= v->start
               ? m->flags[*from].flags
               : 0;
}

static bool
is_known(const struct image_vma *v, const struct procmap_query *q)
{
    bool shared = v->kind == IMAGE_VMA_SHARED_FILE ||
                  v->kind == IMAGE_VMA_SHARED_ANON || v->kind == IMAGE_VMA_HELD ||
                  v->kind == IMAGE_VMA_SEGMENT || v->kind == IMAGE_VMA_STATE_FILE;
    uint32_t flags = v->prot | (shared ? MAPS_SHARED : 0);

    return v->start == q->vma_start && v->end == q->vma_end && v->inode == q->inode &&
           v->dev_major == q->dev_major && v->dev_minor == q->dev_minor &&
           (q->vma_flags & KERNEL_VMA_FLAGS) == flags &&
           (v->kind == IMAGE_VMA_ANON || v->offset == q->vma_offset);
}

/* True if no mapping but ours follows @at. */
static bool
is_last(const struct maps *m, uint64_t at)
{
    struct procmap_query q = { .size = sizeof q,
        .query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
        .query_addr = at };

    while (ioctl(m->fd, PROCMAP_QUERY, &q) == 0) {
        if (q.vma_start != m->skip)
            return false;
        q = (struct procmap_query){ .size = sizeof q,
            .query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
            .query_addr = q.vma_end };
    }
    return errno == ENOENT;
}

/* True if the mappings are those of the last time. */
static bool
is_unchanged(struct maps *m)
{
    uint64_t at = 0;
    uint32_t n = 0;

    while (m->nknown > 0 && n < m->nknown) {
        struct procmap_query q = { .size = sizeof q,
            .query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
            .query_addr = at };

        if (ioctl(m->fd, PROCMAP_QUERY, &q) < 0)
            return false;
        at = q.vma_end;
        if (q.vma_start == m->skip && q.vma_end == m->skip_end)
            continue;
        if (!is_known(&m->known[n++], &q))
            return false;
    }
    return n > 0 && is_last(m, at);
}

static void
know(struct maps *m, const struct image *im)
{
    m->kept = m->nlast == im->nvmas &&
              memcmp(m->known, im->vmas, im->nvmas * sizeof *im->vmas) == 0;
    memcpy(m->known, im->vmas, im->nvmas * sizeof *im->vmas);
    m->nknown = m->nlast = im->nvmas;
}

static int
take_path(struct maps *m, struct image_vma *v, const char *path, size_t len,
    struct refusals *why)
{
    memcpy(v->path, path, len < IMAGE_PATH ? len : IMAGE_PATH - 1);
    if (len < IMAGE_PATH)
        return 0;
    refuse(why, m->cell_pid, -1, "move the file",
        "path of a mapped file is longer than %d bytes: %.80s", IMAGE_PATH - 1,
        v->path);
    return -EOPNOTSUPP;
}

static int
refuse_key(struct maps *m, struct image_vma *v, struct refusals *why)
{
    bool guarded = v->flags & MAPS_GUARDED;

    v->flags &= ~MAPS_GUARDED;
    if (!guarded)
        return 0;
    refuse(why, m->cell_pid, -1, "disable the feature that uses them",
        "memory is guarded by protection keys (pkey_mprotect)");
    return -EOPNOTSUPP;
}

static int
read_text(struct maps *m, struct image *im, struct refusals *why)
{
    int ret = proctext_pread(&m->text, m->fd);
    const char *at = m->text.data, *path;
    size_t len, from = 0;
    uint32_t perms, n = 0;

    if (ret < 0)
        return ret;
    if (m->text.size == 0)
        return -ESRCH;
    m->brk = 0;
    ret = 0;
    while (*at) {
        struct image_vma *v = &im->vmas[n];

        if (n == IMAGE_MAX_VMAS) {
            refuse(why, m->cell_pid, -1, "lower its number of mappings",
                "more than %d mappings", IMAGE_MAX_VMAS);
            return -EOPNOTSUPP;
        }
        memset(v, 0, sizeof *v);
        if (!maps_parse_line(&at, v, &perms, &path, &len))
            return -EPROTO;
        if (v->start == m->skip && v->end == m->skip_end)
            continue;
        if (!strncmp(path, "[vsyscall]", 10))
            continue;
        if (take_path(m, v, path, len, why) < 0)
            ret = -EOPNOTSUPP;
        v->flags = known_flags(m, v, &from);
        if (classify(m, v, perms, why) < 0 || refuse_key(m, v, why) < 0)
            ret = -EOPNOTSUPP;
        n++;
    }
    im->nvmas = n;
    return ret;
}

int
maps_read(struct maps *m, bool same, struct image *im, struct refusals *why)
{
    int ret;

    if (m->unread++ < MAPS_ROUND && ((same && m->nknown > 0) || is_unchanged(m))) {
        memcpy(im->vmas, m->known, m->nknown * sizeof *im->vmas);
        im->nvmas = m->nknown;
        m->kept = true;
        return 0;
    }
    m->kept = false;
    m->unread = 0;
    m->nknown = 0;
    ret = read_text(m, im, why);
    if (ret == 0)
        know(m, im);
    return ret;
}
