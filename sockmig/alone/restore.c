/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * restore.c - sockmig restore: the processes of an image, with their ids, in the
 * caller's namespaces. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/revive.h"

#include "lib/loop.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
work(struct revive *r, const struct loaded *l)
{
    struct revive_room room = { .runs = NULL };
    struct imgfile_item item;
    size_t at = 0;
    int ret;

    r->age_ns = revive_age(l);
    ret = revive_begin(r, l);
    while (ret == 0 && imgfile_next(&l->file, &at, &item))
        ret = revive_item(r, &item, &room);
    free(room.runs);
    return ret == 0 ? revive_wake(r) : ret;
}

static int
tell(const struct revive *r, int ret, int64_t us)
{
    alone_refusals(&r->why);
    if (ret == 0) {
        printf("%llu process%s, %u of %u connection%s, root %d; %.1f ms\n",
            (unsigned long long)r->image->tree.count,
            r->image->tree.count == 1 ? "" : "es", r->connections - r->lost,
            r->connections, r->connections == 1 ? "" : "s",
            r->image->all.images[0]->process.pid, (double)us / 1000);
        fflush(stdout); /* they run: what is left to be done here takes its time */
        return ALONE_DONE;
    }
    if (ret == -EOPNOTSUPP && r->why.n > 0)
        return ALONE_REFUSED;
    if ((ret == -EPERM || ret == -EACCES) && !r->error[0])
        alone_error("not restored: %s; call this as root", strerror(-ret));
    else
        alone_error("not restored: %s", r->error[0] ? r->error : strerror(-ret));
    return ALONE_FAILED;
}

int
alone_restore(int argc, char **argv)
{
    static const struct option options[] = {
        { "reset-connections", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 }
    };
    struct mono start = mono_clock();
    struct revive *r = calloc(1, sizeof *r);
    struct loaded image;
    int c, ret;

    if (!r)
        return ALONE_FAILED;
    revive_init(r);
    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'r')
        r->alone = true;
    if (c != -1 || !alone_given(argc, argv, optind, "DIR")) {
        free(r);
        return alone_usage("restore");
    }
    ret = load(&image, argv[optind], r->error);
    if (ret == 0)
        ret = work(r, &image);
    c = tell(r, ret, mono_us_between(start, mono_clock()));
    revive_end(r, ret < 0);
    load_free(&image);
    free(r);
    return c;
}
