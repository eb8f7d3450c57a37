/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filewatch.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define BUFFER (64u << 10)

struct filewatch {
    int fd;       /* owned */
    char *buffer; /* owned */
};

static int
add(struct filewatch *w, int dir, const char *name, uint32_t mask)
{
    char path[64 + 1024];
    int n = snprintf(
        path, sizeof path, "/proc/self/fd/%d/%s", dir, name[0] ? name : ".");
    int wd;

    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    wd = inotify_add_watch(w->fd, path, mask | IN_DONT_FOLLOW);
    return wd < 0 ? -errno : wd;
}

int
filewatch_add(struct filewatch *w, int dir, const char *name)
{
    return add(w, dir, name, IN_MODIFY | IN_ATTRIB | NAMES);
}

/* Not what happens in all files of a folder, they have their own; nor what goes through
 * a pipe. */
int
filewatch_is(struct filewatch *w, int dir, const char *name, mode_t type)
{
    if (type == S_IFREG)
        return 0;
    return add(w, dir, name, type == S_IFDIR ? IN_ATTRIB | NAMES : IN_ATTRIB);
}

void
filewatch_remove(struct filewatch *w, int wd)
{
    inotify_rm_watch(w->fd, wd);
}

static bool
tell(const struct inotify_event *e, filewatch_fn *fn, void *arg)
{
    struct filewatch_event out = { .wd = e->wd };

    if (e->mask & (IN_Q_OVERFLOW | IN_UNMOUNT))
        return false;
    out.name = e->len > 0 && (e->mask & NAMES) ? e->name : NULL;
    out.content = e->mask & IN_MODIFY;
    out.gone = e->mask & IN_IGNORED;
    if (out.name || e->len == 0)
        fn(arg, &out);
    return true;
}

bool
filewatch_read(struct filewatch *w, filewatch_fn *fn, void *arg)
{
    bool whole = true;
    ssize_t n;

    while ((n = read(w->fd, w->buffer, BUFFER)) > 0 || (n < 0 && errno == EINTR)) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(w->buffer + at);

            whole &= tell(e, fn, arg);
            at += (ssize_t)(sizeof *e + e->len);
        }
    }
    return whole && n < 0 && errno == EAGAIN;
}

/* ---- what it must have seen before it is believed */

static void
count_writes(void *arg, const struct filewatch_event *event)
{
    *(unsigned *)arg += event->content;
}

static bool
saw(struct filewatch *w)
{
    unsigned writes = 0;

    return filewatch_read(w, count_writes, &writes) && writes > 0;
}

static bool
sees_splice(struct filewatch *w, int fd)
{
    int pipes[2];
    bool seen;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return false;
    seen = write(pipes[1], "bascule", 8) == 8 &&
           splice(pipes[0], NULL, fd, NULL, 8, 0) == 8 && saw(w);
    fd_close(pipes[0]);
    fd_close(pipes[1]);
    return seen;
}

static bool
sees_all(struct filewatch *w, int fd)
{
    off_t in = 0, out = 8192;

    return write(fd, "bascule", 8) == 8 && saw(w) &&
           pwrite(fd, "bascule", 8, 4096) == 8 && saw(w) &&
           copy_file_range(fd, &in, fd, &out, 8, 0) == 8 && saw(w) &&
           ftruncate(fd, 12288) == 0 && saw(w) &&
           (fallocate(fd, 0, 0, 4096) < 0 || saw(w)) && sees_splice(w, fd);
}

/* A file without a name: nothing in the folder changes. */
static bool
prove(struct filewatch *w, int root)
{
    int fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char path[64];
    int wd = -1;
    bool seen;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0)
        wd = inotify_add_watch(w->fd, path, IN_MODIFY | IN_ATTRIB);
    seen = wd >= 0 && sees_all(w, fd);
    if (wd >= 0)
        filewatch_remove(w, wd);
    fd_close(fd);
    return seen;
}

struct filewatch *
filewatch_new(const int *roots, unsigned nroots)
{
    struct filewatch *w = calloc(1, sizeof *w);
    bool seen = true;

    if (!w || !(w->buffer = malloc(BUFFER)))
        log_fatal("state folders: out of memory");
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    for (unsigned i = 0; i < nroots && w->fd >= 0 && seen; i++)
        seen = prove(w, roots[i]);
    if (w->fd >= 0 && seen)
        return w;
    log_info("state folders: all of their files are looked at for each checkpoint: "
             "this kernel does not tell which of them change: %s",
        w->fd < 0 ? "no inotify instance (fs.inotify.max_user_instances)"
                  : "it missed a write");
    filewatch_free(w);
    return NULL;
}

void
filewatch_free(struct filewatch *w)
{
    if (!w)
        return;
    fd_close(w->fd);
    free(w->buffer);
    free(w);
}
