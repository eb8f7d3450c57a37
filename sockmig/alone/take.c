/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/take.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/alone/alone.h"
#include "sockmig/ckpt/given.h"
#include "sockmig/ckpt/links.h"
#include "sockmig/ckpt/peek.h"
#include "sockmig/ckpt/place.h"
#include "sockmig/ckpt/segments.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/tcp_read.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PART_BYTES (16u << 20)    /* of memory at a time */
#define QUEUES_BYTES (4ull << 30) /* address space */
#define ENCODED_BYTES (64u << 20)
#define STOP_MS 500
#define AHEAD_US 5000 /* between two looks at a connection */
#define STOP_TRIES 40

static int
put(struct take *t, enum imgfile_type type, uint32_t process, const void *data,
    size_t size)
{
    return t->put(
        t->arg, type, process, &(struct iovec){ (void *)(uintptr_t)data, size }, 1);
}

int
take_pages(struct take *t, uint32_t i)
{
    uint32_t process = t->tree.members[i].info.number;
    uint64_t n = t->pages.nruns;
    const struct iovec v[] = { { &n, sizeof n },
        { t->pages.runs, n * sizeof *t->pages.runs },
        { t->pages.data, t->pages.size } };
    int ret = n > 0 ? t->put(t->arg, IMGFILE_PAGES, process, v, TAKE_PARTS) : 0;

    t->memory += t->pages.size;
    pages_reset(&t->pages);
    return ret;
}

/* ---- before they stop */

static void
describe_host(struct imgfile_head *head)
{
    struct utsname host;

    uname(&host);
    head->machine = EM_X86_64;
    head->page_size = IMAGE_PAGE;
    snprintf(
        head->kernel, sizeof head->kernel, "%.60s %.60s", host.release, host.version);
    snprintf(head->host, sizeof head->host, "%.63s", host.nodename);
    snprintf(head->program, sizeof head->program, "sockmig %.20s", PACKAGE_VERSION);
    file_read("/proc/sys/kernel/random/boot_id", head->boot, sizeof head->boot);
    head->boot[strcspn(head->boot, "\n")] = '\0';
}

/* The network namespace of @pid, if it is not ours. */
static int
other_netns(pid_t pid)
{
    struct stat ours, its;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat("/proc/self/ns/net", &ours) < 0 || stat(path, &its) < 0 ||
        (ours.st_ino == its.st_ino && ours.st_dev == its.st_dev))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

int
take_find(struct take *t, pid_t root)
{
    int ret;

    t->guard.watcher.life = -1;
    t->netns = other_netns(root);
    t->own_ipc = place_own_ipc(root);
    ret = tree_find(&t->tree, root);
    if (ret < 0)
        return ret;
    describe_host(&t->head);
    survey_load(); /* not while they stand still */
    given_load();
    tcp_read_load();
    if (!t->talking)
        silence_name(tree_pid(&t->tree, 0), t->head.silence);
    t->encoded = malloc(ENCODED_BYTES);
    if (!t->encoded || pages_init(&t->pages, PART_BYTES, PART_BYTES) < 0 ||
        parcels_init(&t->parcels, QUEUES_BYTES) < 0)
        return -ENOMEM;
    return 0;
}

void
take_free(struct take *t)
{
    tree_close(&t->tree);
    guard_end(&t->guard);
    pages_fini(&t->pages);
    parcels_fini(&t->parcels);
    free(t->encoded);
    fd_close(t->netns);
    t->encoded = NULL;
    t->netns = -1;
}

int
take_head(struct take *t)
{
    return put(t, IMGFILE_HEAD, IMGFILE_VERSION, &t->head, sizeof t->head);
}

int
take_ahead(struct take *t)
{
    int ret = 0;

    for (uint32_t i = 0; i < t->tree.n && ret == 0; i++) {
        int more = t->tree.members[i].target ? -ENOSPC : 0;

        while (more == -ENOSPC && ret == 0) {
            more = target_precopy(t->tree.members[i].target, &t->pages);
            if (more == 0 || more == -ENOSPC)
                ret = take_pages(t, i);
            tree_serve(&t->tree, 0);
        }
        if (more < 0 && more != -ESRCH && ret == 0)
            ret = more;
        if (more == -ESRCH && i == 0)
            ret = -ESRCH;
    }
    return ret;
}

/* ---- while they stand still */

int
take_enter(const struct take *t)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), ret;

    if (home < 0)
        return -errno;
    if (t->netns < 0 || setns(t->netns, CLONE_NEWNET) == 0)
        return home;
    ret = -errno;
    fd_close(home);
    return ret;
}

void
take_leave(const struct take *t, int home)
{
    if (t->netns >= 0 && setns(home, CLONE_NEWNET) < 0)
        log_fatal("cannot return to the own network namespace: %s", strerror(errno));
    fd_close(home);
}

static int
be_silent(struct take *t)
{
    struct silence *s = &t->guard.page->silence;
    int home, ret = 0;

    silence_begin(s, t->head.silence);
    for (unsigned i = 0; i < t->tree.n && ret == 0; i++)
        if (t->tree.members[i].target)
            ret = silence_sockets(
                s, t->tree.members[i].pid, t->looked ? t->tree.members[i].image : NULL);
    if (ret < 0 || s->n == 0)
        return ret;
    t->guard.page->silent = true;
    FAULT_POINT("take-silence");
    home = take_enter(t);
    if (home < 0)
        return home;
    ret = silence_on(s, false, t->error);
    fd_close(ret); /* nothing was there to wait for */
    take_leave(t, home);
    return ret < 0 ? ret : 0;
}

void
take_speak(struct take *t)
{
    char error[SILENCE_ERROR];
    int home;

    if (!t->guard.page || !t->guard.page->silent)
        return;
    home = take_enter(t);
    if (home >= 0) {
        if (silence_off(&t->guard.page->silence, error) < 0)
            alone_error("%s", error);
        take_leave(t, home);
    }
    t->guard.page->silent = false;
}

static int
take_one(struct take *t, uint32_t i, enum take_pages pages)
{
    struct tree_member *m = &t->tree.members[i];
    struct target_request req = {
        .stop_limit_ms = STOP_MS, .stay_stopped = true, .in_parts = true
    };
    struct target_timing timing;
    size_t size;
    int ret, more;

    if (!m->target)
        return 0;
    t->guard.page->pid = m->pid;
    req.no_pages = pages == TAKE_NONE;
    parcels_reset(&t->parcels);
    ret = target_checkpoint(
        m->target, &req, m->image, &t->pages, &t->parcels, &timing, &t->why);
    if (ret < 0)
        return ret;
    FAULT_POINT("take-checkpoint");
    t->connections += m->image->ntcps;
    size = image_encode(m->image, t->encoded, ENCODED_BYTES);
    ret = size > 0 ? put(t, IMGFILE_PROCESS, m->info.number, t->encoded, size) : -E2BIG;
    if (ret == 0 && t->parcels.size > 0)
        ret = put(t, IMGFILE_QUEUES, m->info.number, t->parcels.data, t->parcels.size);
    if (ret == 0 && pages == TAKE_REST)
        ret = take_pages(t, i);
    for (more = -ENOSPC; more == -ENOSPC && ret == 0 && pages == TAKE_REST;) {
        more = target_rest(m->target, &t->pages);
        ret = more == 0 || more == -ENOSPC ? take_pages(t, i) : more;
    }
    return ret;
}

static int
put_tree(struct take *t)
{
    struct family_member *all = calloc(t->tree.n, sizeof *all);
    struct imgfile_tree head = { .count = t->tree.n };
    const struct iovec v[] = { { &head, sizeof head },
        { all, t->tree.n * sizeof *all } };
    struct timespec now;
    int ret = -ENOMEM;

    clock_gettime(CLOCK_REALTIME, &now);
    head.realtime_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    for (unsigned i = 0; all && i < t->tree.n; i++)
        all[i] = t->tree.members[i].info;
    if (all)
        ret = t->put(t->arg, IMGFILE_TREE, 0, v, 2);
    free(all);
    return ret;
}

static int
put_links(struct take *t)
{
    struct family_link *links;
    long n = links_find(&t->tree, &links);
    int ret = n < 0 ? (int)n : 0;

    if (n > 0)
        ret = put(t, IMGFILE_LINKS, 0, links, (size_t)n * sizeof *links);
    free(links);
    return ret;
}

/* A segment that others have attached, too, would be two afterwards. */
static int
check_segment(struct take *t, const struct image *im, const struct image_segment *s)
{
    unsigned ours = 0;

    for (unsigned i = 0; i < t->tree.n; i++)
        for (uint32_t k = 0;
             t->tree.members[i].target && k < t->tree.members[i].image->nvmas; k++)
            ours += t->tree.members[i].image->vmas[k].kind == IMAGE_VMA_SEGMENT &&
                    t->tree.members[i].image->vmas[k].inode == s->inode;
    if (s->id < 0 || s->attached <= ours)
        return 0;
    refuse(&t->why, im->process.pid, -1, "take all processes that have it, or none",
        "System V shared memory %d is attached by other processes, too", s->id);
    return -EOPNOTSUPP;
}

static int
check_segments(struct take *t)
{
    int ret = 0;

    for (unsigned i = 0; i < t->tree.n; i++) {
        const struct image *im = t->tree.members[i].image;

        for (uint32_t k = 0; t->tree.members[i].target && k < im->nsegments && ret == 0;
             k++)
            ret = check_segment(t, im, &im->segments[k]);
    }
    return ret;
}

static int
check_silence(const struct take *t)
{
    if (t->talking)
        return 0;
    for (unsigned i = 0; i < t->tree.n; i++)
        if (t->tree.members[i].target &&
            !silence_covers(&t->guard.page->silence, t->tree.members[i].image))
            return -EAGAIN;
    return 0;
}

int
take_state(struct take *t, enum take_pages pages)
{
    int ret = t->talking ? 0 : be_silent(t);

    t->connections = 0;
    if (ret == 0)
        ret = put_tree(t);
    for (uint32_t i = 0; i < t->tree.n && ret == 0; i++)
        ret = take_one(t, i, pages);
    if (ret == 0)
        ret = check_segments(t);
    if (ret == 0 && t->tree.n > 1)
        ret = put_links(t);
    return ret == 0 ? check_silence(t) : ret;
}

int
take_stop(struct take *t)
{
    int ret = -EAGAIN;

    for (unsigned tries = 0; tries < STOP_TRIES && ret == -EAGAIN; tries++) {
        if (tries > 0)
            tree_serve(&t->tree, 20000);
        t->why.n = 0;
        t->frozen = mono_clock();
        ret = tree_stop(&t->tree, STOP_MS, &t->why);
    }
    if (ret == -EAGAIN)
        snprintf(t->error, sizeof t->error,
            "a thread does not stop (uninterruptible sleep?): try again later");
    return ret;
}

/* Twice, since what is the same the second time is known then. */
static void
look_at_connections(struct take *t)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        tree_ahead(&t->tree);
        tree_serve(&t->tree, AHEAD_US);
    }
}

int
take_look(struct take *t)
{
    int ret;

    look_at_connections(t);
    ret = take_stop(t);
    if (ret < 0)
        return ret;
    t->talking = true;
    ret = take_state(t, TAKE_NONE);
    t->talking = false;
    t->looked = ret == 0;
    tree_resume(&t->tree);
    return ret;
}

/* ---- the image is whole, and it is safe */

static void
hush(void *arg, int sock)
{
    int on = TCP_REPAIR_ON;

    (void)arg;
    setsockopt(sock, SOL_TCP, TCP_REPAIR, &on, sizeof on); /* fails if it is not TCP */
}

static void
silence_for_good(const struct tree_member *m)
{
    int pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0);

    for (uint32_t i = 0; pidfd >= 0 && i < m->image->nfds; i++) {
        const struct image_fd *f = &m->image->fds[i];
        int sock;

        if ((f->kind != IMAGE_FD_TCP && f->kind != IMAGE_FD_UNIX) || f->dup_of >= 0 ||
            f->fd >= IMAGE_IN_FLIGHT)
            continue;
        sock = (int)syscall(SYS_pidfd_getfd, pidfd, f->fd, 0);
        if (sock >= 0 && f->kind == IMAGE_FD_TCP)
            hush(NULL, sock);
        else if (sock >= 0)
            peek_sockets(sock, hush, NULL);
        fd_close(sock);
    }
    fd_close(pidfd);
}

void
take_bind(struct take *t, bool on)
{
    struct guard_page *page = t->guard.page;

    if (!on)
        page->final = false;
    memcpy(page->pids, t->tree.pids, t->tree.n * sizeof t->tree.pids[0]);
    page->npids = t->tree.n;
    if (on)
        page->final = true;
    for (unsigned i = 0; i < t->tree.n; i++)
        if (t->tree.members[i].target)
            trace_exit_kill(t->tree.members[i].pid, on);
}

/* From the first socket on that says nothing at its close, nobody may run again: if
 * this program dies now the kernel and the guard do the rest. */
void
take_kill(struct take *t, void (*meanwhile)(void *arg), void *arg)
{
    take_bind(t, true);
    FAULT_POINT("take-kill");
    for (unsigned i = 0; i < t->tree.n; i++)
        if (t->tree.members[i].target)
            silence_for_good(&t->tree.members[i]);
    for (unsigned i = t->tree.n; i-- > 0;)
        kill(t->tree.pids[i], SIGKILL);
    for (unsigned i = t->tree.n; i-- > 0;)
        while (t->tree.members[i].target &&
               target_serve(t->tree.members[i].target,
                   mono_add_ms(mono_clock(), meanwhile ? 1 : 1000), -1) == 0)
            if (meanwhile)
                meanwhile(arg);
    for (unsigned i = 0; i < t->tree.n && !t->own_ipc; i++)
        if (t->tree.members[i].target)
            segments_remove(t->tree.members[i].image);
}

int
take_failed(const struct take *t, int ret, pid_t root, const char *failed)
{
    alone_refusals(&t->why);
    if (ret == -EOPNOTSUPP && t->why.n > 0)
        return ALONE_REFUSED;
    if ((ret == -ESRCH || ret == -EPERM || ret == -EACCES) && !t->error[0])
        return alone_nobody(root, ret);
    alone_error("%s: %s", failed, t->error[0] ? t->error : strerror(-ret));
    return ALONE_FAILED;
}
