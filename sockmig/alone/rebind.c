/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rebind.c - sockmig rebind: an address of this host, with its connections, to another
 * device or network of it; see rebind.h. */
#include "sockmig/alone/rebind.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "sockmig/alone/alone.h"
#include "sockmig/alone/watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FOLDER "/run/sockmig"
#define WAIT_MAX_S 3600
#define ROUTE_WAIT_MS 5000 /* for the routers to learn the new way */
#define AGAIN_MS                                                                       \
    1100 /* a neighbour ignores what comes within 1 s of the last change               \
          */

/* ---- the way back, by the watcher when this program is killed */

static unsigned
go_back(struct rebind_page *page)
{
    int nl = rtnl_open();
    unsigned failed = nl < 0 ? page->steps.n : steps_back(&page->steps, nl);

    fd_close(nl);
    vip_announce(&page->from);
    return failed;
}

static void
undo(void *arg)
{
    go_back(arg);
}

/* ---- the way there */

static int
begin(struct rebind *r)
{
    void *page = mmap(NULL, sizeof *r->page, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ret;

    r->nl = rtnl_open();
    if (page == MAP_FAILED || r->nl < 0)
        return rebind_fail(r, -errno, "%s", strerror(errno));
    r->page = page;
    ret = rebind_find(r);
    if (ret == 0)
        ret = rebind_check(r);
    if (ret == 0)
        ret = rebind_plan(r);
    r->page->from = r->to;
    if_indextoname(r->places[0].device, r->page->from.device);
    r->page->from.bits = r->places[0].bits;
    r->page->from.routed = r->places[0].device == if_nametoindex(HOSTROUTE_DEVICE);
    return ret;
}

static int
change(struct rebind *r)
{
    struct steps *s = &r->page->steps;
    int ret = steps_go(s, r->nl, r->before);

    if (ret < 0)
        return rebind_fail(r, ret, "it cannot be put on %s: %s", r->at.device,
            ret == -EPERM ? "this needs root" : strerror(-ret));
    if (!r->route)
        vip_announce(&r->to);
    FAULT_POINT("rebind-both");
    poll(NULL, 0, (int)r->wait_ms);
    ret = steps_go(s, r->nl, s->n);
    FAULT_POINT("rebind-changed");
    if (ret < 0)
        return rebind_fail(r, ret, "it cannot be taken from %s: %s",
            r->page->from.device, strerror(-ret));
    if (!r->route)
        vip_announce(&r->to);
    return 0;
}

static int
carry_out(struct rebind *r)
{
    struct watcher watcher;
    int ret = watcher_start(&watcher, undo, r->page);

    if (ret < 0)
        return rebind_fail(r, ret, "%s", strerror(-ret));
    ret = change(r);
    if (ret < 0 && go_back(r->page) > 0)
        alone_error("not all of it could be undone: see ip address, ip route, ip rule");
    watcher_end(&watcher);
    return ret;
}

static void
tell(const struct rebind *r)
{
    char from[128], via[128] = "", table[16] = "main";

    if (r->table != RT_TABLE_MAIN)
        snprintf(table, sizeof table, "%u", r->table);

    snprintf(
        from, sizeof from, "%s on %s", vip_text(&r->page->from), r->page->from.device);
    if (r->via.family)
        snprintf(via, sizeof via, " via %s", vip_text(&r->via));
    printf("%s is now %s on %s", from, vip_text(&r->at), r->at.device);
    if (r->route)
        printf(
            ", with a host route (table %s, protocol %u) for BIRD or FRR to announce",
            table, HOSTROUTE_PROTOCOL);
    if (r->has_rule)
        printf("; what it sends leaves by %s%s", r->to.device, via);
    printf("\n");
    if (r->nlost > 0)
        printf("%u route%s of %s went with its last address\n", r->nlost,
            r->nlost == 1 ? "" : "s", r->page->from.device);
    fflush(stdout);
    if (r->strange)
        alone_error("%s has addresses of other networks only: if it is another segment "
                    "than before, nobody there will find this one; --route and --via "
                    "are for that",
            r->to.device);
}

/* Nobody has to wait for it.  It may have gone elsewhere meanwhile. */
static void
announce_again(const struct rebind *r)
{
    if (r->route || fork() != 0)
        return;
    setsid();
    close_range(0, ~0u, 0);
    for (int i = 0; i < 2; i++) {
        poll(NULL, 0, AGAIN_MS);
        if (vip_is_on(&r->to))
            vip_announce(&r->to);
    }
    _exit(0);
}

/* ---- the command */

/* One at a time; the watcher has it, too, until it is done.  -1: there is no such
 * folder, and no lock. */
static int
lock(void)
{
    int fd;

    if (mkdir(LOCK_FOLDER, 0700) < 0 && errno != EEXIST)
        return -1;
    fd = open(LOCK_FOLDER "/rebind.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        flock(fd, LOCK_EX);
    return fd;
}

static bool
take_option(struct rebind *r, int c, const char *arg)
{
    unsigned seconds;

    switch (c) {
    case 'v':
        if (vip_parse(arg, false, &r->via) && r->via.bits == 0)
            return true;
        alone_error("%s: not the address of a gateway: write 192.0.2.1", arg);
        return false;
    case 'r':
        r->route = true;
        return true;
    case 't':
        return hostroute_table_of(arg, &r->table);
    case 'w':
        if (!alone_number(arg, 0, WAIT_MAX_S, &seconds))
            return false;
        r->wait_ms = 1000 * seconds;
        return true;
    case 'n':
        r->probe = false;
        return true;
    default:
        return false;
    }
}

static bool
options(struct rebind *r, int argc, char **argv)
{
    static const struct option known[] = { { "via", required_argument, NULL, 'v' },
        { "route", no_argument, NULL, 'r' }, { "table", required_argument, NULL, 't' },
        { "wait", required_argument, NULL, 'w' },
        { "no-probe", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 } };
    char error[VIP_ERROR];
    unsigned n = 0;
    int c;

    r->wait_ms = UINT32_MAX;
    while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0)
        if (!take_option(r, c, optarg))
            return false;
    if (!alone_given(argc, argv, optind, "ADDRESS DEVICE"))
        return false;
    if (!vip_add_to(&r->to, &n, 1, argv[optind], false, error)) {
        alone_error("%s", error);
        return false;
    }
    if (r->table && !r->route) {
        alone_error("--table is for the host route of --route");
        return false;
    }
    if (r->wait_ms == UINT32_MAX)
        r->wait_ms = r->route ? ROUTE_WAIT_MS : 0;
    r->table = r->table ? r->table : RT_TABLE_MAIN;
    snprintf(r->to.device, sizeof r->to.device, "%s", argv[optind + 1]);
    return true;
}

int
alone_rebind(int argc, char **argv)
{
    struct rebind *r = calloc(1, sizeof *r);
    int ret = ALONE_FAILED, held = -1;

    if (!r)
        return ret;
    r->nl = -1;
    r->probe = true;
    if (!options(r, argc, argv)) {
        free(r);
        return alone_usage("rebind");
    }
    held = lock();
    if ((ret = begin(r)) < 0) {
        alone_error(
            "nothing was changed: %s", ret == -EPERM ? "this needs root" : r->error);
        ret = ALONE_REFUSED;
    } else if (carry_out(r) < 0) {
        alone_error("undone: %s", r->error);
        ret = ALONE_FAILED;
    } else {
        tell(r);
        fd_close(held);
        held = -1;
        announce_again(r);
        ret = ALONE_DONE;
    }
    fd_close(held);
    fd_close(r->nl);
    if (r->page)
        munmap(r->page, sizeof *r->page);
    free(r);
    return ret;
}
