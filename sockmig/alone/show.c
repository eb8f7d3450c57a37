/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * show.c - sockmig show: what is in an image. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/describe.h"
#include "sockmig/alone/load.h"

#include "lib/jv.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t
page_bytes(const struct loaded *l)
{
    struct imgfile_item r;
    uint64_t bytes = 0;
    size_t at = 0;

    while (imgfile_next(&l->file, &at, &r))
        if (r.type == IMGFILE_PAGES)
            bytes += r.size;
    return bytes;
}

static struct jv *
describe_all(const struct loaded *l)
{
    struct jv *to = jv_object(), *list = jv_array();
    time_t seconds = (time_t)(l->tree.realtime_ns / 1000000000);
    char when[32] = "";
    struct tm tm;

    if (gmtime_r(&seconds, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    jv_set_int(to, "version", IMGFILE_VERSION);
    jv_set_str(to, "made_by", l->head.program);
    jv_set_str(to, "host", l->head.host);
    jv_set_str(to, "kernel", l->head.kernel);
    jv_set_str(to, "taken", when);
    jv_set_int(to, "bytes", (int64_t)l->file.size);
    jv_set_int(to, "page_bytes", (int64_t)page_bytes(l));
    jv_set_str(to, "silenced_by", l->head.silence[0] ? l->head.silence : NULL);
    for (uint64_t i = 0; i < l->tree.count; i++) {
        const struct family_member *m = &l->all.members[i];
        struct jv *one = describe(
            m, m->flags & FAMILY_ZOMBIE ? NULL : l->all.images[i]);

        jv_set_int(one, "parent", m->parent < 0 ? 0 : l->all.members[m->parent].pid);
        jv_push(list, one);
    }
    jv_set(to, "processes", list);
    return to;
}

static void
print(const struct jv *image)
{
    const struct jv *list = jv_get(image, "processes");

    printf("image of version %" PRId64 ", made by %s on %s at %s\n",
        jv_int(image, "version", 0), jv_str(image, "made_by", ""),
        jv_str(image, "host", ""), jv_str(image, "taken", ""));
    printf("kernel %s; %" PRId64 " MB\n", jv_str(image, "kernel", ""),
        jv_int(image, "bytes", 0) >> 20);
    for (size_t i = 0; i < jv_len(list); i++)
        describe_print(jv_at(list, i));
}

int
alone_show(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 } };
    char error[IMGFILE_ERROR];
    struct loaded l;
    bool json = false;
    int c, ret;

    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'j')
        json = true;
    if (c != -1 || !alone_given(argc, argv, optind, "IMAGE"))
        return alone_usage("show");
    ret = load(&l, argv[optind], error);
    if (ret < 0) {
        alone_error("%s", error);
    } else {
        struct jv *all = describe_all(&l);

        if (json) {
            alone_print(all);
        } else {
            print(all);
            jv_free(all);
        }
    }
    load_free(&l);
    return ret < 0 ? ALONE_FAILED : ALONE_DONE;
}
