/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_driver.c CONF NODE - fence a node as basculed does, say what came of it. */
#include "supervisor/fence.h"

#include <stdio.h>
#include <stdlib.h>

static struct loop *loop;
static int code = 1;

static void
ended(unsigned id, bool off, const char *text, void *arg)
{
    (void)arg;
    printf("node %u: %s: %s\n", id, off ? "off" : "not off", text);
    code = off ? 0 : 1;
    loop_stop(loop);
}

int
main(int argc, char **argv)
{
    char error[CONF_ERROR_LEN];
    struct conf *conf;
    struct fence *f;

    if (argc != 3 || !conf_load(argv[1], &conf, error)) {
        fprintf(stderr, "%s\n", argc == 3 ? error : "usage: fence_driver CONF ID");
        return 2;
    }
    loop = loop_new();
    f = fence_new(loop, conf, ended, NULL);
    fence_start(f, (unsigned)atoi(argv[2]));
    loop_run(loop);
    fence_free(f);
    loop_free(loop);
    conf_free(conf);
    return code;
}
