/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/stubs.h"

#include "lib/fd.h"
#include "sockmig/ckpt/stubs_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
all_leave_free(uint64_t start, uint64_t end, void *arg)
{
    const struct stubs *s = arg;

    for (unsigned k = 0; k < s->n; k++)
        for (uint32_t i = 0; stub_image(s, k) && i < stub_image(s, k)->nvmas; i++)
            if (stub_image(s, k)->vmas[i].start < end &&
                start < stub_image(s, k)->vmas[i].end)
                return false;
    return true;
}

int
stub_say(struct stubs *s, unsigned i, const char *failed, int ret)
{
    if (ret == 0 || ret == -EOPNOTSUPP)
        return ret;
    if (ret == -EEXIST)
        refuse(s->why, s->family->members[i].pid, -1,
            "end that process (or let its parent wait for it), or restore in another "
            "pid namespace",
            "process or thread id is in use here");
    else
        refuse(s->why, s->family->members[i].pid, -1, "see the system's log", "%s: %s",
            failed ? failed : "process", strerror(-ret));
    return ret;
}

/* ---- the root */

/* The last thing that the stub does before it is one is to close all descriptors: only
 * then may it be stopped. */
static void
await_stub(int report)
{
    char byte;

    while (read(report, &byte, 1) < 0 && errno == EINTR)
        ;
}

static pid_t
fork_root(struct stubs *s)
{
    pid_t want = s->family->members[0].pid;
    struct skeleton_stub stub = {
        .pidfd = s->pidfd, .number = s->number, .idle = batch_idle(&s->batch)
    };
    struct clone_args args = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&want, .set_tid_size = 1
    };
    int ends[2];
    long pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        setsid();
        _exit(skeleton_run_stub(&stub));
    }
    if (pid < 0)
        pid = -errno;
    fd_close(ends[1]);
    if (pid > 0)
        await_stub(ends[0]);
    fd_close(ends[0]);
    return (pid_t)pid;
}

struct clone *
stub_allocate(struct stubs *s, int netns, pid_t pid)
{
    struct clone *c = clone_allocate(netns);

    if (!c)
        return NULL;
    c->pid = pid;
    c->batch = s->batch;
    c->parent_fd = s->number;
    c->segments = &s->segments;
    return c;
}

static int
make_root_in_cell(struct stubs *s, const struct cell_conf *cell)
{
    struct clone *c = clone_allocate(cell->netns);
    int ret;

    if (!c)
        return -ENOMEM;
    s->clones[0] = c;
    c->batch = s->batch;
    c->segments = &s->segments;
    ret = skeleton_cell(c, cell, stub_image(s, 0), s->number, s->why);
    if (ret == 0)
        ret = batch_seize(&s->batch, c->pid);
    if (ret < 0)
        return stub_say(s, 0, "stub", ret);
    c->batch = s->batch;
    ret = net_purge(c); /* of an earlier service's connections */
    return ret == 0 ? skeleton_clear(c, stub_image(s, 0), s->why) : ret;
}

static int
make_root(struct stubs *s, int netns, const struct freezer *freezer)
{
    pid_t pid = fork_root(s);
    int ret;

    if (pid < 0)
        return stub_say(s, 0, "clone3", pid);
    ret = batch_seize(&s->batch, pid);
    if (ret == 0 && freezer)
        ret = freezer_put(freezer, pid);
    if (ret == 0 && !(s->clones[0] = stub_allocate(s, netns, pid)))
        ret = -ENOMEM;
    if (ret < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, __WALL);
        return stub_say(s, 0, "stub", ret);
    }
    return skeleton_clear(s->clones[0], stub_image(s, 0), s->why);
}

/* ---- its descendants */

static int
make_descendants(struct stubs *s)
{
    struct family_plan *plan = malloc(sizeof *plan);
    const struct family_member *root = &s->family->members[0];
    int ret = plan ? 0 : -ENOMEM;

    if (ret == 0 && !family_plan(s->family, NULL, plan))
        ret = -EPROTO;
    if (ret == 0 && root->sid == root->pid)
        ret = stubs_terminals_control(s, 0);
    if (ret == 0)
        ret = batch_run(&s->clones[0]->batch, s->clones[0]->pid);
    if (ret < 0)
        ret = stub_say(s, 0, "its sessions", ret);
    else
        ret = stubs_make(s, plan);
    free(plan);
    return ret;
}

/* ---- those that have ended */

static int
end_by_signal(pid_t pid, int sig)
{
    uint64_t none = 0;
    struct {
        uint64_t soft, hard;
    } no_core = { 0, 0 };
    int status, ret = 0;

    syscall(SYS_prlimit64, pid, 4 /* RLIMIT_CORE */, &no_core, NULL);
    if (ptrace(PTRACE_SETSIGMASK, pid, 8, &none) < 0 || kill(pid, sig) < 0 ||
        ptrace(PTRACE_CONT, pid, 0, 0) < 0)
        return -errno;
    while (ret == 0 && (status = batch_wait_stop(pid)) >= 0)
        if (ptrace(PTRACE_CONT, pid, 0,
                (void *)(long)(status >> 16 ? 0 : WSTOPSIG(status))) < 0)
            ret = -errno;
    return ret;
}

int
stub_end_zombie(struct stubs *s, unsigned i)
{
    struct clone *c = s->clones[i];
    int status = s->family->members[i].status, ret;

    if (WIFSIGNALED(status)) {
        ret = end_by_signal(c->pid, WTERMSIG(status));
    } else {
        batch_add(&c->batch, "exit", SYS_exit_group, (uint64_t)WEXITSTATUS(status), 0,
            0, 0, 0, 0);
        ret = batch_run(&c->batch, c->pid);
        if (ret == -ESRCH)
            ret = 0;
    }
    stub_free(c);
    s->clones[i] = NULL;
    return stub_say(s, i, "zombie", ret);
}

/* ---- all together */

int
stubs_new(struct stubs *s, const struct family *family, const struct cell_conf *cell,
    int netns, const struct freezer *freezer, struct refusals *why)
{
    unsigned n = family->n;
    int ret;

    *s = (struct stubs){ .family = family, .n = n, .pidfd = -1, .why = why };
    s->clones = calloc(n, sizeof(struct clone *));
    s->wakes = calloc(n, sizeof *s->wakes);
    if (!s->clones || !s->wakes)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++)
        if (stub_image(s, i) &&
            skeleton_number(skeleton_highest(stub_image(s, i))) > s->number)
            s->number = skeleton_number(skeleton_highest(stub_image(s, i)));
    s->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    ret = s->pidfd < 0 ? -errno : batch_map(&s->batch, all_leave_free, s);
    if (ret < 0)
        return stub_say(s, 0, "room for the stubs", ret);
    ret = stubs_terminals_new(s);
    if (ret == 0)
        ret = cell ? make_root_in_cell(s, cell) : make_root(s, netns, freezer);
    if (ret == 0)
        ret = make_descendants(s);
    for (unsigned i = 0; i < n && ret == 0; i++)
        if (!stub_image(s, i))
            ret = stub_end_zombie(s, i);
    return ret;
}

/* Each stub that stands for a process; no zombies. */
static int
each(struct stubs *s,
    int (*step)(struct stubs *s, struct clone *c, const struct image *im))
{
    int ret = 0;

    for (unsigned i = 0; i < s->n && ret == 0; i++) {
        struct clone *c = s->clones[i];

        if (!c)
            continue;
        ret = step(s, c, stub_image(s, i));
        ret = stub_say(s, i, c->batch.failed, ret);
    }
    return ret;
}

int
stub_fill(struct stubs *s, struct clone *c, const struct image *im)
{
    int ret = skeleton_settle(c, im);

    if (ret == 0)
        ret = clone_check_stub(c, im, s->why);
    return ret == 0 ? skeleton_layout(c, im) : ret;
}

int
stubs_fill(struct stubs *s)
{
    int ret = each(s, stub_fill);

    if (ret == 0)
        ret = stubs_share_memory(s);
    for (unsigned i = 0; i < s->n && ret == 0; i++)
        if (s->clones[i])
            ret = stub_say(s, i, "make a thread",
                skeleton_threads(s->clones[i], stub_image(s, i)));
    return ret;
}

static bool
leaves_free(const struct clone *c, const struct image *im)
{
    uint64_t start = (uint64_t)(uintptr_t)c->batch.base;

    for (uint32_t i = 0; i < im->nvmas; i++)
        if (im->vmas[i].start < start + c->batch.size && start < im->vmas[i].end)
            return false;
    return true;
}

static int
renew(struct stubs *s, struct clone *c, const struct image *im)
{
    int ret;

    if (!leaves_free(c, im)) { /* it grew to where the calls are made */
        c->batch.failed = "room for the stubs";
        return -EBUSY;
    }
    s->remapped |= c->nvmas != im->nvmas ||
                   memcmp(c->vmas, im->vmas, im->nvmas * sizeof *im->vmas) != 0;
    ret = skeleton_layout(c, im);
    return ret == 0 ? skeleton_threads(c, im) : ret;
}

/* Before there are new ones, which may have the same keys. */
static int
drop_segments(struct stubs *s)
{
    const struct image *images[FAMILY_MAX];

    if (s->segments.n == 0)
        return 0;
    for (unsigned i = 0; i < s->n; i++)
        images[i] = stub_image(s, i);
    return skeleton_drop_segments(s->clones[0], images, s->n);
}

int
stubs_renew(struct stubs *s, const struct family *family)
{
    int ret;

    s->family = family;
    s->remapped = false;
    ret = drop_segments(s);
    if (ret == 0)
        ret = each(s, renew);
    return ret == 0 && s->remapped ? stubs_share_memory(s) : ret;
}

int
stubs_pages(struct stubs *s, uint32_t process, const struct pages *pages)
{
    struct clone *c = process < s->n ? s->clones[process] : NULL;

    return c ? stub_say(s, process, "memory", content_pages(c, pages)) : -EBADMSG;
}

int
stubs_queues(struct stubs *s, uint32_t process, const struct parcels *parcels)
{
    struct clone *c = process < s->n ? s->clones[process] : NULL;

    return c ? content_queues(c, parcels) : -EBADMSG;
}

/* Its mapping for calls is the root's and stays. */
void
stub_free(struct clone *c)
{
    if (c)
        c->batch.base = NULL;
    clone_free(c);
}

void
stub_kill(struct clone *c)
{
    kill(c->pid, SIGKILL);
    for (unsigned k = c->nthreads; k-- > 0;)
        waitpid(c->threads[k].tid, NULL, __WALL);
    if (c->nthreads == 0)
        waitpid(c->pid, NULL, __WALL);
}

void
stubs_free(struct stubs *s)
{
    for (unsigned i = s->n; s->clones && i-- > 0;) {
        if (s->clones[i] && s->clones[i]->pid > 0) /* not let go */
            stub_kill(s->clones[i]);
        stub_free(s->clones[i]);
    }
    free(s->clones);
    free(s->wakes);
    free(s->unixes);
    s->unixes = NULL;
    stubs_objects_close(s);
    stubs_terminals_close(s);
    fd_close(s->pidfd);
    batch_unmap(&s->batch);
    s->clones = NULL;
    s->n = 0;
}
