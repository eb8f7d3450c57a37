/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * run.c - sockmig run: a command in a cell, so that its process ids are free wherever
 * it is moved. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/channel.h"
#include "sockmig/alone/vip.h"
#include "sockmig/cell.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
    struct vip vips[CHANNEL_ADDRESSES];
    unsigned nvips, nadded;
    const char *device;
    struct cell_conf cell;
};

static bool
options(struct run *r, int argc, char **argv)
{
    static const struct option known[] = { { "address", required_argument, NULL, 'a' },
        { "device", required_argument, NULL, 'd' },
        { "name", required_argument, NULL, 'n' },
        { "log", required_argument, NULL, 'l' },
        { "directory", required_argument, NULL, 'w' }, { NULL, 0, NULL, 0 } };
    char error[VIP_ERROR];
    int c;

    while ((c = getopt_long(argc, argv, "+", known, NULL)) >= 0) {
        if (c == 'a' &&
            !vip_add_to(r->vips, &r->nvips, CHANNEL_ADDRESSES, optarg, true, error)) {
            alone_error("%s", error);
            return false;
        }
        if (c == 'd')
            r->device = optarg;
        if (c == 'n')
            r->cell.name = optarg;
        if (c == 'l')
            r->cell.log = optarg;
        if (c == 'w')
            r->cell.directory = optarg;
        if (c == '?')
            return false;
    }
    r->cell.command = argv + optind;
    if (optind == argc)
        alone_error("COMMAND is missing");
    else if (r->nvips > 0 && !r->device)
        alone_error("--address needs --device: where to put it");
    else
        return true;
    return false;
}

static int
put_addresses(struct run *r)
{
    for (; r->nadded < r->nvips; r->nadded++) {
        struct vip *v = &r->vips[r->nadded];
        int ret;

        snprintf(v->device, sizeof v->device, "%s", r->device);
        if (vip_is_here(v)) {
            alone_error("%s is an address of this host already", vip_text(v));
            return -EADDRINUSE;
        }
        ret = vip_add(v);
        if (ret < 0) {
            alone_error(
                "%s cannot be put on %s: %s", vip_text(v), v->device, strerror(-ret));
            return ret;
        }
        vip_announce(v);
    }
    return 0;
}

static int
start(struct run *r)
{
    char name[64], error[CELL_ERROR_LEN] = "";
    pid_t init, pid;
    int ret = put_addresses(r);

    snprintf(name, sizeof name, "%s", r->cell.command[0]);
    if (!r->cell.name)
        r->cell.name = basename(name);
    if (ret < 0)
        return ret;
    r->cell.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ret = r->cell.netns < 0 ? -errno : cell_start(&r->cell, &init, &pid, error);
    fd_close(r->cell.netns);
    if (ret == 0)
        printf("%d\n", (int)pid);
    else
        alone_error("%s", error[0] ? error : strerror(-ret));
    return ret;
}

int
alone_run(int argc, char **argv)
{
    struct run r = { .cell = { .log = "/dev/null",
                         .directory = "/",
                         .uid = getuid(),
                         .gid = getgid(),
                         .stays = true } };

    if (!options(&r, argc, argv))
        return alone_usage("run");
    if (start(&r) == 0)
        return ALONE_DONE;
    for (unsigned i = 0; i < r.nadded; i++)
        vip_remove(&r.vips[i]);
    return ALONE_FAILED;
}
