/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_wake.c - the steps of wake.c for a whole tree: each for all processes before
 * the next, so that what they share is there and nobody runs before all can. */
#include "sockmig/ckpt/stubs_parts.h"

#include "lib/fault.h"
#include "lib/fd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(struct wake *w, const char **what);
} sockets[] = {
    { "listeners", wake_listeners },
    { "connections", wake_sockets },
}, state[] = {
    { "protections", wake_protections },
    { "shared memory", wake_segments },
    { "semaphores", wake_ipc },
    { "process", wake_process }, /* opens the executable: before there are descriptors */
    { "descriptors", wake_descriptors },
    { "limits", wake_limits },
    { "root folder", wake_root },
    { "filters", wake_filters },
    { "threads", wake_threads },
    { "registers", wake_registers },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *
cure(const char *what, int ret)
{
    if (ret == -EAGAIN && what && strncmp(what, "lock", 4) == 0)
        return "somebody else holds a lock that it had: see lslocks(8), end that one, "
               "try "
               "again";
    return "see what this host lacks for it";
}

static int
tell(struct stubs *s, unsigned i, const char *step, const char *what, int ret)
{
    if (ret < 0)
        refuse(s->why, s->family->members[i].pid, -1, cure(what, ret),
            "cannot be restored at %s (%s): %s", step, what ? what : "",
            strerror(-ret));
    return ret;
}

static int
make_sockets(struct stubs *s)
{
    const char *what = "";
    int ret = 0;

    for (unsigned k = 0; k < COUNT(sockets); k++)
        for (unsigned i = 0; i < s->n && ret == 0; i++) {
            if (!s->clones[i])
                continue;
            ret = stubs_borrow(s, i);
            if (ret == 0)
                ret = sockets[k].run(&s->wakes[i], &what);
            tell(s, i, sockets[k].name, what, ret);
        }
    return ret;
}

static int
make_state(struct stubs *s, unsigned i)
{
    const char *what = "";
    int ret = stubs_borrow(s, i);

    for (unsigned k = 0; k < COUNT(state) && ret == 0; k++) {
        FAULT_POINT("restore-%s", state[k].name);
        ret = state[k].run(&s->wakes[i], &what);
        tell(s, i, state[k].name, what, ret);
    }
    return ret == 0 ? stubs_keep_sets(s, i) : ret;
}

/* From here on a connection that is closed ends. */
static int
release_sockets(struct stubs *s)
{
    const char *what = "";
    int ret = 0;

    for (unsigned i = 0; i < s->n && ret == 0; i++)
        if (s->clones[i])
            ret = tell(s, i, "connections", what, wake_release(&s->wakes[i], &what));
    return ret;
}

static void
close_ours(struct stubs *s)
{
    for (unsigned i = 0; i < s->n; i++)
        for (unsigned k = 0; s->clones[i] && k < stub_image(s, i)->nfds; k++) {
            fd_close(s->clones[i]->opened[k]);
            s->clones[i]->opened[k] = -1;
        }
    stubs_terminals_close(s);
}

static int
let_go(struct stubs *s, unsigned i)
{
    const char *what = "";
    int ret;

    if (s->family->members[i].flags & FAMILY_JOB_STOPPED)
        kill(s->clones[i]->pid, SIGSTOP);
    ret = wake_detach(&s->wakes[i], &what);
    if (ret == 0)
        s->clones[i]->pid = 0;
    return tell(s, i, "release", what, ret);
}

static int
let_all_go(struct stubs *s)
{
    int ret = 0;

    for (unsigned i = s->n; i-- > 0 && ret == 0;)
        if (s->clones[i])
            ret = let_go(s, i);
    return ret;
}

/* All is there but life. */
static int
prepare(struct stubs *s, const struct stub_wake *request)
{
    int ret = make_sockets(s);

    if (ret == 0)
        ret = stubs_pipes(s);
    if (ret == 0)
        ret = stubs_fifos(s);
    if (ret == 0)
        ret = stubs_unix(s);
    if (ret == 0)
        ret = stubs_terminals(s);
    FAULT_POINT("restore-sockets");
    for (unsigned i = 0; i < s->n && ret == 0; i++)
        if (s->clones[i])
            ret = make_state(s, i);
    if (ret == 0)
        ret = stubs_flights(s);
    FAULT_POINT("restore-prepared");
    if (ret == 0 && request->freezer)
        ret = freezer_hold(request->freezer);
    if (ret == 0 && request->freezer)
        ret = let_all_go(s);
    FAULT_POINT("restore-held");
    return ret;
}

/* Sockets are made by the first process that has them; the others borrow. */
int
stubs_wake(struct stubs *s, const struct stub_wake *request, unsigned *lost)
{
    int ret;

    for (unsigned i = 0; i < s->n; i++)
        s->wakes[i] = (struct wake){ .c = s->clones[i],
            .im = stub_image(s, i),
            .age_ms = request->age_ms,
            .tun = request->tun,
            .raw = request->raw,
            .alone = request->alone,
            .shared = true,
            .why = s->why };
    ret = prepare(s, request);
    if (ret == 0 && request->decide)
        ret = request->decide(request->arg);
    FAULT_POINT("restore-decided");
    if (ret == 0)
        ret = release_sockets(s);
    FAULT_POINT("restore-released");
    if (ret == 0 && request->sockets_ready)
        ret = request->sockets_ready(request->arg);
    FAULT_POINT("restore-audible");
    for (unsigned i = 0; i < s->n && ret == 0; i++)
        if (s->clones[i])
            wake_resend(&s->wakes[i]);
    if (ret == 0)
        close_ours(s);
    if (ret == 0)
        ret = request->freezer ? freezer_release(request->freezer) : let_all_go(s);
    FAULT_POINT("restore-free");
    *lost = 0;
    for (unsigned i = 0; i < s->n; i++)
        *lost += s->wakes[i].lost;
    return ret;
}
