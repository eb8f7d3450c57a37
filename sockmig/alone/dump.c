/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dump.c - sockmig dump: a process with its descendants into an image.
 *
 *     attach ─► copy memory while they run ─► stop ─► silence ─► images, what was
 *     written meanwhile ─► on the disk, under its name ─► sockets silent for good ─►
 * kill
 *
 * Up to the last two steps they run on as if nothing had been if this program fails or
 * dies; from then on the image is whole. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/guard.h"
#include "sockmig/alone/imgfile.h"
#include "sockmig/alone/links.h"
#include "sockmig/alone/silence.h"
#include "sockmig/alone/tree.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/loop.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PART_BYTES (16u << 20)    /* of memory at a time */
#define QUEUES_BYTES (4ull << 30) /* address space */
#define ENCODED_BYTES (64u << 20)
#define ROUNDS 3       /* of copying ahead */
#define FEW (8u << 20) /* bytes of a round that are no reason for another */
#define STOP_MS 500
#define STOP_TRIES 40
#define EXIT_OPTIONS PTRACE_O_EXITKILL

struct dump {
    struct tree tree;
    struct imgfile_out out;
    struct pages pages;
    struct parcels parcels;
    struct guard guard;
    struct imgfile_head head;
    uint8_t *encoded; /* owned */
    int netns;        /* owned: of the root, if it is not ours; -1 */
    bool keep;
    struct mono frozen;
    struct refusals why;
    char error[SILENCE_ERROR];
    unsigned connections;
    uint64_t memory;
};

static int
put(struct dump *d, enum imgfile_type type, uint32_t process, const void *data,
    size_t size)
{
    return imgfile_put(
        &d->out, type, process, &(struct iovec){ (void *)(uintptr_t)data, size }, 1);
}

static int
put_pages(struct dump *d, uint32_t i)
{
    uint32_t process = d->tree.members[i].info.number;
    uint64_t n = d->pages.nruns;
    const struct iovec v[] = { { &n, sizeof n },
        { d->pages.runs, n * sizeof *d->pages.runs },
        { d->pages.data, d->pages.size } };
    int ret = n > 0 ? imgfile_put(&d->out, IMGFILE_PAGES, process, v, 3) : 0;

    d->memory += d->pages.size;
    pages_reset(&d->pages);
    return ret;
}

/* ---- before they stop */

static int
begin(struct dump *d, const char *dir)
{
    struct utsname host;
    int ret = imgfile_create(&d->out, dir);

    if (ret < 0) {
        snprintf(d->error, sizeof d->error, "%s: %s", dir, strerror(-ret));
        return ret;
    }
    uname(&host);
    d->head.machine = EM_X86_64;
    d->head.page_size = IMAGE_PAGE;
    snprintf(d->head.kernel, sizeof d->head.kernel, "%.60s %.60s", host.release,
        host.version);
    snprintf(d->head.host, sizeof d->head.host, "%.63s", host.nodename);
    snprintf(d->head.program, sizeof d->head.program, "sockmig %.20s", PACKAGE_VERSION);
    file_read("/proc/sys/kernel/random/boot_id", d->head.boot, sizeof d->head.boot);
    d->head.boot[strcspn(d->head.boot, "\n")] = '\0';
    if (!d->keep)
        silence_name(tree_pid(&d->tree, 0), d->head.silence);
    d->encoded = malloc(ENCODED_BYTES);
    if (!d->encoded || pages_init(&d->pages, PART_BYTES, PART_BYTES) < 0 ||
        parcels_init(&d->parcels, QUEUES_BYTES) < 0)
        return -ENOMEM;
    return imgfile_put(&d->out, IMGFILE_HEAD, IMGFILE_VERSION,
        &(struct iovec){ &d->head, sizeof d->head }, 1);
}

static void *
flush(void *arg)
{
    struct dump *d = arg;

    return (void *)(intptr_t)imgfile_flush(&d->out);
}

/* The disk may take long: meanwhile the stops of the targets are answered. */
static int
flush_while_serving(struct dump *d)
{
    pthread_t thread;
    void *result = NULL;
    int ret = pthread_create(&thread, NULL, flush, d);

    if (ret != 0)
        return -ret;
    while (pthread_tryjoin_np(thread, &result) == EBUSY)
        tree_serve(&d->tree, 1000);
    return (int)(intptr_t)result;
}

static int
copy_memory(struct dump *d)
{
    int ret = 0;

    for (uint32_t i = 0; i < d->tree.n && ret == 0; i++) {
        int more = d->tree.members[i].target ? -ENOSPC : 0;

        while (more == -ENOSPC && ret == 0) {
            more = target_precopy(d->tree.members[i].target, &d->pages);
            if (more == 0 || more == -ENOSPC)
                ret = put_pages(d, i);
            tree_serve(&d->tree, 0);
        }
        if (more < 0 && more != -ESRCH && ret == 0)
            ret = more;
        if (more == -ESRCH && i == 0)
            ret = -ESRCH;
    }
    return ret;
}

/* ---- while they stand still */

static int
enter(int netns)
{
    return netns >= 0 && setns(netns, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int
be_silent(struct dump *d)
{
    struct silence *s = &d->guard.page->silence;
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), ret = 0;

    silence_begin(s, d->head.silence);
    for (unsigned i = 0; i < d->tree.n && ret == 0; i++)
        if (d->tree.members[i].target)
            ret = silence_sockets(s, d->tree.members[i].pid);
    if (ret < 0 || s->n == 0) {
        fd_close(home);
        return ret;
    }
    d->guard.page->silent = true;
    FAULT_POINT("dump-silence");
    ret = enter(d->netns);
    if (ret == 0)
        ret = silence_on(s, false, d->error);
    if (d->netns >= 0 && setns(home, CLONE_NEWNET) < 0 && ret == 0)
        ret = -errno;
    fd_close(home);
    return ret;
}

static void
speak_again(struct dump *d)
{
    char error[SILENCE_ERROR];
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (d->guard.page && d->guard.page->silent && enter(d->netns) == 0 &&
        silence_off(&d->guard.page->silence, error) < 0)
        alone_error("%s", error);
    if (d->netns >= 0)
        setns(home, CLONE_NEWNET);
    fd_close(home);
    if (d->guard.page)
        d->guard.page->silent = false;
}

static int
take_one(struct dump *d, uint32_t i)
{
    struct tree_member *m = &d->tree.members[i];
    struct target_request req = {
        .stop_limit_ms = STOP_MS, .stay_stopped = true, .in_parts = true
    };
    struct target_timing timing;
    size_t size;
    int ret, more;

    if (!m->target)
        return 0;
    d->guard.page->pid = m->pid;
    parcels_reset(&d->parcels);
    ret = target_checkpoint(
        m->target, &req, &m->image, &d->pages, &d->parcels, &timing, &d->why);
    if (ret < 0)
        return ret;
    FAULT_POINT("dump-checkpoint");
    m->image.nchildren = 0; /* they are members themselves */
    d->connections += m->image.ntcps;
    size = image_encode(&m->image, d->encoded, ENCODED_BYTES);
    ret = size > 0 ? put(d, IMGFILE_PROCESS, m->info.number, d->encoded, size) : -E2BIG;
    if (ret == 0 && d->parcels.size > 0)
        ret = put(d, IMGFILE_QUEUES, m->info.number, d->parcels.data, d->parcels.size);
    if (ret == 0)
        ret = put_pages(d, i);
    for (more = -ENOSPC; more == -ENOSPC && ret == 0;) {
        more = target_rest(m->target, &d->pages);
        ret = more == 0 || more == -ENOSPC ? put_pages(d, i) : more;
    }
    return ret;
}

static int
put_tree(struct dump *d)
{
    struct imgfile_member *all = calloc(d->tree.n, sizeof *all);
    struct imgfile_tree head = { .count = d->tree.n };
    const struct iovec v[] = { { &head, sizeof head },
        { all, d->tree.n * sizeof *all } };
    struct timespec t;
    int ret = -ENOMEM;

    clock_gettime(CLOCK_REALTIME, &t);
    head.realtime_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    for (unsigned i = 0; all && i < d->tree.n; i++)
        all[i] = d->tree.members[i].info;
    if (all)
        ret = imgfile_put(&d->out, IMGFILE_TREE, 0, v, 2);
    free(all);
    return ret;
}

static int
put_links(struct dump *d)
{
    struct imgfile_link *links;
    long n = links_find(&d->tree, &links);
    int ret = n < 0 ? (int)n : 0;

    if (n > 0)
        ret = put(d, IMGFILE_LINKS, 0, links, (size_t)n * sizeof *links);
    free(links);
    return ret;
}

static int
check_silence(const struct dump *d)
{
    if (d->keep)
        return 0;
    for (unsigned i = 0; i < d->tree.n; i++)
        if (d->tree.members[i].target &&
            !silence_covers(&d->guard.page->silence, &d->tree.members[i].image))
            return -EAGAIN;
    return 0;
}

static int
take_all(struct dump *d)
{
    int ret = d->keep ? 0 : be_silent(d);

    if (ret == 0)
        ret = put_tree(d);
    for (uint32_t i = 0; i < d->tree.n && ret == 0; i++)
        ret = take_one(d, i);
    if (ret == 0 && d->tree.n > 1)
        ret = put_links(d);
    return ret == 0 ? check_silence(d) : ret;
}

static int
stop_all(struct dump *d)
{
    int ret = -EAGAIN;

    for (unsigned tries = 0; tries < STOP_TRIES && ret == -EAGAIN; tries++) {
        if (tries > 0)
            tree_serve(&d->tree, 20000);
        d->why.n = 0;
        d->frozen = mono_clock();
        ret = tree_stop(&d->tree, STOP_MS, &d->why);
    }
    if (ret == -EAGAIN)
        snprintf(d->error, sizeof d->error,
            "a thread does not stop (uninterruptible sleep?): try again later");
    return ret;
}

/* ---- the image is whole */

static void
silence_for_good(const struct tree_member *m)
{
    int pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0), on = TCP_REPAIR_ON;

    for (uint32_t i = 0; pidfd >= 0 && i < m->image.nfds; i++) {
        const struct image_fd *f = &m->image.fds[i];
        int sock;

        if (f->kind != IMAGE_FD_TCP || f->dup_of >= 0)
            continue;
        sock = (int)syscall(SYS_pidfd_getfd, pidfd, f->fd, 0);
        if (sock >= 0)
            setsockopt(sock, SOL_TCP, TCP_REPAIR, &on, sizeof on);
        fd_close(sock);
    }
    fd_close(pidfd);
}

/* From the first socket on that says nothing at its close, nobody may run again: if
 * this program dies now the kernel and the guard do the rest. */
static void
kill_all(struct dump *d)
{
    memcpy(d->guard.page->pids, d->tree.pids, d->tree.n * sizeof d->tree.pids[0]);
    d->guard.page->npids = d->tree.n;
    d->guard.page->final = true;
    for (unsigned i = 0; i < d->tree.n; i++)
        if (d->tree.members[i].target)
            ptrace(PTRACE_SETOPTIONS, d->tree.members[i].pid, 0, EXIT_OPTIONS);
    FAULT_POINT("dump-kill");
    for (unsigned i = 0; i < d->tree.n; i++)
        if (d->tree.members[i].target)
            silence_for_good(&d->tree.members[i]);
    for (unsigned i = d->tree.n; i-- > 0;)
        kill(d->tree.pids[i], SIGKILL);
    for (unsigned i = d->tree.n; i-- > 0;)
        while (
            d->tree.members[i].target && target_serve(d->tree.members[i].target,
                                             mono_add_ms(mono_clock(), 1000), -1) == 0)
            ;
}

/* ---- all together */

/* Again while much was written meanwhile: the last round is the pause. */
static int
ahead(struct dump *d)
{
    uint64_t before = 0;
    int ret = 0;

    for (int i = 0; i < ROUNDS && ret == 0 && (i == 0 || d->memory - before > FEW);
         i++) {
        before = d->memory;
        ret = copy_memory(d);
    }
    return ret == 0 ? flush_while_serving(d) : ret;
}

static int
freeze(struct dump *d)
{
    int ret = stop_all(d);

    return ret == 0 ? take_all(d) : ret;
}

static int
work(struct dump *d, pid_t root, const char *dir)
{
    int ret = tree_find(&d->tree, root);

    if (ret == 0)
        ret = begin(d, dir);
    if (ret == 0)
        ret = guard_start(&d->guard, d->netns, d->out.folder, d->out.temporary);
    if (ret == 0)
        ret = tree_attach(&d->tree, &d->why);
    if (ret == 0)
        ret = ahead(d);
    FAULT_POINT("dump-ahead");
    if (ret == 0)
        ret = freeze(d);
    if (ret == 0 && d->keep)
        tree_resume(&d->tree);
    if (ret == 0)
        ret = imgfile_commit(&d->out);
    FAULT_POINT("dump-committed");
    if (ret == 0 && !d->keep)
        kill_all(d);
    else
        speak_again(d);
    return ret;
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

static int
tell(struct dump *d, int ret, pid_t root, const char *dir)
{
    int64_t us = mono_us_between(d->frozen, mono_clock());

    if (ret == 0) {
        printf("%u process%s, %u connection%s, %llu MB of memory to %s/" IMGFILE_NAME
               "%s\n",
            d->tree.n, d->tree.n == 1 ? "" : "es", d->connections,
            d->connections == 1 ? "" : "s", (unsigned long long)(d->memory >> 20), dir,
            d->keep ? "; they run on" : "");
        printf("stood still for %.1f ms\n", (double)us / 1000);
        if (!d->keep && d->guard.page->silent)
            printf(
                "packets of the connections are dropped until sockmig restore (chains "
                "%s-i and -o of iptables)\n",
                d->head.silence);
        return ALONE_DONE;
    }
    alone_refusals(&d->why);
    if (ret == -EOPNOTSUPP && d->why.n > 0)
        return ALONE_REFUSED;
    if (ret == -ESRCH || ret == -EPERM) {
        alone_error("process %d: %s", (int)root, strerror(-ret));
        return ALONE_NOBODY;
    }
    alone_error("not dumped: %s", d->error[0] ? d->error : strerror(-ret));
    return ALONE_FAILED;
}

int
alone_dump(int argc, char **argv)
{
    static const struct option options[] = { { "keep-running", no_argument, NULL, 'k' },
        { NULL, 0, NULL, 0 } };
    struct dump *d = calloc(1, sizeof *d);
    pid_t root;
    int c, ret;

    if (!d)
        return ALONE_FAILED;
    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'k')
        d->keep = true;
    root = argc - optind == 2 ? alone_pid(argv[optind]) : 0;
    if (c != -1 || root <= 0) {
        free(d);
        return alone_usage("dump");
    }
    d->netns = other_netns(root);
    d->out.fd = d->out.folder = d->guard.life = -1;
    ret = work(d, root, argv[optind + 1]);
    ret = tell(d, ret, root, argv[optind + 1]);
    tree_close(&d->tree);
    guard_end(&d->guard);
    imgfile_discard(&d->out);
    pages_fini(&d->pages);
    parcels_fini(&d->parcels);
    free(d->encoded);
    fd_close(d->netns);
    free(d);
    return ret;
}
