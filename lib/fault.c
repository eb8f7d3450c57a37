/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/fault.h"

#include <string.h>

/* clang-format off */
const struct fault_name fault_names[] = {
    { "checkpoint-begun", "sockmig-engine", "checkpoint" },
    { "checkpoint-stopped", "sockmig-engine", "checkpoint" },
    { "checkpoint-marked", "sockmig-engine", "checkpoint" },
    { "checkpoint-sockets", "sockmig-engine", "checkpoint" },
    { "checkpoint-pages", "sockmig-engine", "checkpoint" },
    { "checkpoint-resumed", "sockmig-engine", "checkpoint" },
    { "checkpoint-encoded", "sockmig-engine", "checkpoint" },
    { "checkpoint-half-sent", "sockmig-engine", "checkpoint" },
    { "checkpoint-sent", "sockmig-engine", "checkpoint" },
    { "checkpoint-acked", "sockmig-engine", "checkpoint" },
    { "checkpoint-stable", "sockmig-engine", "checkpoint" },
    { "checkpoint-released", "sockmig-engine", "checkpoint" },
    { "standby-announced", "sockmig-engine", "standby" },
    { "standby-whole", "sockmig-engine", "standby" },
    { "standby-before-ack", "sockmig-engine", "standby" },
    { "standby-acked", "sockmig-engine", "standby" },
    { "standby-applying", "sockmig-engine", "standby" },
    { "standby-half-applied", "sockmig-engine", "standby" },
    { "standby-applied", "sockmig-engine", "standby" },
    { "files-staged", "sockmig-engine", "files" },
    { "files-committed", "sockmig-engine", "files" },
    { "files-half-applied", "sockmig-engine", "files" },
    { "files-carried-out", "sockmig-engine", "files" },
    { "seed-joined", "sockmig-engine", "seed" },
    { "seed-begun", "sockmig-engine", "seed" },
    { "seed-done", "sockmig-engine", "seed" },
    { "clone-begun", "sockmig-engine", "seeded" },
    { "clone-made", "sockmig-engine", "seeded" },
    { "clone-seeded", "sockmig-engine", "seeded" },
    { "handover-ordered", "sockmig-engine", "handover" },
    { "handover-frozen", "sockmig-engine", "handover" },
    { "handover-shut", "sockmig-engine", "handover" },
    { "handover-said", "sockmig-engine", "handover" },
    { "handover-stable", "sockmig-engine", "handover" },
    { "handover-answered", "sockmig-engine", "handover" },
    { "hold-open", "sockmig-engine", "hold" },
    { "takeover-ordered", "sockmig-engine", "takeover" },
    { "takeover-reigning", "sockmig-engine", "takeover" },
    { "takeover-listeners", "sockmig-engine", "takeover" },
    { "takeover-connections", "sockmig-engine", "takeover" },
    { "takeover-protections", "sockmig-engine", "takeover" },
    { "takeover-process", "sockmig-engine", "takeover" },
    { "takeover-descriptors", "sockmig-engine", "takeover" },
    { "takeover-limits", "sockmig-engine", "takeover" },
    { "takeover-threads", "sockmig-engine", "takeover" },
    { "takeover-registers", "sockmig-engine", "takeover" },
    { "takeover-release", "sockmig-engine", "takeover" },
    { "takeover-resend", "sockmig-engine", "takeover" },
    { "takeover-awake", "sockmig-engine", "takeover" },
    { "takeover-replay", "sockmig-engine", "takeover" },
    { "takeover-replayed", "sockmig-engine", "takeover" },
    { "takeover-open", "sockmig-engine", "takeover" },
    { "follow-ordered", "sockmig-engine", "follow" },
    { "follow-ended", "sockmig-engine", "follow" },
    { "resume-ordered", "sockmig-engine", "resume" },
    { "resume-resumed", "sockmig-engine", "twice" },
    { "say-order-unrecorded", "basculed", "handover" },
    { "say-order-recorded", "basculed", "handover" },
    { "say-order-done", "basculed", "handover" },
    { "say-step-unrecorded", "basculed", "handover" },
    { "say-step-recorded", "basculed", "handover" },
    { "say-step-done", "basculed", "handover" },
    { "order-handover-unrecorded", "basculed", "handover" },
    { "order-handover-recorded", "basculed", "handover" },
    { "order-handover-done", "basculed", "handover" },
    { "say-handover-unrecorded", "basculed", "handover" },
    { "say-handover-recorded", "basculed", "handover" },
    { "say-handover-done", "basculed", "handover" },
    { "say-claim-unrecorded", "basculed", "election" },
    { "say-claim-recorded", "basculed", "election" },
    { "say-claim-done", "basculed", "election" },
    { "order-fence-unrecorded", "basculed", "election" },
    { "order-fence-recorded", "basculed", "election" },
    { "order-fence-done", "basculed", "election" },
    { "say-stopped-unrecorded", "basculed", "election" },
    { "say-stopped-recorded", "basculed", "election" },
    { "say-stopped-done", "basculed", "election" },
    { "say-taking-unrecorded", "basculed", "election" },
    { "say-taking-recorded", "basculed", "election" },
    { "say-taking-done", "basculed", "election" },
    { "say-confirm-unrecorded", "basculed", "takeover" },
    { "say-confirm-recorded", "basculed", "takeover" },
    { "say-confirm-done", "basculed", "takeover" },
    { "order-takeover-unrecorded", "basculed", "takeover" },
    { "order-takeover-recorded", "basculed", "takeover" },
    { "order-takeover-done", "basculed", "takeover" },
    { "say-active-unrecorded", "basculed", "takeover" },
    { "say-active-recorded", "basculed", "takeover" },
    { "say-active-done", "basculed", "takeover" },
    { "order-follow-unrecorded", "basculed", "follow" },
    { "order-follow-recorded", "basculed", "follow" },
    { "order-follow-done", "basculed", "follow" },
    { "order-set-unrecorded", "basculed", "set" },
    { "order-set-recorded", "basculed", "set" },
    { "order-set-done", "basculed", "set" },
    { "say-set-unrecorded", "basculed", "set" },
    { "say-set-recorded", "basculed", "set" },
    { "say-set-done", "basculed", "set" },
    { "say-failed-unrecorded", "basculed", "failed" },
    { "say-failed-recorded", "basculed", "failed" },
    { "say-failed-done", "basculed", "failed" },
    { "order-resume-unrecorded", "basculed", "resume" },
    { "order-resume-recorded", "basculed", "resume" },
    { "order-resume-done", "basculed", "resume" },
};
/* clang-format on */

const size_t fault_nnames = sizeof fault_names / sizeof fault_names[0];

bool
fault_known(const char *name)
{
    for (size_t i = 0; i < fault_nnames; i++)
        if (!strcmp(fault_names[i].name, name))
            return true;
    return false;
}

bool
fault_action_known(const char *name)
{
    static const char *const actions[] = { "kill", "hang", "crash", "overflow", "leak",
        "leaks" };

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (!strcmp(actions[i], name))
            return true;
    return false;
}

#ifndef BSC_FAULT_POINTS

bool
fault_built_in(void)
{
    return false;
}

#else

#include "lib/fd.h"
#include "lib/log.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define INITIAL_PIDNS 0xEFFFFFFCu /* include/linux/proc_ns.h: PROC_PID_INIT_INO */

bool
fault_built_in(void)
{
    return true;
}

/* All links of the node, so that nothing of its dying is heard: the thread may be in
 * the cell's network, the process's first one is in the node's. */
static void
pull_cables(void)
{
    int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), sock = -1;
    struct if_nameindex *all = NULL;

    if (ns >= 0 && setns(ns, CLONE_NEWNET) == 0)
        sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock >= 0)
        all = if_nameindex();
    for (size_t i = 0; all && all[i].if_name; i++) {
        struct ifreq r = { 0 };

        if (!strcmp(all[i].if_name, "lo"))
            continue;
        snprintf(r.ifr_name, sizeof r.ifr_name, "%s", all[i].if_name);
        ioctl(sock, SIOCSIFFLAGS, &r);
    }
    if (all)
        if_freenameindex(all);
    fd_close(sock);
    fd_close(ns);
}

/* Everything of the node but its pid 1, which cannot be killed from inside: what that
 * one starts again is cut off from the others.  In the first namespace it would be the
 * machine. */
static void
crash_node(void)
{
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == INITIAL_PIDNS) {
        log_error("fault point: this is no node of a lab; only the program ends");
        return;
    }
    pull_cables();
    kill(-1, SIGKILL);
}

/* Of the sanitizers' run time, where it is linked. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static volatile size_t past_end = 16;

/* What ends nothing: mistakes that the sanitizers must report, and their look for
 * leaks.  False: @action is none of these. */
static bool
sanitizers(const char *action)
{
    volatile char *block;

    if (!strcmp(action, "leaks")) {
        if (__lsan_do_recoverable_leak_check && !__lsan_do_recoverable_leak_check())
            log_info("no leaks");
        return true;
    }
    if (strcmp(action, "overflow") != 0 && strcmp(action, "leak") != 0)
        return false;
    block = malloc(past_end);
    if (block && action[0] == 'o')
        block[past_end] = 1;
    return true; /* and the block is lost */
}

void
fault_point(const char *fmt, ...)
{
    char name[64], text[96], *action;
    ssize_t n = file_read(FAULT_FILE, text, sizeof text);
    va_list ap;

    if (n <= 0)
        return;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    text[strcspn(text, "\n")] = '\0';
    action = strchr(text, ' ');
    if (action)
        *action++ = '\0';
    if (strcmp(text, name) != 0 || unlink(FAULT_FILE) < 0)
        return;
    log_warn("fault point %s: %s", name, action ? action : "kill");
    if (action && sanitizers(action))
        return;
    if (action && !strcmp(action, "hang")) {
        kill(getpid(), SIGSTOP);
        return;
    }
    if (action && !strcmp(action, "crash"))
        crash_node();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

#endif
