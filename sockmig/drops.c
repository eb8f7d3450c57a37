/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/drops.h"

#include "sockmig/bpf/drops.bpf.h" /* made from drops.bpf.c */
#include "sockmig/program.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct drops {
    struct program *program;   /* owned */
    struct program_ring *ring; /* owned */
    void (*cb)(const struct drops_row *row, void *arg);
    void *arg; /* of the call that is running */
};

static void
on_row(const void *data, size_t size, void *arg)
{
    const struct drops *d = arg;

    if (size >= sizeof(struct drops_row))
        d->cb(data, d->arg);
}

static int
set_conf(const struct drops *d)
{
    struct drops_conf conf = { .thread = (__u32)gettid() };
    struct stat st;
    __u32 zero = 0;

    if (stat("/proc/thread-self/ns/pid", &st) < 0)
        return -errno;
    conf.ns_device = st.st_dev;
    conf.ns_inode = st.st_ino;
    return program_store(program_map(d->program, "drops_conf"), &zero, &conf);
}

int
drops_open(struct drops **out)
{
    struct drops *d = calloc(1, sizeof *d);
    int ret;

    if (!d)
        return -ENOMEM;
    ret = program_load("bascule_drops", drops_bpf_o, sizeof drops_bpf_o, &d->program);
    if (ret == 0)
        ret = set_conf(d);
    if (ret == 0)
        ret = program_ring(d->program, "drops", on_row, d, &d->ring);
    if (ret == 0)
        ret = program_trace_all(d->program);
    if (ret < 0)
        drops_close(d);
    else
        *out = d;
    return ret;
}

void
drops_close(struct drops *d)
{
    if (!d)
        return;
    program_ring_free(d->ring);
    program_free(d->program);
    free(d);
}

void
drops_read(
    struct drops *d, void (*cb)(const struct drops_row *row, void *arg), void *arg)
{
    d->cb = cb;
    d->arg = arg;
    program_ring_read(d->ring);
}

int
drops_check(void)
{
    struct drops *d = NULL;
    int ret = drops_open(&d);

    drops_close(d);
    return ret;
}
