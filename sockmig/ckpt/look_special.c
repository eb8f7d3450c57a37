/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_special.c - descriptors without a file: epoll, eventfd, timerfd, signalfd,
 * inotify.
 *
 * They share one inode, and their state is in /proc/PID/fdinfo only, which is kept
 * open (it names the number, not the file): reading it again is cheap. */
#include "sockmig/ckpt/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
read_fdinfo(struct look *l)
{
    char path[64];
    int fd;

    if (!l->memo->fdinfo) {
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)l->pid, l->number);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        l->memo->fdinfo = fd + 1;
    }
    return proctext_pread(&l->d->text, l->memo->fdinfo - 1);
}

static int
take_eventfd(struct look *l)
{
    l->out->u.eventfd.count = proctext_number(l->d->text.data, "eventfd-count:", 16, 0);
    l->out->u.eventfd.semaphore = (uint32_t)proctext_number(
        l->d->text.data, "eventfd-semaphore:", 10, 0);
    return 0;
}

static struct image_timespec
pair(const char *text, const char *name) /* "it_value: (1, 500)" */
{
    const char *at = proctext_field(text, name);
    struct image_timespec ts = { 0, 0 };
    char *end;

    if (at && *at == '(') {
        ts.sec = strtoll(at + 1, &end, 10);
        ts.nsec = *end == ',' ? strtoll(end + 1, NULL, 10) : 0;
    }
    return ts;
}

static int
take_timerfd(struct look *l)
{
    const char *text = l->d->text.data;

    l->out->u.timerfd.clock = (int32_t)proctext_number(text, "clockid:", 10, 0);
    l->out->u.timerfd.ticks = proctext_number(text, "ticks:", 10, 0);
    l->out->u.timerfd.settime_flags = (uint32_t)proctext_number(
        text, "settime flags:", 8, 0);
    l->out->u.timerfd.left = pair(text, "it_value:");
    l->out->u.timerfd.interval = pair(text, "it_interval:");
    return 0;
}

static int
take_signalfd(struct look *l)
{
    l->out->u.signalfd.mask = proctext_number(l->d->text.data, "sigmask:", 16, 0);
    return 0;
}

static const struct {
    const char *link;
    int kind;
    int (*take)(struct look *);
} kinds[] = {
    { "anon_inode:[eventpoll]", IMAGE_FD_EPOLL, look_at_set },
    { "anon_inode:[eventfd]", IMAGE_FD_EVENTFD, take_eventfd },
    { "anon_inode:[timerfd]", IMAGE_FD_TIMERFD, take_timerfd },
    { "anon_inode:[signalfd]", IMAGE_FD_SIGNALFD, take_signalfd },
    { "anon_inode:inotify", IMAGE_FD_INOTIFY, look_at_inotify },
};

static const struct {
    const char *link, *what, *cure;
} refused[] = {
    { "anon_inode:[io_uring]", "io_uring instance",
        "disable io_uring in the service (kernel.io_uring_disabled=2)" },
    { "anon_inode:[fanotify]", "fanotify instance",
        "disable file watching in the service" },
    { "anon_inode:[pidfd]", "process descriptor (pidfd)",
        "disable the feature that starts other programs" },
    { "anon_inode:[userfaultfd]", "userfaultfd",
        "disable the feature that uses userfaultfd" },
    { "anon_inode:[perf_event]", "performance counter", "disable profiling" },
    { "anon_inode:bpf-map", "BPF map", "disable the feature that uses BPF" },
    { "anon_inode:bpf-prog", "BPF program", "disable the feature that uses BPF" },
    { "anon_inode:bpf_link", "BPF link", "disable the feature that uses BPF" },
    { "anon_inode:bpf_iter", "BPF iterator", "disable the feature that uses BPF" },
    { "anon_inode:btf", "BPF type information", "disable the feature that uses BPF" },
    { "anon_inode:kvm-vm", "virtual machine (KVM)", "migrate it with its own monitor" },
    { "anon_inode:[vfio-device]", "device of VFIO", "run it without direct devices" },
    { "anon_inode:[iommufd]", "device of VFIO", "run it without direct devices" },
    { "anon_inode:seccomp notify", "listener of a system call filter",
        "stop the program that supervises others" },
    { "anon_inode:[landlock-ruleset]", "set of Landlock rules",
        "disable sandboxing in the service" },
};

static int
refuse_special(struct look *l, const char *link)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (!strncmp(link, refused[i].link, strlen(refused[i].link)))
            return look_refuse(l, refused[i].cure, refused[i].what);
    return look_refuse(
        l, "disable the feature that uses it", "descriptor of an unknown kind");
}

int
look_at_special(struct look *l)
{
    char name[24], link[64];
    ssize_t n;
    int ret;

    snprintf(name, sizeof name, "%d", l->number);
    n = readlinkat(l->dir_fd, name, link, sizeof link - 1);
    if (n < 0)
        return -errno;
    link[n] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(link, kinds[i].link) != 0)
            continue;
        if (l->out->kind != kinds[i].kind)
            memset(&l->out->u, 0, sizeof l->out->u);
        l->out->kind = kinds[i].kind;
        if (kinds[i].kind == IMAGE_FD_EPOLL && look_surveyed_set(l))
            return 0;
        ret = read_fdinfo(l);
        return ret < 0 ? ret : kinds[i].take(l);
    }
    return refuse_special(l, link);
}
