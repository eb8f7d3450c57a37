/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/given.h"

#include "lib/log.h"
#include "sockmig/bpf/given.bpf.h" /* made from given.bpf.c */
#include "sockmig/bpf/given_key.h"
#include "sockmig/program.h"

#include <pthread.h>
#include <string.h>

/* One for all processes, loaded when the first is looked at, kept for ever. */
static struct program *program;
static int map = -1;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void
load(void)
{
    int ret = program_load("bascule_given", given_bpf_o, sizeof given_bpf_o, &program);

    if (ret == 0)
        ret = program_trace_all(program);
    if (ret == 0)
        ret = map = program_map(program, "given");
    if (ret < 0) {
        program_free(program);
        program = NULL;
        log_info("what a service gives back of shared memory, and reads again, is not "
                 "seen: this kernel refuses to tell: %s",
            strerror(-ret));
    }
}

void
given_load(void)
{
    pthread_once(&loaded, load);
}

bool
given_count(const struct image_vma *v, uint64_t *count, bool *tells)
{
    struct given_key key = { v->inode, v->dev_major << 20 | v->dev_minor, 0 };

    given_load();
    *count = 0;
    *tells = map >= 0;
    if (map < 0)
        return false;
    if (program_load_value(map, &key, count) == 0)
        return true;
    *tells = program_store(map, &key, count) == 0;
    return false;
}
