/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * inspect.c - sockmig inspect: what a process and its descendants hold, and all that a
 * dump would refuse.
 *
 * They are stopped for the look, some milliseconds each: sockets can only be read when
 * nobody uses them.  Nothing is injected into them. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/describe.h"
#include "sockmig/alone/guard.h"
#include "sockmig/ckpt/tree.h"

#include "lib/jv.h"
#include "sockmig/ckpt/descriptors.h"
#include "sockmig/ckpt/maps.h"
#include "sockmig/ckpt/process.h"
#include "sockmig/ckpt/segments.h"
#include "sockmig/ckpt/threads.h"
#include "sockmig/image_alloc.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE (1u << 20)
#define STOP_US 2000000
#define QUEUES_BYTES (4ull << 30) /* address space */

struct inspection {
    struct tree tree;
    struct guard guard;
    struct jv *processes, *refusals; /* owned */
    struct refusals why;
    bool denied;
};

/* One process: the parts of a target, used once. */
struct subject {
    struct trace trace;
    struct process process;
    struct descriptors descriptors;
    struct maps maps;
    struct proctext text;
    struct parcels queues;
    int pid; /* in the innermost pid namespace */
};

static void
on_refusal(void *arg, const struct refusal *r)
{
    struct inspection *in = arg;
    struct jv *one = jv_object();

    jv_set_int(one, "pid", r->pid);
    if (r->fd >= 0)
        jv_set_int(one, "fd", r->fd);
    jv_set_str(one, "what", r->what);
    jv_set_str(one, "cure", r->cure);
    jv_push(in->refusals, one);
}

/* What it is refused for does not end the look; what cannot be read does. */
static int
look(struct subject *s, struct image *im, struct refusals *why)
{
    int ret = process_read(&s->process, &s->trace, &s->text, im, why);

    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = process_read_once(&s->process, &s->text, im, why);
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = threads_read(&s->trace, im, why);
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = descriptors_read(&s->descriptors, im, &s->queues, why);
    if (ret == 0 || ret == -EOPNOTSUPP || ret == -EAGAIN)
        ret = maps_read(&s->maps, false, im, why);
    if (ret == 0)
        ret = segments_read(s->trace.pid, im, why);
    return ret == -EOPNOTSUPP ? 0 : ret;
}

static int
open_subject(struct subject *s, pid_t pid)
{
    int ret = proctext_init(&s->text, TEXT_SIZE);

    if (ret == 0)
        ret = parcels_init(&s->queues, QUEUES_BYTES);
    if (ret == 0)
        ret = maps_open(&s->maps, pid, s->pid);
    if (ret == 0)
        ret = process_open(&s->process, pid);
    if (ret == 0)
        ret = trace_open(&s->trace, pid);
    if (ret == 0)
        ret = descriptors_open(&s->descriptors, &s->trace, s->pid);
    if (ret == 0)
        ret = trace_stop(&s->trace, STOP_US);
    return ret;
}

static void
close_subject(struct subject *s)
{
    descriptors_close(&s->descriptors);
    trace_close(&s->trace);
    process_close(&s->process);
    maps_close(&s->maps);
    parcels_fini(&s->queues);
    proctext_fini(&s->text);
}

static int
inspect_one(struct inspection *in, unsigned i)
{
    struct tree_member *m = &in->tree.members[i];
    struct subject s = { .pid = m->info.pid, .trace = { .kin = &in->tree.kin } };
    int ret = 0;

    m->image = image_new();
    if (!m->image)
        return -ENOMEM;
    s.process.status_fd = s.process.timers_fd = s.maps.fd = s.trace.signal_fd = -1;
    s.descriptors.pidfd = s.descriptors.dir_fd = s.descriptors.diag = -1;
    s.descriptors.tee[0] = s.descriptors.tee[1] = -1;
    if (ret == 0)
        ret = open_subject(&s, m->pid);
    s.descriptors.look_only = s.maps.with_files = true;
    in->guard.page->pid = m->pid;
    if (ret == 0)
        ret = look(&s, m->image, &in->why);
    close_subject(&s);
    if (ret == -EBUSY) {
        refuse(&in->why, s.pid, -1, "end the debugger or tracer of the process",
            "process is traced by another program");
        ret = 0;
    } else if (ret == -EAGAIN) {
        refuse(&in->why, s.pid, -1, "try again later",
            "a thread does not stop (uninterruptible sleep)");
        ret = 0;
    }
    return ret;
}

static int
inspect_all(struct inspection *in, pid_t root)
{
    int ret = tree_find(&in->tree, root);

    if (ret == 0)
        ret = guard_start(&in->guard, -1, -1, "");
    for (unsigned i = 0; i < in->tree.n && ret == 0; i++) {
        struct tree_member *m = &in->tree.members[i];
        bool ended = m->info.flags & FAMILY_ZOMBIE;
        struct jv *one;

        if (!ended)
            ret = inspect_one(in, i);
        if (ret == -ESRCH && i > 0) {
            ret = 0; /* it has just ended */
            continue;
        }
        one = describe(&m->info, ended ? NULL : m->image);
        jv_set_int(one, "parent",
            m->info.parent < 0 ? 0 : in->tree.members[m->info.parent].info.pid);
        jv_push(in->processes, one);
    }
    return ret;
}

static void
print(const struct inspection *in)
{
    size_t n = jv_len(in->refusals);

    for (size_t i = 0; i < jv_len(in->processes); i++)
        describe_print(jv_at(in->processes, i));
    for (size_t i = 0; i < n; i++) {
        const struct jv *r = jv_at(in->refusals, i);

        printf("refused: process %" PRId64, jv_int(r, "pid", 0));
        if (jv_has(r, "fd"))
            printf(" descriptor %" PRId64, jv_int(r, "fd", -1));
        printf(": %s\n   cure: %s\n", jv_str(r, "what", ""), jv_str(r, "cure", ""));
    }
    if (n == 0)
        printf("can be moved\n");
    else
        printf("cannot be moved: %zu reason%s\n", n, n == 1 ? "" : "s");
}

static void
report(struct inspection *in, bool json)
{
    struct jv *all;

    if (!json) {
        print(in);
        return;
    }
    all = jv_object();
    jv_set_bool(all, "movable", jv_len(in->refusals) == 0);
    jv_set(all, "processes", in->processes);
    jv_set(all, "refusals", in->refusals);
    in->processes = in->refusals = NULL;
    alone_print(all);
}

static int
inspect(struct inspection *in, pid_t root, bool json)
{
    int ret = inspect_all(in, root);
    bool refused = jv_len(in->refusals) > 0;

    if (ret == -ESRCH || ret == -EPERM || ret == -EACCES)
        return alone_nobody(root, ret);
    if (ret < 0) {
        alone_error("process %d cannot be looked at: %s", (int)root, strerror(-ret));
        return ALONE_FAILED;
    }
    report(in, json);
    return refused ? ALONE_REFUSED : ALONE_DONE;
}

int
alone_inspect(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 } };
    struct inspection *in;
    bool json = false;
    pid_t root = 0;
    int c, ret;

    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'j')
        json = true;
    if (c != -1 || !alone_given(argc, argv, optind, "PID") ||
        !alone_process(argv[optind], &root))
        return alone_usage("inspect");
    in = calloc(1, sizeof *in);
    if (!in)
        return ALONE_FAILED;
    in->guard.watcher.life = -1;
    in->processes = jv_array();
    in->refusals = jv_array();
    in->why = (struct refusals){ .each = on_refusal, .arg = in };
    ret = inspect(in, root, json);
    tree_close(&in->tree);
    guard_end(&in->guard);
    jv_free(in->processes);
    jv_free(in->refusals);
    free(in);
    return ret;
}
