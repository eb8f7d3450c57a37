/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * restore.c - sockmig restore: the processes of an image, with their ids, in the
 * caller's namespaces. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/injector.h"
#include "sockmig/alone/load.h"
#include "sockmig/alone/silence.h"
#include "sockmig/alone/stubs.h"

#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define SECOND_NS INT64_C(1000000000)

struct restore {
    struct loaded image;
    struct stub_plan *plans; /* owned */
    struct stubs stubs;
    struct silence silence;
    struct refusals why;
    char error[IMGFILE_ERROR];
    int netns, raw, tun; /* owned */
    int64_t age_ns;      /* of the image */
    unsigned lost, connections;
    bool alone;
};

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static const struct image_process *
root(const struct restore *r)
{
    return &r->image.images[0].process;
}

static bool
same_boot(const struct restore *r)
{
    char boot[40];

    if (file_read("/proc/sys/kernel/random/boot_id", boot, sizeof boot) < 0)
        return false;
    boot[strcspn(boot, "\n")] = '\0';
    return !strcmp(boot, r->image.head.boot);
}

static int
plan(struct restore *r)
{
    r->plans = calloc(r->image.tree.count, sizeof *r->plans);
    if (!r->plans)
        return -ENOMEM;
    for (uint64_t i = 0; i < r->image.tree.count; i++) {
        r->plans[i].info = r->image.members[i];
        if (!(r->image.members[i].flags & IMGFILE_ZOMBIE)) {
            r->plans[i].im = &r->image.images[i];
            r->connections += r->image.images[i].ntcps;
        }
    }
    r->age_ns = same_boot(r) ? clock_ns(CLOCK_MONOTONIC) - (int64_t)root(r)->clock_ns
                             : clock_ns(CLOCK_REALTIME) - r->image.tree.realtime_ns;
    if (r->age_ns < 0)
        r->age_ns = 0;
    return 0;
}

static int
check_host(struct restore *r)
{
    int ret = 0;

    for (uint64_t i = 0; i < r->image.tree.count; i++)
        if (r->plans[i].im && clone_check_host(r->plans[i].im, &r->why) < 0)
            ret = -EOPNOTSUPP;
    return ret;
}

/* The clocks go on.  On the host and boot that the image comes from they do so by
 * themselves, unless the processes had a time namespace; otherwise they get one. */
static int
set_clocks(const struct restore *r)
{
    int64_t monotonic = (int64_t)root(r)->monotonic_ns + r->age_ns -
                        clock_ns(CLOCK_MONOTONIC);
    int64_t boottime = (int64_t)root(r)->boottime_ns + r->age_ns -
                       clock_ns(CLOCK_BOOTTIME);
    char text[160];
    int fd, ret = 0, n;

    if (same_boot(r) &&
        llabs((int64_t)(root(r)->monotonic_ns - root(r)->clock_ns)) < 10000000)
        return 0;
    n = snprintf(text, sizeof text,
        "monotonic %" PRId64 " %" PRId64 "\nboottime %" PRId64 " %" PRId64 "\n",
        monotonic / SECOND_NS - (monotonic % SECOND_NS < 0),
        (monotonic % SECOND_NS + SECOND_NS) % SECOND_NS,
        boottime / SECOND_NS - (boottime % SECOND_NS < 0),
        (boottime % SECOND_NS + SECOND_NS) % SECOND_NS);
    if (unshare(CLONE_NEWTIME) < 0)
        return -errno;
    fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        ret = -errno;
    fd_close(fd);
    return ret;
}

static int
be_silent(struct restore *r)
{
    char name[SILENCE_NAME];

    snprintf(name, sizeof name, "%.26s", r->image.head.silence);
    if (!name[0])
        silence_name(root(r)->pid, name);
    silence_begin(&r->silence, name);
    r->silence.receive_only = true;
    for (uint64_t i = 0; i < r->image.tree.count; i++)
        if (r->plans[i].im)
            silence_add(&r->silence, r->plans[i].im);
    if (r->silence.n == 0)
        return 0;
    /* A dump that was killed late left closing connections in the way; the rules that
     * it left as well keep their resets here. */
    for (unsigned i = 0; r->image.head.silence[0] && i < r->silence.n; i++)
        tcp_purge_orphans(r->silence.ends[i].port);
    return silence_on(&r->silence, r->image.head.silence[0] != '\0', r->error);
}

static int
speak_again(void *arg)
{
    struct restore *r = arg;

    return r->silence.n > 0 ? silence_off(&r->silence, r->error) : 0;
}

static int
fill(struct restore *r)
{
    struct imgfile_item item;
    struct page_run *runs = NULL;
    struct pages pages;
    size_t at = 0, max = 0;
    int ret = stubs_fill(&r->stubs);

    while (ret == 0 && imgfile_next(&r->image.file, &at, &item)) {
        int place = load_place(&r->image, item.process);
        const struct image *im = place >= 0 ? r->plans[place].im : NULL;

        if (!im) /* it had ended when all stood still */
            continue;
        if (item.type == IMGFILE_QUEUES) {
            struct parcels parcels = { .data = (uint8_t *)(uintptr_t)item.data,
                .size = item.size };

            ret = stubs_queues(&r->stubs, (uint32_t)place, &parcels);
        } else if (item.type == IMGFILE_PAGES) {
            ret = load_pages(&item, im, &runs, &max, &pages)
                      ? stubs_pages(&r->stubs, (uint32_t)place, &pages)
                      : -EBADMSG;
        }
    }
    free(runs);
    return ret;
}

static bool
needs_injector(const struct restore *r)
{
    for (uint64_t i = 0; i < r->image.tree.count; i++) {
        const struct image *im = r->plans[i].im;

        for (uint32_t k = 0; im && k < im->ntcps; k++)
            if (im->tcps[k].state != STATE_ESTABLISHED)
                return true;
        for (uint32_t k = 0; im && k < im->nfds; k++)
            if (im->fds[k].kind == IMAGE_FD_UDP && im->fds[k].u.udp.queued > 0)
                return true;
    }
    return false;
}

static int
work(struct restore *r)
{
    struct stub_wake request = {
        .tun = -1, .alone = r->alone, .sockets_ready = speak_again, .arg = r
    };
    int ret = plan(r);

    if (ret == 0)
        ret = check_host(r);
    if (ret == 0)
        ret = set_clocks(r);
    if (ret == 0)
        ret = be_silent(r);
    if (ret == 0)
        ret = stubs_new(
            &r->stubs, r->plans, (unsigned)r->image.tree.count, r->netns, &r->why);
    if (ret == 0)
        ret = fill(r);
    if (ret < 0)
        return ret;
    r->stubs.links = r->image.links;
    r->stubs.nlinks = r->image.nlinks;
    request.tun = r->tun = needs_injector(r) ? injector_open() : -1;
    request.age_ms = (uint32_t)(r->age_ns / 1000000);
    request.raw = r->raw = socket(
        AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    return stubs_wake(&r->stubs, &request, &r->lost);
}

static int
tell(struct restore *r, int ret, int64_t us)
{
    alone_refusals(&r->why);
    if (ret == 0) {
        printf("%llu process%s, %u of %u connection%s, root %d; %.1f ms\n",
            (unsigned long long)r->image.tree.count,
            r->image.tree.count == 1 ? "" : "es", r->connections - r->lost,
            r->connections, r->connections == 1 ? "" : "s", root(r)->pid,
            (double)us / 1000);
        return ALONE_DONE;
    }
    if (ret == -EOPNOTSUPP && r->why.n > 0)
        return ALONE_REFUSED;
    alone_error("not restored: %s", r->error[0] ? r->error : strerror(-ret));
    return ALONE_FAILED;
}

static void
end(struct restore *r, int ret)
{
    char ignored[SILENCE_ERROR];

    stubs_free(&r->stubs);
    if (ret < 0 && r->silence.n > 0 && !r->silence.was_on)
        silence_off(&r->silence, ignored);
    load_free(&r->image);
    free(r->plans);
    fd_close(r->netns);
    fd_close(r->raw);
    fd_close(r->tun);
    free(r);
}

int
alone_restore(int argc, char **argv)
{
    static const struct option options[] = {
        { "reset-connections", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 }
    };
    struct restore *r = calloc(1, sizeof *r);
    struct mono start = mono_clock();
    int c, ret, code;

    if (!r)
        return ALONE_FAILED;
    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'r')
        r->alone = true;
    if (c != -1 || argc - optind != 1) {
        free(r);
        return alone_usage("restore");
    }
    r->stubs.pidfd = r->raw = r->tun = -1;
    r->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ret = load(&r->image, argv[optind], r->error);
    if (ret == 0)
        ret = work(r);
    code = tell(r, ret, mono_us_between(start, mono_clock()));
    end(r, ret);
    return code;
}
