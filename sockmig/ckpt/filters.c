/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/filters.h"

#include "sockmig/ckpt/proctext.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ptrace.h>

_Static_assert(
    sizeof(struct sock_filter) == sizeof(uint64_t), "the image has instructions");

int
filters_suspend(pid_t tid, long options, bool on)
{
    options |= on ? PTRACE_O_SUSPEND_SECCOMP : 0;
    return ptrace(PTRACE_SETOPTIONS, tid, 0, options) < 0 ? -errno : 0;
}

/* A filter may leave the answer to a program that listens, which is not in the image.
 */
static bool
asks_others(const struct sock_filter *code, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (code[i].code == (BPF_RET | BPF_K) &&
            (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
            return true;
    return false;
}

static int
refuse_filter(struct refusals *why, int pid, const char *what)
{
    refuse(why, pid, -1, "disable system call filtering in the service", "%s", what);
    return -EOPNOTSUPP;
}

static int
read_one(pid_t tid, uint32_t number, struct image *im, struct refusals *why)
{
    struct sock_filter code[IMAGE_MAX_FILTER];
    struct __ptrace_seccomp_metadata meta = { .filter_off = number };
    int pid = im->process.pid;
    long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)(uintptr_t)number, code);

    if (n < 0)
        return -errno;
    if (ptrace(PTRACE_SECCOMP_GET_METADATA, tid, (void *)sizeof meta, &meta) < 0)
        return -errno;
    if (asks_others(code, (uint32_t)n))
        return refuse_filter(
            why, pid, "system call filter (seccomp) that asks another program");
    if (im->ncode + (uint32_t)n > IMAGE_MAX_CODE)
        return refuse_filter(why, pid, "system call filters (seccomp) are too long");
    for (long i = 0; i < n; i++)
        im->code[im->ncode++] = (uint64_t)code[i].code | (uint64_t)code[i].jt << 16 |
                                (uint64_t)code[i].jf << 24 | (uint64_t)code[i].k << 32;
    im->filters[number] = (struct image_filter){ .length = (uint32_t)n,
        .log = (meta.flags & SECCOMP_FILTER_FLAG_LOG) != 0 };
    im->nfilters = number + 1;
    return 0;
}

int
filters_read(
    const struct trace *t, const char *status, struct image *im, struct refusals *why)
{
    uint64_t mode = proctext_number(status, "Seccomp:", 10, 0);
    uint64_t count = proctext_number(status, "Seccomp_filters:", 10, 0);
    int ret = 0;

    if (mode != 2)
        count = 0;
    if (count < im->nfilters)
        im->nfilters = im->ncode = 0;
    if (count > IMAGE_MAX_FILTERS)
        return refuse_filter(
            why, im->process.pid, "more than 64 system call filters (seccomp)");
    for (uint32_t i = im->nfilters; i < count && ret == 0; i++)
        ret = read_one(t->pid, i, im, why);
    return ret;
}
