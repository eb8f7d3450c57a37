/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/program.h"

#include "lib/log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PROGRAM_LINKS 16

struct program {
    struct bpf_object *object;             /* owned */
    struct bpf_link *links[PROGRAM_LINKS]; /* owned */
    unsigned nlinks;
};

struct program_ring {
    struct ring_buffer *rows; /* owned */
    void (*cb)(const void *row, size_t size, void *arg);
    void *arg;
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
    log_debug("bpf: %s", text);
    return 0;
}

/* Functions of sections with a '?' are wanted where the kernel has what they trace. */
static void
want_optional(struct bpf_object *object)
{
    struct bpf_program *one;

    bpf_object__for_each_program(one, object)
    {
        const char *event = strchr(bpf_program__section_name(one), '/');

        if (!bpf_program__autoload(one) && event &&
            libbpf_find_vmlinux_btf_id(event + 1, BPF_TRACE_RAW_TP) > 0)
            bpf_program__set_autoload(one, true);
    }
}

int
program_load(const char *name, const void *object, size_t size, struct program **out)
{
    LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
    struct program *p = calloc(1, sizeof *p);
    int ret;

    if (!p)
        return -ENOMEM;
    libbpf_set_print(to_debug_log);
    p->object = bpf_object__open_mem(object, size, &opts);
    if (p->object)
        want_optional(p->object);
    ret = p->object ? bpf_object__load(p->object) : -errno;
    if (ret < 0)
        goto out;
    *out = p;
    p = NULL;
out:
    program_free(p);
    return ret;
}

void
program_free(struct program *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->nlinks; i++)
        bpf_link__destroy(p->links[i]);
    bpf_object__close(p->object);
    free(p);
}

int
program_attach(
    const struct program *p, int ifindex, enum program_side side, const char *function)
{
    enum bpf_tc_attach_point point = side == PROGRAM_INGRESS ? BPF_TC_INGRESS
                                                             : BPF_TC_EGRESS;
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
    const struct bpf_program *prog = bpf_object__find_program_by_name(
        p->object, function);
    int ret;

    if (!prog)
        return -ENOENT;
    ret = bpf_tc_hook_create(&hook);
    if (ret < 0 && ret != -EEXIST) /* one hook for both sides */
        return ret;
    opts.prog_fd = bpf_program__fd(prog);
    return bpf_tc_attach(&hook, &opts);
}

int
program_iterate_task(const struct program *p, const char *function, pid_t pid)
{
    union bpf_iter_link_info info = { .task.tid = (__u32)pid };
    LIBBPF_OPTS(
        bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof info);
    const struct bpf_program *prog = bpf_object__find_program_by_name(
        p->object, function);

    if (!prog)
        return -ENOENT;
    return bpf_link_create(bpf_program__fd(prog), 0, BPF_TRACE_ITER, &opts);
}

int
program_iteration(int iterator)
{
    return bpf_iter_create(iterator);
}

int
program_function(const struct program *p, const char *name)
{
    const struct bpf_program *prog = bpf_object__find_program_by_name(p->object, name);

    return prog ? bpf_program__fd(prog) : -ENOENT;
}

int
program_run(int function)
{
    LIBBPF_OPTS(bpf_test_run_opts, opts);

    return bpf_prog_test_run_opts(function, &opts) < 0 ? -errno : 0;
}

int
program_trace_all(struct program *p)
{
    struct bpf_program *one;

    bpf_object__for_each_program(one, p->object)
    {
        struct bpf_link *link;

        if (!bpf_program__autoload(one) ||
            bpf_program__type(one) == BPF_PROG_TYPE_SYSCALL) /* is called */
            continue;
        link = p->nlinks < PROGRAM_LINKS ? bpf_program__attach(one) : NULL;
        if (!link)
            return errno ? -errno : -ENOSPC;
        p->links[p->nlinks++] = link;
    }
    return 0;
}

int
program_store(int map, const void *key, const void *value)
{
    return bpf_map_update_elem(map, key, value, BPF_ANY) < 0 ? -errno : 0;
}

int
program_load_value(int map, const void *key, void *value)
{
    return bpf_map_lookup_elem(map, key, value) < 0 ? -errno : 0;
}

int
program_first_key(int map, void *key)
{
    return bpf_map_get_next_key(map, NULL, key) < 0 ? -errno : 0;
}

int
program_drop(int map, const void *key)
{
    return bpf_map_delete_elem(map, key) < 0 ? -errno : 0;
}

int
program_take(int map, const void *key, void *value)
{
    return bpf_map_lookup_and_delete_elem(map, key, value) < 0 ? -errno : 0;
}

void
program_detach_all(int ifindex)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
        .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

    bpf_tc_hook_destroy(&hook);
}

int
program_map(const struct program *p, const char *name)
{
    const struct bpf_map *map = bpf_object__find_map_by_name(p->object, name);

    return map ? bpf_map__fd(map) : -ENOENT;
}

void *
program_share(const struct program *p, const char *name, size_t size, bool writable)
{
    void *at = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
        MAP_SHARED, program_map(p, name), 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, size, MADV_DONTFORK);
    return at;
}

static int
on_row(void *ring, void *row, size_t size)
{
    const struct program_ring *r = ring;

    r->cb(row, size, r->arg);
    return 0;
}

int
program_ring(const struct program *p, const char *map,
    void (*cb)(const void *row, size_t size, void *arg), void *arg,
    struct program_ring **out)
{
    struct program_ring *r = calloc(1, sizeof *r);
    int fd = program_map(p, map);

    if (!r || fd < 0) {
        free(r);
        return fd < 0 ? fd : -ENOMEM;
    }
    r->cb = cb;
    r->arg = arg;
    r->rows = ring_buffer__new(fd, on_row, r, NULL);
    if (!r->rows) {
        free(r);
        return errno ? -errno : -ENOMEM;
    }
    *out = r;
    return 0;
}

void
program_ring_read(struct program_ring *r)
{
    ring_buffer__consume(r->rows);
}

void
program_ring_free(struct program_ring *r)
{
    if (!r)
        return;
    ring_buffer__free(r->rows);
    free(r);
}

int
program_cpus(void)
{
    return libbpf_num_possible_cpus();
}
