/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_state.c - what a process has besides memory and descriptors: signals, timers,
 * its place in the kernel's books, children that it lost. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77
#endif
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif
#define MM_FIELDS 11 /* of struct prctl_mm_map that the image has */
#define MM_BRK 5

static void
add_prctl(struct batch *b, const char *name, int option, uint64_t a, uint64_t c)
{
    batch_add(b, name, SYS_prctl, (uint64_t)option, a, c, 0, 0, 0);
}

/* SIGTRAP ends batches: if the service ignores it, the kernel would take that back at
 * the next one, so wake_registers() sets that last. */
static void
restore_actions(struct batch *b, const struct image_process *p)
{
    for (uint64_t s = 1; s <= 64; s++)
        if (s != SIGKILL && s != SIGSTOP &&
            (s != SIGTRAP || p->actions[s - 1].handler != (uintptr_t)SIG_IGN))
            batch_add(b, "rt_sigaction", SYS_rt_sigaction, s,
                batch_put(b, &p->actions[s - 1], sizeof p->actions[0]), 0, 8, 0, 0);
}

static void
restore_place(struct batch *b, const struct image_process *p)
{
    batch_add(b, "umask", SYS_umask, p->umask, 0, 0, 0, 0, 0);
    batch_add(b, "working directory", SYS_chdir,
        batch_put(b, p->cwd, strnlen(p->cwd, IMAGE_PATH - 1) + 1), 0, 0, 0, 0, 0);
    if (p->thp_disable)
        add_prctl(b, "PR_SET_THP_DISABLE", PR_SET_THP_DISABLE, 1, 0);
    if (p->lock_all)
        batch_add(b, "mlockall", SYS_mlockall, p->lock_all, 0, 0, 0, 0, 0);
    if (p->merge)
        add_prctl(b, "PR_SET_MEMORY_MERGE", PR_SET_MEMORY_MERGE, 1, 0);
    if (p->personality)
        batch_add(b, "personality", SYS_personality, p->personality, 0, 0, 0, 0, 0);
    if (p->never_exec_written)
        add_prctl(b, "PR_SET_MDWE", PR_SET_MDWE, p->never_exec_written, 0);
    if (p->child_subreaper)
        add_prctl(b, "PR_SET_CHILD_SUBREAPER", PR_SET_CHILD_SUBREAPER, 1, 0);
}

/* Before there are descriptors: the executable gets number 0. */
static void
restore_mm(struct batch *b, const struct image_process *p)
{
    struct {
        uint64_t fields[MM_FIELDS];
        uint64_t auxv;
        uint32_t auxv_size, exe_fd;
    } map;

    memcpy(map.fields, p->mm, sizeof map.fields);
    map.fields[MM_BRK] = p->brk;
    map.auxv = batch_put(b, p->auxv, p->auxv_bytes);
    map.auxv_size = p->auxv_bytes;
    map.exe_fd = 0;
    batch_add(b, "open the executable", SYS_open,
        batch_put(b, p->exe, strnlen(p->exe, IMAGE_PATH - 1) + 1), O_RDONLY | O_CLOEXEC,
        0, 0, 0, 0);
    batch_add(b, "PR_SET_MM_MAP", SYS_prctl, PR_SET_MM, PR_SET_MM_MAP,
        batch_put(b, &map, sizeof map), sizeof map, 0, 0);
    batch_add(b, "close the executable", SYS_close, 0, 0, 0, 0, 0, 0);
}

static void
restore_timers(struct batch *b, const struct image *im)
{
    if (im->ntimers == 0)
        return;
    add_prctl(b, "timers with given numbers", PR_TIMER_CREATE_RESTORE_IDS, 1, 0);
    for (uint32_t i = 0; i < im->ntimers; i++) {
        const struct image_timer *t = &im->timers[i];
        struct sigevent event = { .sigev_notify = t->notify, .sigev_signo = t->signo };

        event.sigev_value.sival_ptr = (void *)(uintptr_t)t->value;
        if (t->notify == SIGEV_THREAD_ID)
            event._sigev_un._tid = t->tid;
        batch_add(b, "timer_create", SYS_timer_create, (uint64_t)t->clock,
            batch_put(b, &event, sizeof event), batch_put(b, &t->id, sizeof t->id), 0,
            0, 0);
    }
    add_prctl(b, "timers with given numbers", PR_TIMER_CREATE_RESTORE_IDS, 0, 0);
}

/* A child shares the memory so that making it costs nothing; it is killed before its
 * first instruction. */
static void
make_children(struct batch *b, const struct image *im)
{
    for (uint32_t i = 0; i < im->nchildren; i++) {
        const struct image_child *child = &im->children[i];
        struct clone_args args = { .flags = CLONE_VM,
            .exit_signal = (uint64_t)child->exit_signal,
            .set_tid = batch_put(b, &child->pid, sizeof child->pid),
            .set_tid_size = 1 };

        batch_add(b, "make a child that is lost", SYS_clone3,
            batch_put(b, &args, sizeof args), sizeof args, 0, 0, 0, 0);
    }
}

static int
kill_children(struct batch *b, unsigned expected)
{
    for (unsigned i = 0; i < b->nborn; i++) {
        kill(b->born[i], SIGKILL);
        if (batch_wait_stop(b->born[i]) != -ESRCH)
            return -EPROTO;
    }
    return b->nborn == expected ? 0 : -EPROTO;
}

static int
restore_oom(const struct clone *c, int32_t value)
{
    char path[64], text[16];

    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", c->pid);
    snprintf(text, sizeof text, "%d", value);
    return file_write(path, text);
}

static int
restore_limits(struct wake *w)
{
    for (int i = 0; i < 16; i++) {
        struct rlimit64 old,
            now = { w->im->process.rlimits[i].soft, w->im->process.rlimits[i].hard };

        if (prlimit64(w->c->pid, (enum __rlimit_resource)i, NULL, &old) < 0)
            return -errno;
        if (old.rlim_cur == now.rlim_cur && old.rlim_max == now.rlim_max)
            continue;
        batch_add(&w->c->batch, "resource limit", SYS_prlimit64, 0, (uint64_t)i,
            batch_put(&w->c->batch, &now, sizeof now), 0, 0, 0);
    }
    return 0;
}

/* Without children the calls wait for the next step's. */
static int
children_done(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;
    int ret;

    if (w->im->nchildren == 0)
        return 0;
    ret = batch_run(b, w->c->pid);
    *what = b->failed;
    if (ret < 0)
        return ret;
    *what = "children";
    return kill_children(b, w->im->nchildren);
}

int
wake_process(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;
    const struct image_process *p = &w->im->process;
    int ret;

    b->nborn = 0;
    restore_mm(b, p);
    restore_actions(b, p);
    restore_place(b, p);
    restore_timers(b, w->im);
    make_children(b, w->im);
    ret = children_done(w, what);
    if (ret == 0 && p->oom_score_adj != 0)
        if (restore_oom(w->c, p->oom_score_adj) < 0)
            refuse(w->why, p->pid, -1, "give the engine CAP_SYS_RESOURCE",
                "oom_score_adj %d could not be set", p->oom_score_adj);
    return ret;
}

/* Resource limits come after the descriptors, which may lie above the soft limit. */
int
wake_limits(struct wake *w, const char **what)
{
    *what = "resource limits";
    return restore_limits(w);
}

/* Names of files are those outside of it: nothing is opened after. */
int
wake_root(struct wake *w, const char **what)
{
    const char *root = w->im->process.root;

    *what = "root folder";
    if (root[1] == '\0')
        return 0;
    batch_add(&w->c->batch, "root folder", SYS_chroot,
        batch_put(&w->c->batch, root, strnlen(root, IMAGE_PATH - 1) + 1), 0, 0, 0, 0,
        0);
    return 0;
}
