/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * foreign.c - what no image can hold, or not yet: refused by name. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *
set_up_io_uring(void)
{
    uint64_t params[64] = { 0 };

    if (syscall(SYS_io_uring_setup, 4, params) < 0)
        return "skip: no io_uring";
    return NULL;
}

static const char *
set_up_aio(void)
{
    aio_context_t c = 0;

    if (syscall(SYS_io_setup, 8, &c) < 0)
        return "skip: no kernel asynchronous I/O";
    return NULL;
}

static const char *
set_up_pidfd(void)
{
    WANT(syscall(SYS_pidfd_open, getpid(), 0) >= 0);
    return NULL;
}

static const char *
set_up_userfaultfd(void)
{
    if (syscall(SYS_userfaultfd, 1) < 0)
        return "skip: no userfaultfd";
    return NULL;
}

static const char *
set_up_perf(void)
{
    struct perf_event_attr a = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof a, .config = PERF_COUNT_SW_TASK_CLOCK
    };

    if (syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0)
        return "skip: no performance counters";
    return NULL;
}

static const char *
set_up_bpf(void)
{
    union bpf_attr a = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
    };

    if (syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a) < 0)
        return "skip: no BPF";
    return NULL;
}

static const char *
set_up_mqueue(void)
{
    struct mq_attr a = { .mq_maxmsg = 5, .mq_msgsize = 100 };

    mq_unlink("/bascule-feature");
    if (mq_open("/bascule-feature", O_RDWR | O_CREAT, 0600, &a) < 0)
        return "skip: no message queues";
    return NULL;
}

static const char *
set_up_device(void)
{
    WANT(open("/dev/kmsg", O_RDONLY) >= 0);
    return NULL;
}

static const char *
set_up_proc(void)
{
    WANT(open("/proc/self/status", O_RDONLY) >= 0);
    return NULL;
}

static const char *
set_up_namespace(void)
{
    WANT(open("/proc/self/ns/net", O_RDONLY) >= 0);
    return NULL;
}

static const char *
set_up_landlock(void)
{
    uint64_t attr[1] = { 1 };

    if (syscall(SYS_landlock_create_ruleset, attr, sizeof attr, 0) < 0)
        return "skip: no Landlock";
    return NULL;
}

static const struct feature rows[] = {
    { "io_uring", "io_uring", FEATURE_ALONE, set_up_io_uring, NULL, NULL },
    { "kernel asynchronous I/O", "asynchronous I/O", FEATURE_ALONE, set_up_aio, NULL,
        NULL },
    { "pidfd", "pidfd", FEATURE_ALONE, set_up_pidfd, NULL, NULL },
    { "userfaultfd", "userfaultfd", FEATURE_ALONE, set_up_userfaultfd, NULL, NULL },
    { "performance counter", "performance counter", FEATURE_ALONE, set_up_perf, NULL,
        NULL },
    { "BPF map", "BPF", FEATURE_ALONE, set_up_bpf, NULL, NULL },
    { "POSIX message queue", "message queue", FEATURE_ALONE, set_up_mqueue, NULL,
        NULL },
    { "device", "device", FEATURE_ALONE, set_up_device, NULL, NULL },
    { "file of /proc", NULL, FEATURE_ALONE, set_up_proc, NULL, NULL },
    { "namespace, open", "namespace", FEATURE_ALONE, set_up_namespace, NULL, NULL },
    { "Landlock rules", "Landlock", FEATURE_ALONE, set_up_landlock, NULL, NULL },
};

AREA(area_foreign, "What is refused", rows);
