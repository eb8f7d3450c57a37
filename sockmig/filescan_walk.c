/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_walk.c - what is in the state folders, by name and status. */
#include "sockmig/filescan_private.h"

#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAX_DEPTH 64
#define SETTLED_NS 20000000 /* more than any kernel's tick */
#define WANTED (STATX_BASIC_STATS | STATX_BTIME)

void
scan_list_clear(struct scan_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->x[i].hashes);
    list->n = list->names_size = 0;
}

void
scan_list_free(struct scan_list *list)
{
    scan_list_clear(list);
    free(list->v);
    free(list->x);
    free(list->names);
}

static int
refuse_file(const struct walk *w, const char *cure, const char *what)
{
    return scan_refuse(w->s, w->root, w->path, w->why, cure, what);
}

int
scan_open_roots(struct filescan *s, struct refusals *why)
{
    struct stat st, now;

    for (unsigned i = 0; i < s->conf.nroots; i++) {
        const char *path = s->conf.roots[i];

        if (s->fds[i] < 0)
            s->fds[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->fds[i] < 0) {
            refuse(why, 0, -1, "create it, on every node", "state folder %s: %s", path,
                strerror(errno));
            return -EOPNOTSUPP;
        }
        if (fstat(s->fds[i], &st) < 0 || stat(path, &now) < 0 ||
            st.st_ino != now.st_ino || st.st_dev != now.st_dev) {
            refuse(why, 0, -1, "put it back, then restart the service",
                "state folder %s was removed or replaced under the service", path);
            fd_close(s->fds[i]);
            s->fds[i] = -1;
            return -EOPNOTSUPP;
        }
        s->devs[i] = st.st_dev;
        if (fd_is_remote(s->fds[i])) {
            refuse(why, 0, -1, "use a local file system, or storage = \"shared\"",
                "state folder %s: its file system's change times cannot be relied on",
                path);
            return -EOPNOTSUPP;
        }
    }
    return 0;
}

/* While a list grows its texts are places in .names, as numbers. */
static int
add_name(struct scan_list *list, const char *text, const char **out)
{
    size_t n = strlen(text) + 1;
    int ret = scan_grow(
        (void **)&list->names, &list->names_max, list->names_size + n, 1);

    if (ret < 0)
        return ret;
    memcpy(list->names + list->names_size, text, n);
    *out = (const char *)(uintptr_t)(list->names_size + 1);
    list->names_size += n;
    return 0;
}

static int
grow_list(struct scan_list *list)
{
    size_t max = list->max;
    int ret = scan_grow((void **)&list->v, &max, list->n + 1, sizeof *list->v);

    if (ret == 0)
        ret = scan_grow((void **)&list->x, &list->max, list->n + 1, sizeof *list->x);
    return ret;
}

/* The same number may be a later file's: the time of its birth tells them apart. */
static uint64_t
identity(const struct statx *st)
{
    uint64_t born = (uint64_t)st->stx_btime.tv_sec * 1000000000u +
                    st->stx_btime.tv_nsec;

    if (!(st->stx_mask & STATX_BTIME))
        born = 0;
    return (st->stx_ino ^ born * 0x9e3779b97f4a7c15ull) | 1ull << 63;
}

static int
type_of(const struct walk *w, const struct statx *st, uint8_t *type)
{
    switch (st->stx_mode & S_IFMT) {
    case S_IFDIR:
        *type = FILES_DIR;
        return 0;
    case S_IFREG:
        *type = FILES_FILE;
        if (st->stx_size > FILES_MAX_SIZE)
            return refuse_file(w, "keep files below 1 TiB", "too large");
        return 0;
    case S_IFLNK:
        *type = FILES_SYMLINK;
        return 0;
    case S_IFSOCK:
        return refuse_file(
            w, "let the service make it elsewhere, as in /run", "a socket is no state");
    case S_IFIFO:
        *type = FILES_FIFO;
        return 0;
    default:
        return refuse_file(w, "take it out of the folder", "a device");
    }
}

static void
fill_entry(const struct walk *w, const struct statx *st, struct files_entry *e,
    struct scan_extra *x)
{
    int64_t ago = (w->now.tv_sec - st->stx_ctime.tv_sec) * 1000000000 +
                  (w->now.tv_nsec - (int64_t)st->stx_ctime.tv_nsec);

    e->root = (uint8_t)w->root;
    e->inode = identity(st);
    e->size = e->type == FILES_FILE ? st->stx_size : 0;
    e->shared = e->type != FILES_DIR && st->stx_nlink > 1;
    e->attr = (struct files_attr){ .mode = st->stx_mode & 07777u,
        .uid = st->stx_uid,
        .gid = st->stx_gid,
        .mtime_sec = st->stx_mtime.tv_sec,
        .mtime_nsec = st->stx_mtime.tv_nsec };
    x->kernel_inode = st->stx_ino;
    x->links = st->stx_nlink;
    x->ctime = (struct timespec){ st->stx_ctime.tv_sec, st->stx_ctime.tv_nsec };
    x->settled = ago > SETTLED_NS;
}

static int
read_target(const struct walk *w, int dir, const char *name, struct files_entry *e)
{
    char target[FILES_PATH];
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);

    if (n < 0)
        return -errno;
    target[n] = '\0';
    if (!files_target_ok(w->path, target))
        return refuse_file(w, "make it relative, to something in the folder",
            "a symbolic link that leads out of the folder");
    return add_name(w->list, target, &e->target);
}

/* Before it is looked at: what happens to it from there on is told. */
static int
watch(struct walk *w, int dir, const char *name, mode_t type)
{
    struct filescan *s = w->s;
    int ret;

    if (!w->watching || !s->watch)
        return 0;
    if (w->known && !w->known->renamed && w->known->x.wd > 0)
        return w->known->x.wd;
    ret = type ? filewatch_is(s->watch, dir, name, type)
               : filewatch_add(s->watch, dir, name);
    if (ret == -ENOENT || ret == -ENOTDIR)
        return 0; /* gone, which its folder's watch has told */
    if (ret < 0)
        scan_unwatch(s, ret == -ENOSPC ? "no more can be watched: raise "
                                         "fs.inotify.max_user_watches"
                                       : strerror(-ret));
    return ret < 0 ? 0 : ret;
}

static bool
status(int dir, const char *name, struct statx *st)
{
    return statx(dir, name, AT_SYMLINK_NOFOLLOW | (name[0] ? 0 : AT_EMPTY_PATH), WANTED,
               st) == 0;
}

static int
check_place(struct walk *w, const struct statx *st)
{
    size_t others = w->some ? w->s->all.n - w->s->dirty.n : 0;

    if (makedev(st->stx_dev_major, st->stx_dev_minor) != w->s->devs[w->root])
        return refuse_file(w, "name it as a state folder of its own",
            "another file system is mounted there");
    if (others + w->list->n >= FILES_MAX_ENTRIES)
        return refuse_file(w, "keep fewer than 65536 files", "too many files");
    return 0;
}

int
scan_add(struct walk *w, int dir, const char *name, bool *is_dir)
{
    struct files_entry e = { 0 };
    struct scan_extra x = { 0 };
    struct statx st;
    int ret;

    x.wd = watch(w, dir, name, 0);
    if (!status(dir, name, &st))
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno; /* gone by now */
    if (w->known && !w->known->renamed && st.stx_ino != w->known->x.kernel_inode) {
        w->known = NULL;
        return scan_add(w, dir, name, is_dir);
    }
    watch(w, dir, name, st.stx_mode & S_IFMT);
    ret = check_place(w, &st);
    if (ret == 0)
        ret = type_of(w, &st, &e.type);
    if (ret == 0)
        ret = grow_list(w->list);
    if (ret == 0)
        ret = add_name(w->list, w->path, &e.path);
    if (ret == 0 && e.type == FILES_SYMLINK)
        ret = read_target(w, dir, name, &e);
    if (ret < 0)
        return ret;
    fill_entry(w, &st, &e, &x);
    w->list->v[w->list->n] = e;
    w->list->x[w->list->n++] = x;
    *is_dir = e.type == FILES_DIR;
    return 0;
}

bool
scan_status(const struct filescan *s, const struct scan_node *node,
    struct files_entry *e, struct scan_extra *x)
{
    static const mode_t kinds[FILES_NTYPES] = { S_IFDIR, S_IFREG, S_IFLNK, S_IFREG,
        S_IFIFO };
    struct walk w = { .root = node->e.root };
    struct statx st;

    if (!status(s->fds[node->e.root], node->path, &st) ||
        (st.stx_mode & S_IFMT) != kinds[node->e.type] ||
        makedev(st.stx_dev_major, st.stx_dev_minor) != s->devs[node->e.root])
        return false;
    fill_entry(&w, &st, e, x);
    return true;
}

static int
walk_name(struct walk *w, int dir, const char *name)
{
    size_t was = strlen(w->path), n = strlen(name);
    bool is_dir = false;
    int ret, fd;

    if (strncmp(name, FILES_RESERVED, sizeof FILES_RESERVED - 1) == 0)
        return 0; /* ours */
    if (was + 1 + n >= FILES_PATH)
        return refuse_file(w, "use shorter paths", "a path of more than 1022 bytes");
    snprintf(w->path + was, sizeof w->path - was, "%s%s", was ? "/" : "", name);
    w->known = NULL;
    ret = scan_add(w, dir, name, &is_dir);
    if (ret == 0 && is_dir) {
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            ret = scan_dir(w, fd);
        else
            ret = errno == ENOENT ? 0 : -errno;
    }
    w->path[was] = '\0';
    return ret;
}

int
scan_dir(struct walk *w, int fd)
{
    DIR *dir = fdopendir(fd); /* takes it */
    struct dirent *e;
    int ret = 0;

    if (!dir) {
        ret = -errno;
        fd_close(fd);
        return ret;
    }
    if (++w->depth > MAX_DEPTH)
        ret = refuse_file(w, "nest folders less", "folders more than 64 deep");
    while (ret == 0 && (e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ret = walk_name(w, dirfd(dir), e->d_name);
    w->depth--;
    closedir(dir);
    return ret;
}

static int
by_name(const void *a, const void *b, void *arg)
{
    const struct scan_list *list = arg;

    return files_order(&list->v[*(const uint32_t *)a], &list->v[*(const uint32_t *)b]);
}

/* Texts into pointers.  True: it is in the order of names already. */
static bool
finish(struct scan_list *list)
{
    bool sorted = true;

    for (size_t i = 0; i < list->n; i++) {
        struct files_entry *e = &list->v[i];

        e->path = list->names + (uintptr_t)e->path - 1;
        if (e->target)
            e->target = list->names + (uintptr_t)e->target - 1;
        sorted &= i == 0 || files_order(e - 1, e) < 0;
    }
    return sorted;
}

/* Both arrays. */
static int
sort(struct scan_list *list)
{
    uint32_t *order = calloc(list->n + 1, sizeof *order);
    struct files_entry *v = calloc(list->n + 1, sizeof *v);
    struct scan_extra *x = calloc(list->n + 1, sizeof *x);

    if (!order || !v || !x) {
        free(order);
        free(v);
        free(x);
        return -ENOMEM;
    }
    for (size_t i = 0; i < list->n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, list->n, sizeof *order, by_name, list);
    for (size_t i = 0; i < list->n; i++) {
        v[i] = list->v[order[i]];
        x[i] = list->x[order[i]];
    }
    free(order);
    free(list->v);
    free(list->x);
    list->v = v;
    list->x = x;
    list->max = list->n + 1;
    return 0;
}

static bool
may_have_links(const struct files_entry *e)
{
    return e->shared && (e->type == FILES_FILE || e->type == FILES_FIFO);
}

/* Of a file with several names the first is the file, the others are links to it; a
 * name outside would be a way to write to it that nobody sees. */
static int
join_links(struct walk *w)
{
    struct scan_list *list = w->list;

    for (size_t i = 0; i < list->n; i++) {
        uint32_t names = 1;

        if (!may_have_links(&list->v[i]))
            continue;
        for (size_t k = i + 1; k < list->n; k++)
            if (may_have_links(&list->v[k]) && list->v[k].root == list->v[i].root &&
                list->v[k].inode == list->v[i].inode) {
                list->v[k].type = FILES_LINK;
                list->v[k].target = list->v[i].path;
                names++;
            }
        w->root = list->v[i].root;
        snprintf(w->path, sizeof w->path, "%s", list->v[i].path);
        if (names != list->x[i].links)
            return refuse_file(w, "make it a file of its own",
                "it has another name outside of the folder (hard link)");
    }
    return 0;
}

int
scan_finish(struct walk *w)
{
    int ret = finish(w->list) ? 0 : sort(w->list);

    return ret == 0 ? join_links(w) : ret;
}

int
scan_walk(struct filescan *s, bool watching, struct refusals *why)
{
    struct walk w = { .s = s, .list = &s->now, .why = why, .watching = watching };
    int ret = scan_open_roots(s, why), fd;
    bool is_dir;

    scan_list_clear(w.list);
    for (unsigned i = 0; i < s->conf.nroots && ret == 0; i++) {
        w.root = i;
        clock_gettime(CLOCK_REALTIME, &w.now);
        ret = scan_add(&w, s->fds[i], "", &is_dir);
        fd = openat(s->fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ret == 0)
            ret = fd < 0 ? -errno : scan_dir(&w, fd);
        else
            fd_close(fd);
    }
    return ret == 0 ? scan_finish(&w) : ret;
}
