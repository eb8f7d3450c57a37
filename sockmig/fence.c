/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/fence.h"

#include "sockmig/bpf/fence.bpf.h" /* made from fence.bpf.c */
#include "sockmig/bpf/fence_address.h"
#include "sockmig/bpf/gate_devices.h"
#include "sockmig/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CPUS 1024

struct fence {
    struct program *program; /* owned */
    uint64_t *deadlines;     /* owned mapping: in, out */
    int frames;              /* descriptor of the counters; the program owns it */
};

static int
load(struct fence *f)
{
    int deadlines, ret;
    void *map;

    ret = program_load("bascule_fence", fence_bpf_o, sizeof fence_bpf_o, &f->program);
    if (ret < 0)
        return ret;
    deadlines = program_map(f->program, "fence_deadline");
    f->frames = program_map(f->program, "fence_frames");
    if (deadlines < 0 || f->frames < 0)
        return -ENOENT;
    map = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
        deadlines, 0);
    if (map == MAP_FAILED)
        return -errno;
    f->deadlines = map;
    return 0;
}

int
fence_new(int ifindex, struct fence **out)
{
    struct fence *f = calloc(1, sizeof *f);
    int ret;

    if (!f)
        return -ENOMEM;
    ret = load(f);
    if (ret == 0)
        ret = program_attach(f->program, ifindex, PROGRAM_INGRESS, "fence_in");
    if (ret == 0)
        ret = program_attach(f->program, ifindex, PROGRAM_EGRESS, "fence_out");
    if (ret < 0)
        goto out;
    *out = f;
    f = NULL;
out:
    fence_free(f);
    return ret;
}

int
fence_cell(struct fence *f, int ifindex)
{
    int ret = program_attach(f->program, OUTLET_INDEX, PROGRAM_EGRESS, "fence_source");

    return ret == 0 ? program_attach(f->program, ifindex, PROGRAM_EGRESS, "fence_take")
                    : ret;
}

int
fence_gate(struct fence *f)
{
    return program_attach(f->program, OUTLET_INDEX, PROGRAM_INGRESS, "fence_leave");
}

int
fence_inside(struct fence *f, int family, const uint8_t *bytes)
{
    struct fence_address address = { 0 };
    uint8_t is = 1;

    if (family == AF_INET) {
        address.words[2] = htonl(0xffff);
        memcpy(&address.words[3], bytes, 4);
    } else {
        memcpy(address.words, bytes, sizeof address.words);
    }
    return program_store(program_map(f->program, "fence_inside"), &address, &is);
}

void
fence_free(struct fence *f)
{
    if (!f)
        return;
    if (f->deadlines) {
        fence_set(f, 0, 0);
        munmap(f->deadlines, (size_t)sysconf(_SC_PAGESIZE));
    }
    program_free(f->program);
    free(f);
}

void
fence_set(struct fence *f, uint64_t in_boot_ns, uint64_t out_boot_ns)
{
    __atomic_store_n(&f->deadlines[1], out_boot_ns, __ATOMIC_RELEASE);
    __atomic_store_n(&f->deadlines[0], in_boot_ns, __ATOMIC_RELEASE);
}

uint64_t
fence_get(const struct fence *f)
{
    return __atomic_load_n(&f->deadlines[1], __ATOMIC_ACQUIRE);
}

uint64_t
fence_count(const struct fence *f, enum fence_count which)
{
    uint64_t per_cpu[MAX_CPUS] = { 0 }, sum = 0;
    uint32_t key = which;
    int cpus = program_cpus();

    if (cpus < 1 || cpus > MAX_CPUS || program_load_value(f->frames, &key, per_cpu) < 0)
        return 0;
    for (int i = 0; i < cpus; i++)
        sum += per_cpu[i];
    return sum;
}
