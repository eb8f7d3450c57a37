/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/fence.h"

#include "lib/log.h"
#include "sockmig/bpf/fence.bpf.h" /* made from fence.bpf.c */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_CPUS 1024

struct fence {
    struct bpf_object *object; /* owned */
    uint64_t *deadline;        /* owned mapping */
    int frames;                /* descriptor of the counters; the object owns it */
};

/* The caller says what failed; why in detail (a verifier's log) is for debugging. */
static int
to_debug_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
    char text[512];

    if (level != LIBBPF_WARN)
        return 0;
        /* The format is libbpf's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof text, fmt, args);
#pragma GCC diagnostic pop
    text[strcspn(text, "\n")] = '\0';
    log_debug("fence: %s", text);
    return 0;
}

static int
load(struct fence *f)
{
    LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "bascule_fence");
    const struct bpf_map *deadline, *frames;
    void *map;
    int ret;

    libbpf_set_print(to_debug_log);
    f->object = bpf_object__open_mem(fence_bpf_o, sizeof fence_bpf_o, &opts);
    if (!f->object)
        return -errno;
    ret = bpf_object__load(f->object);
    if (ret < 0)
        return ret;
    deadline = bpf_object__find_map_by_name(f->object, "fence_deadline");
    frames = bpf_object__find_map_by_name(f->object, "fence_frames");
    if (!deadline || !frames)
        return -ENOENT;
    f->frames = bpf_map__fd(frames);
    map = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
        bpf_map__fd(deadline), 0);
    if (map == MAP_FAILED)
        return -errno;
    f->deadline = map;
    return 0;
}

static int
attach(const struct fence *f, int ifindex, enum bpf_tc_attach_point side,
    const char *program)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = side);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
    const struct bpf_program *prog = bpf_object__find_program_by_name(
        f->object, program);

    if (!prog)
        return -ENOENT;
    opts.prog_fd = bpf_program__fd(prog);
    return bpf_tc_attach(&hook, &opts);
}

int
fence_new(int ifindex, struct fence **out)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
        .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
    struct fence *f = calloc(1, sizeof *f);
    int ret;

    if (!f)
        return -ENOMEM;
    ret = load(f);
    if (ret == 0)
        ret = bpf_tc_hook_create(&hook);
    if (ret == 0)
        ret = attach(f, ifindex, BPF_TC_INGRESS, "fence_in");
    if (ret == 0)
        ret = attach(f, ifindex, BPF_TC_EGRESS, "fence_out");
    if (ret < 0)
        goto out;
    *out = f;
    f = NULL;
out:
    fence_free(f);
    return ret;
}

void
fence_free(struct fence *f)
{
    if (!f)
        return;
    if (f->deadline) {
        fence_set(f, 0);
        munmap(f->deadline, (size_t)sysconf(_SC_PAGESIZE));
    }
    bpf_object__close(f->object);
    free(f);
}

void
fence_set(struct fence *f, uint64_t boot_ns)
{
    __atomic_store_n(f->deadline, boot_ns, __ATOMIC_RELEASE);
}

uint64_t
fence_get(const struct fence *f)
{
    return __atomic_load_n(f->deadline, __ATOMIC_ACQUIRE);
}

uint64_t
fence_count(const struct fence *f, enum fence_count which)
{
    uint64_t per_cpu[MAX_CPUS] = { 0 }, sum = 0;
    uint32_t key = which;
    int cpus = libbpf_num_possible_cpus();

    if (cpus < 1 || cpus > MAX_CPUS ||
        bpf_map_lookup_elem(f->frames, &key, per_cpu) < 0)
        return 0;
    for (int i = 0; i < cpus; i++)
        sum += per_cpu[i];
    return sum;
}
