/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/revive.h"

#include "lib/fd.h"
#include "sockmig/alone/injector.h"
#include "sockmig/ckpt/cgroup.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/ckpt/tree.h"

#include <errno.h>
#include <fcntl.h>
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

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static const struct image_process *
root(const struct loaded *l)
{
    return &l->all.images[0]->process;
}

static bool
same_boot(const struct loaded *l)
{
    char boot[40];

    if (file_read("/proc/sys/kernel/random/boot_id", boot, sizeof boot) < 0)
        return false;
    boot[strcspn(boot, "\n")] = '\0';
    return !strcmp(boot, l->head.boot);
}

int64_t
revive_age(const struct loaded *l)
{
    int64_t age = same_boot(l) ? clock_ns(CLOCK_MONOTONIC) - (int64_t)root(l)->clock_ns
                               : clock_ns(CLOCK_REALTIME) - l->tree.realtime_ns;

    return age < 0 ? 0 : age;
}

void
revive_init(struct revive *r)
{
    *r = (struct revive){ .netns = -1, .raw = -1, .tun = -1 };
    r->stubs.pidfd = -1;
}

static const struct image *
image(const struct loaded *l, uint64_t i)
{
    return family_is_zombie(&l->all.members[i]) ? NULL : l->all.images[i];
}

static void
count(struct revive *r)
{
    r->connections = 0;
    for (uint64_t i = 0; i < r->image->tree.count; i++)
        r->connections += image(r->image, i) ? image(r->image, i)->ntcps : 0;
}

/* Many a program looks at /proc/self now and then: that is here when the process is. */
static bool
comes_with_it(const struct image *im, const struct refusal *refusal)
{
    const struct image_fd *f = image_fd_find(im, refusal->fd);
    char own[32];

    snprintf(own, sizeof own, "/proc/%d/", im->process.pid);
    return f && f->kind == IMAGE_FD_FILE && !strncmp(f->u.file.path, own, strlen(own));
}

static int
check_host(struct revive *r)
{
    for (uint64_t i = 0; i < r->image->tree.count; i++) {
        const struct image *im = image(r->image, i);
        struct refusals why = { .n = 0 };

        if (!im || clone_check_host(NULL, im, &why) == 0)
            continue;
        for (unsigned k = 0; k < why.n && k < REFUSALS_MAX; k++)
            if (!comes_with_it(im, &why.v[k]))
                refuse(&r->why, why.v[k].pid, why.v[k].fd, why.v[k].cure, "%s",
                    why.v[k].what);
    }
    return r->why.n > 0 ? -EOPNOTSUPP : 0;
}

/* The clocks go on.  On the host and boot that the image comes from they do so by
 * themselves, unless the processes had a time namespace; otherwise they get one. */
static int
set_clocks(const struct revive *r)
{
    const struct image_process *p = root(r->image);
    int64_t monotonic = (int64_t)p->monotonic_ns + r->age_ns -
                        clock_ns(CLOCK_MONOTONIC);
    int64_t boottime = (int64_t)p->boottime_ns + r->age_ns - clock_ns(CLOCK_BOOTTIME);
    char text[160];
    int fd, ret = 0, n;

    if (same_boot(r->image) &&
        llabs((int64_t)(p->monotonic_ns - p->clock_ns)) < 10000000)
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

static void
add_ends(struct revive *r)
{
    for (uint64_t i = 0; i < r->image->tree.count; i++)
        if (image(r->image, i))
            silence_add(&r->silence, image(r->image, i));
}

/* A socket that is closed when they run. */
static int
keep_late(struct revive *r, int fd)
{
    if (fd < 0)
        return fd;
    if (r->nlate < REVIVE_LATE)
        r->late[r->nlate++] = fd;
    else
        fd_close(fd);
    return 0;
}

static int
be_silent(struct revive *r)
{
    char name[SILENCE_NAME];
    int ret;

    snprintf(name, sizeof name, "%.26s", r->image->head.silence);
    if (!name[0])
        silence_name(root(r->image)->pid, name);
    silence_begin(&r->silence, name);
    r->silence.receive_only = true;
    add_ends(r);
    if (r->silence.n == 0)
        return 0;
    /* A dump that was killed late left closing connections in the way; the rules that
     * it left as well keep their resets here. */
    for (unsigned i = 0; r->image->head.silence[0] && i < r->silence.n; i++)
        tcp_purge_orphans(r->silence.ends[i].port);
    ret = keep_late(
        r, silence_on(&r->silence, r->image->head.silence[0] != '\0', r->error));
    r->has_begun = ret == 0;
    return ret;
}

static bool
needs_injector(const struct revive *r)
{
    for (uint64_t i = 0; i < r->image->tree.count; i++) {
        const struct image *im = image(r->image, i);

        for (uint32_t k = 0; im && k < im->ntcps; k++)
            if (im->tcps[k].state != STATE_ESTABLISHED)
                return true;
        for (uint32_t k = 0; im && k < im->nfds; k++)
            if (im->fds[k].kind == IMAGE_FD_UDP && im->fds[k].u.udp.queued > 0)
                return true;
    }
    return false;
}

int
revive_begin(struct revive *r, const struct loaded *l)
{
    int ret;

    r->image = l;
    count(r);
    fd_expect(r->connections);
    ret = check_host(r);
    if (ret == 0)
        ret = set_clocks(r);
    if (ret == 0)
        ret = be_silent(r);
    if (ret < 0)
        return ret;
    r->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ret = stubs_new(&r->stubs, &l->all, NULL, r->netns, r->freezer, &r->why);
    return ret == 0 ? stubs_fill(&r->stubs) : ret;
}

int
revive_item(struct revive *r, const struct imgfile_item *item, struct revive_room *room)
{
    int place = family_place(&r->image->all, item->process);
    const struct image *im = place >= 0 ? image(r->image, place) : NULL;
    struct pages pages;

    if (!im) /* it had ended when all stood still */
        return 0;
    if (item->type == IMGFILE_QUEUES) {
        struct parcels parcels = { .data = (uint8_t *)(uintptr_t)item->data,
            .size = item->size };

        return stubs_queues(&r->stubs, (uint32_t)place, &parcels);
    }
    if (item->type != IMGFILE_PAGES)
        return 0;
    return load_pages(item, im, &room->runs, &room->max, &pages)
               ? stubs_pages(&r->stubs, (uint32_t)place, &pages)
               : -EBADMSG;
}

/* ---- the image goes on while its processes are stubs here */

static int
changed(struct revive *r, const char *what)
{
    snprintf(r->error, sizeof r->error, "%s changed meanwhile: try again", what);
    return -EAGAIN;
}

static int
check_same(struct revive *r, const struct loaded *l)
{
    if (l->tree.count != r->image->tree.count)
        return changed(r, "its processes");
    for (uint64_t i = 0; i < l->tree.count; i++) {
        if (!family_is_same(&l->all.members[i], &r->image->all.members[i]))
            return changed(r, "its processes");
        if (image(r->image, i) && skeleton_highest(l->all.images[i]) >= r->stubs.number)
            return changed(r, "its descriptors");
    }
    return 0;
}

/* It may have connections from and to places that nobody thought of before. */
static int
renew_silence(struct revive *r)
{
    unsigned before = r->silence.n;
    int ret = 0;

    add_ends(r);
    if (r->silence.n > before) {
        ret = keep_late(r, silence_on(&r->silence, r->has_begun, r->error));
        r->has_begun |= ret == 0;
    }
    return ret;
}

int
revive_renew(struct revive *r, const struct loaded *l)
{
    int ret = check_same(r, l);

    if (ret == 0 && !stubs_same_terminals(&r->stubs, &l->all))
        ret = changed(r, "a session's terminal");
    if (ret < 0)
        return ret;
    r->image = l;
    count(r);
    ret = check_host(r);
    if (ret == 0)
        ret = stubs_renew(&r->stubs, &l->all);
    return ret == 0 ? renew_silence(r) : ret;
}

/* ---- the end */

static int
decide(void *arg)
{
    struct revive *r = arg;

    return r->before ? r->before(r->arg) : 0;
}

void
revive_groups(struct revive *r)
{
    for (uint64_t i = 0; i < r->image->tree.count; i++) {
        const struct image *im = image(r->image, i);
        int ret = im && im->process.cgroup[0]
                      ? cgroup_join(im->process.cgroup, im->process.pid)
                      : 0;

        if (ret < 0)
            refuse(&r->why, im->process.pid, -1,
                "make the group, and write the process's id to its cgroup.procs",
                "it runs in the caller's control group, not in %.200s: %s",
                im->process.cgroup, strerror(-ret));
    }
}

static int
sockets_ready(void *arg)
{
    struct revive *r = arg;
    int ret = 0;

    if (!r->freezer)
        revive_groups(r);
    if (r->has_begun) {
        ret = keep_late(r, silence_let_pass(&r->silence, r->error));
        r->passing = ret == 0;
        if (r->again)
            ret = 0;
        r->has_begun = ret < 0;
    }
    return ret;
}

int
revive_wake(struct revive *r)
{
    struct stub_wake request = { .alone = r->alone,
        .age_ms = (uint32_t)(r->age_ns / 1000000),
        .freezer = r->freezer,
        .decide = decide,
        .sockets_ready = sockets_ready,
        .arg = r };

    if (r->tun < 0 && needs_injector(r))
        r->tun = injector_open();
    request.tun = r->tun;
    request.raw = r->raw = socket(
        AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    return stubs_wake(&r->stubs, &request, &r->lost);
}

void
revive_settle(struct revive *r)
{
    char ignored[SILENCE_ERROR];

    while (r->nlate > 0)
        fd_close(r->late[--r->nlate]);
    if (r->passing)
        silence_off(&r->silence, ignored);
    r->passing = false;
}

void
revive_end(struct revive *r, bool failed)
{
    char ignored[SILENCE_ERROR];

    stubs_free(&r->stubs);
    revive_settle(r);
    if (failed && r->has_begun && !r->silence.was_on)
        silence_off(&r->silence, ignored);
    fd_close(r->netns);
    fd_close(r->raw);
    fd_close(r->tun);
    r->netns = r->raw = r->tun = -1;
}
