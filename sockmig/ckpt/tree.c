/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/tree.h"

#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/ckpt/proctext.h"
#include "sockmig/image_alloc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 16384
#define EXEC_TRIES 10 /* programs that a process executes one after the other */

static int
find(const struct tree *t, pid_t pid)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->pids[i] == pid)
            return (int)i;
    return -1;
}

static int
add(struct tree *t, pid_t pid, int parent)
{
    struct tree_member m = { .pid = pid, .info = { .parent = parent } };

    if (t->n == FAMILY_MAX)
        return -E2BIG;
    if (!tree_describe(pid, &m.info))
        return t->n == 0 ? -ESRCH : 0;
    m.info.parent = parent;
    m.info.number = t->next++;
    t->members[t->n] = m;
    t->pids[t->n++] = pid;
    t->kin.n = t->n;
    return 0;
}

static bool
is_alive(pid_t pid)
{
    struct family_member info;

    return tree_describe(pid, &info) && !(info.flags & FAMILY_ZOMBIE);
}

/* Children of one thread of @pid, that are not known yet.  @parent -1: of the cell's
 * first process, which waits for those that have ended. */
static int
add_children_of(struct tree *t, pid_t pid, const char *tid, int parent)
{
    char path[96], text[TEXT_SIZE], *at = text, *end;
    int ret = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid);
    if (file_read(path, text, sizeof text) < 0)
        return 0; /* the thread is gone */
    for (long child = strtol(at, &end, 10); end != at && ret == 0;
         child = strtol(at, &end, 10)) {
        at = end;
        if (find(t, (pid_t)child) >= 0 || child == getpid() || /* it is no part */
            (parent < 0 && !is_alive((pid_t)child)))
            continue;
        ret = add(t, (pid_t)child, parent);
    }
    return ret;
}

static int
add_children(struct tree *t, unsigned parent)
{
    char path[64];
    struct dirent *e;
    DIR *dir;
    int ret = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)t->pids[parent]);
    dir = opendir(path);
    while (dir && ret == 0 && (e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.')
            ret = add_children_of(t, t->pids[parent], e->d_name, (int)parent);
    if (dir)
        closedir(dir);
    return ret;
}

/* Those that have outlived their parent. */
static int
add_orphans(struct tree *t)
{
    char tid[16];

    snprintf(tid, sizeof tid, "%d", (int)t->reaper);
    return t->reaper ? add_children_of(t, t->reaper, tid, -1) : 0;
}

static int
add_all(struct tree *t)
{
    int ret = add_orphans(t);

    for (unsigned i = 0; i < t->n && ret == 0; i++)
        ret = add_children(t, i);
    return ret;
}

static int
begin(struct tree *t, pid_t root)
{
    memset(t, 0, sizeof *t);
    t->kin.pids = t->pids;
    t->members = calloc(FAMILY_MAX, sizeof *t->members);
    return t->members ? add(t, root, -1) : -ENOMEM;
}

static pid_t
parent_of(pid_t pid)
{
    char path[64], text[TEXT_SIZE];

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, text, sizeof text) < 0)
        return 0;
    return (pid_t)proctext_number(text, "PPid:", 10, 0);
}

/* The parent of @root, if that is the first process of a cell (cell_make.c): it has one
 * page of memory, and whatever else it is the parent of has lost its own. */
static pid_t
reaper_above(pid_t root)
{
    pid_t parent = parent_of(root);
    struct family_member info;
    char path[64], text[128];

    snprintf(path, sizeof path, "/proc/%d/statm", (int)parent);
    return parent > 1 && tree_describe(parent, &info) && info.pid == 1 &&
                   file_read(path, text, sizeof text) > 0 && !strncmp(text, "1 ", 2)
               ? parent
               : 0;
}

int
tree_find(struct tree *t, pid_t root)
{
    int ret = begin(t, root);

    t->reaper = reaper_above(root);
    return ret == 0 ? add_all(t) : ret;
}

static int
attach_now(struct tree *t, struct tree_member *m, struct refusals *own)
{
    return t->init ? target_attach_quickly(m->pid, t->single ? NULL : &t->kin,
                         t->folders, &m->target, own)
                   : target_attach_among(m->pid, &t->kin, &m->target, own);
}

/* One that ends has no descriptors, folders or memory any more before it is gone. */
static bool
may_be_ending(int ret)
{
    return ret == -ESRCH || ret == -ENOENT || ret == -EBADF || ret == -EIO;
}

/* One that was just forked by one that we trace is ours by itself, until its parent's
 * target has let it go: it cannot be attached before. */
static int
attach_patiently(struct tree *t, unsigned i, struct refusals *own)
{
    struct tree_member *m = &t->members[i];
    int ret = attach_now(t, m, own);

    for (unsigned tries = 0; may_be_ending(ret) && tries < 200 && is_alive(m->pid);
         tries++) {
        tree_serve(t, 500);
        ret = attach_now(t, m, own);
    }
    return may_be_ending(ret) && !is_alive(m->pid) ? -ESRCH : ret;
}

/* 0; -ESRCH: it has ended, as far as this goes. */
static int
attach_one(struct tree *t, unsigned i, struct refusals *why)
{
    struct tree_member *m = &t->members[i];
    struct refusals own;
    int ret;

    if (m->target || (m->info.flags & FAMILY_ZOMBIE))
        return 0;
    ret = attach_patiently(t, i, &own);
    if (ret == 0 && !m->image && !(m->image = image_new()))
        ret = -ENOMEM;
    if (ret == -EOPNOTSUPP)
        refusals_join(why, &own);
    if (ret == -ESRCH && tree_describe(m->pid, &m->info) &&
        (m->info.flags & FAMILY_ZOMBIE))
        ret = 0;
    return ret;
}

int
tree_track(struct tree *t, pid_t init, pid_t root, enum conf_children children,
    const struct maps_folders *folders, struct refusals *why)
{
    int ret = begin(t, root);

    memset(why, 0, sizeof *why);
    t->init = init;
    t->folders = folders;
    t->kin.in_cell = true;
    t->reaper = children == CONF_CHILDREN_LOST ? 0 : init;
    if (ret == 0 && t->reaper)
        ret = add_all(t);
    t->single = children == CONF_CHILDREN_LOST ||
                (children == CONF_CHILDREN_AUTO && t->n == 1);
    if (children == CONF_CHILDREN_AUTO)
        t->settles = mono_add_ms(mono_clock(), TREE_SETTLES_MS);
    if (ret == 0)
        ret = family_alloc(&t->family, 0);
    return ret == 0 ? tree_attach(t, why) : ret;
}

int
tree_attach(struct tree *t, struct refusals *why)
{
    int ret = 0;

    for (unsigned i = 0; i < t->n; i++) {
        int one = attach_one(t, i, why);

        if (one == -EOPNOTSUPP) /* name what the others have, too */
            ret = one;
        else if (one < 0 && (one != -ESRCH || i == 0))
            return one;
    }
    return ret;
}

/* What it wrote to mapped files since the last checkpoint is not known. */
static void
let_go(struct tree *t, struct tree_member *m)
{
    t->lost |= target_maps_files(m->target);
    target_detach(m->target);
    m->target = NULL;
}

static void
forget(struct tree *t, unsigned i)
{
    let_go(t, &t->members[i]);
    image_free(t->members[i].image);
    t->n--;
    for (unsigned k = i; k < t->n; k++) {
        t->members[k] = t->members[k + 1];
        t->pids[k] = t->pids[k + 1];
    }
    for (unsigned k = 0; k < t->n; k++)
        if (t->members[k].info.parent > (int)i)
            t->members[k].info.parent--;
    t->kin.n = t->n;
}

/* Those whose parent ended are somebody else's children now: of our own, or of the
 * cell's first process.  Parents first: the children of strangers are strangers. */
static void
forget_strangers(struct tree *t)
{
    unsigned i = 1;

    while (i < t->n) {
        pid_t pid = parent_of(t->pids[i]);
        int parent = find(t, pid);

        if (parent < 0 && (pid == 0 || pid != t->reaper)) {
            forget(t, i);
        } else {
            t->members[i].info.parent = parent;
            i++;
        }
    }
}

/* One that executed another program is attached anew; the service's own process by who
 * tracks the service. */
static bool
may_renew(const struct tree *t, unsigned i)
{
    return (i > 0 || !t->init) && t->members[i].target &&
           target_has_executed(t->members[i].target);
}

/* What runs now is another program with the same id. */
static int
renew(struct tree *t, unsigned i, struct refusals *why)
{
    struct tree_member *m = &t->members[i];

    let_go(t, m);
    m->info.number = t->next++;
    m->taken = false;
    m->births = 0;
    return attach_one(t, i, why);
}

static int
stop_one(struct tree *t, unsigned i, unsigned limit_ms, struct refusals *why)
{
    struct tree_member *m = &t->members[i];
    int ret = attach_one(t, i, why);

    if (ret == 0 && m->target)
        ret = target_stop(m->target, limit_ms);
    for (unsigned tries = 0; ret == 0 && tries < EXEC_TRIES && may_renew(t, i);
         tries++) {
        ret = renew(t, i, why);
        if (ret == 0 && m->target)
            ret = target_stop(m->target, limit_ms);
    }
    if (ret == -ESRCH && i > 0) {
        target_detach(m->target);
        m->target = NULL;
        t->lost = true;
        ret = 0; /* a zombie, or gone: seen below */
    }
    if (ret == 0 && !t->single)
        ret = add_children(t, i);
    return ret;
}

/* What could not be attached is about to end: then it is a zombie soon, or gone. */
static int
await_ends(struct tree *t)
{
    for (unsigned i = 1; i < t->n; i++) {
        unsigned tries = 0;

        while (!t->members[i].target && is_alive(t->pids[i]) && tries++ < 200)
            tree_serve(t, 500);
        if (!t->members[i].target && is_alive(t->pids[i]))
            return -EAGAIN;
    }
    return 0;
}

static void
describe_all(struct tree *t)
{
    for (unsigned i = t->n; i-- > 0;) {
        struct family_member *info = &t->members[i].info;
        int parent = info->parent;

        if (!tree_describe(t->pids[i], info) ||
            (i > 0 && parent < 0 && (info->flags & FAMILY_ZOMBIE))) {
            forget(t, i);
            continue;
        }
        info->parent = parent;
        if (t->members[i].target && target_job_stopped(t->members[i].target))
            info->flags |= FAMILY_JOB_STOPPED;
    }
    if (t->n > 0 && t->reaper)
        t->members[0].info.flags |= FAMILY_WHOLE;
}

/* Children that came to one, or to the cell's first process, after it was asked: their
 * parent has ended meanwhile. */
static int
add_inherited(struct tree *t)
{
    int ret = t->single ? 0 : add_orphans(t);

    for (unsigned i = 0; i < t->n && ret == 0 && !t->single; i++)
        if (!t->members[i].taken ||
            (t->members[i].target && t->members[i].image->process.child_subreaper))
            ret = add_children(t, i);
    return ret;
}

static int
stop_all(struct tree *t, unsigned limit_ms, struct refusals *why)
{
    unsigned i = 0;
    int ret = 0;

    do {
        for (; i < t->n && ret == 0; i++)
            ret = stop_one(t, i, limit_ms, why);
        if (ret == 0)
            ret = add_inherited(t);
    } while (ret == 0 && i < t->n);
    return ret;
}

int
tree_stop(struct tree *t, unsigned limit_ms, struct refusals *why)
{
    int ret = 0;

    for (unsigned i = 0; i < t->n; i++)
        if (t->members[i].target)
            target_ask(t->members[i].target);
    ret = stop_all(t, limit_ms, why);
    if (ret == 0)
        ret = await_ends(t);
    if (ret == 0) {
        forget_strangers(t);
        describe_all(t);
        ret = t->n > 0 ? tree_check_plan(t, why) : -ESRCH;
    }
    if (ret < 0)
        tree_resume(t);
    return ret;
}

void
tree_resume(struct tree *t)
{
    for (unsigned i = t->n; i-- > 0;)
        if (t->members[i].target)
            target_resume(t->members[i].target);
}

void
tree_serve(struct tree *t, int64_t us)
{
    struct mono until = mono_add_us(mono_clock(), us);

    do
        for (unsigned i = 0; i < t->n; i++)
            if (t->members[i].target)
                target_serve(t->members[i].target, mono_add_us(mono_clock(), 200), -1);
    while (mono_before(mono_clock(), until));
}

void
tree_close(struct tree *t)
{
    for (unsigned i = t->n; t->members && i-- > 0;) {
        target_detach(t->members[i].target);
        image_free(t->members[i].image);
    }
    /* the images of the list were the members' */
    for (uint32_t i = 0; t->family.images && i < FAMILY_MAX; i++)
        t->family.images[i] = NULL;
    family_release(&t->family);
    free(t->members);
    t->members = NULL;
    t->n = 0;
}

int
tree_pid(const struct tree *t, unsigned i)
{
    return t->members[i].info.pid;
}
