/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/ipc.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/undo.bpf.h" /* made from undo.bpf.c */
#include "sockmig/bpf/undo_row.h"
#include "sockmig/ckpt/place.h"
#include "sockmig/filehash.h"
#include "sockmig/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

#define SEEN_EVERY 64 /* checkpoints: whether it uses the host's */
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

/* One for all, loaded when there is a semaphore. */
static struct program *program;
static int load_result;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void
load(void)
{
    load_result = program_load("bascule_undo", undo_bpf_o, sizeof undo_bpf_o, &program);
}

int
ipc_enter(pid_t pid, int *home)
{
    char path[64];
    int there, ret = 0;

    *home = -1;
    if (!place_own_ipc(pid))
        return 0;
    *home = open("/proc/thread-self/ns/ipc", O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/ns/ipc", (int)pid);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (*home < 0 || there < 0 || setns(there, CLONE_NEWIPC) < 0) {
        ret = -errno;
        fd_close(*home);
        *home = -1;
    }
    fd_close(there);
    return ret;
}

void
ipc_leave(int home)
{
    if (home >= 0 && setns(home, CLONE_NEWIPC) < 0)
        log_fatal("cannot go back to the own IPC namespace");
    fd_close(home);
}

/* The lists are of the namespace in which they were opened. */
int
ipc_open(struct ipc *i, pid_t pid, int cell_pid)
{
    int home, ret;

    *i = (struct ipc){ .pid = pid,
        .cell_pid = cell_pid,
        .own = place_own_ipc(pid),
        .list = { -1, -1 },
        .undo = -1 };
    ret = ipc_enter(pid, &home);
    if (ret < 0)
        return ret;
    i->list[0] = open("/proc/sysvipc/sem", O_RDONLY | O_CLOEXEC);
    i->list[1] = open("/proc/sysvipc/msg", O_RDONLY | O_CLOEXEC);
    ipc_leave(home);
    return 0;
}

void
ipc_close(struct ipc *i)
{
    fd_close(i->list[0]);
    fd_close(i->list[1]);
    fd_close(i->undo);
    i->list[0] = i->list[1] = i->undo = -1;
}

void
ipc_forget(struct ipc *i)
{
    memset(i->hash, 0, sizeof i->hash);
}

static int
refuse_ipc(
    const struct ipc *i, struct refusals *why, const char *cure, const char *what)
{
    refuse(why, i->cell_pid, -1, cure, "%s", what);
    return -EOPNOTSUPP;
}

static int
by_id(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Ids of all, sorted: the second number of each line but the first.  How many. */
static int
list(int fd, char *text, size_t size, int *ids, int max)
{
    ssize_t n = fd < 0 ? 0 : pread(fd, text, size - 1, 0);
    int found = 0;
    const char *at;

    if (n < 0)
        return -errno;
    text[n] = '\0';
    for (at = strchr(text, '\n'); at && at[1]; at = strchr(at + 1, '\n')) {
        if (found == max)
            return -E2BIG;
        if (sscanf(at + 1, "%*d %d", &ids[found]) == 1)
            found++;
    }
    qsort(ids, (size_t)found, sizeof *ids, by_id);
    return found;
}

static int
read_set(struct image *im, int id, unsigned short *values)
{
    struct image_set *s = &im->sets[im->nsets];
    struct semid_ds ds;

    if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) < 0)
        return -errno;
    if (ds.sem_nsems > IMAGE_MAX_SEMAPHORES - im->nsemaphores)
        return -E2BIG;
    if (semctl(id, 0, GETALL, (union semun){ .array = values }) < 0)
        return -errno;
    *s = (struct image_set){ .id = id,
        .key = ds.sem_perm.__key,
        .mode = ds.sem_perm.mode & 0777,
        .uid = ds.sem_perm.uid,
        .gid = ds.sem_perm.gid,
        .n = (uint32_t)ds.sem_nsems };
    for (uint32_t k = 0; k < s->n; k++)
        im->semaphores[im->nsemaphores++] = (struct image_semaphore){ values[k], 0 };
    im->nsets++;
    return 0;
}

static void
take_row(struct image *im, const struct undo_row *r, bool *beyond)
{
    uint32_t first = 0;

    for (uint32_t k = 0; k < im->nsets; first += im->sets[k++].n) {
        if (im->sets[k].id != r->set)
            continue;
        *beyond = *beyond || im->sets[k].n > UNDO_MOST;
        for (int j = 0; j < UNDO_AT_ONCE; j++)
            if ((uint32_t)(r->first + j) < im->sets[k].n)
                im->semaphores[first + (uint32_t)(r->first + j)].undo = r->adjust[j];
    }
}

static int
read_undo(struct ipc *i, struct image *im, struct refusals *why)
{
    struct undo_row rows[16];
    bool whole = false, beyond = false;
    ssize_t n = -1;
    int fd = -1;

    pthread_once(&loaded, load);
    if (i->undo < 0 && load_result == 0)
        i->undo = program_iterate_task(program, "undo", i->pid);
    if (i->undo >= 0)
        fd = program_iteration(i->undo);
    while (fd >= 0 && (n = read(fd, rows, sizeof rows)) > 0)
        for (size_t k = 0; k < (size_t)n / sizeof *rows; k++) {
            whole = whole || rows[k].set == -1;
            take_row(im, &rows[k], &beyond);
        }
    fd_close(fd);
    if (n < 0 || !whole)
        return refuse_ipc(i, why, "use a kernel with CONFIG_DEBUG_INFO_BTF",
            "System V semaphores: their SEM_UNDO values cannot be read");
    if (beyond)
        return refuse_ipc(i, why, "configure it to use smaller sets",
            "SEM_UNDO in a set of more than 256 System V semaphores");
    return 0;
}

static int
read_sets(struct ipc *i, struct image *im, const int *ids, int n, struct refusals *why)
{
    static _Thread_local unsigned short values[65536];
    int ret = n < 0 ? n : 0;

    for (int k = 0; k < n && ret == 0; k++)
        ret = read_set(im, ids[k], values);
    if (ret == -E2BIG)
        return refuse_ipc(i, why, "configure it to use fewer",
            "too many System V semaphores (256 sets, 8192 in all)");
    return ret == 0 && im->nsets > 0 ? read_undo(i, im, why) : ret;
}

/* All messages of a queue, left where they are; bytes, or -errno. */
static long
copy_messages(int id, char *text, size_t size)
{
    size_t at = 0;

    for (int k = 0;; k++) {
        struct image_letter *to = (struct image_letter *)(text + at);
        ssize_t n;

        if (size - at < sizeof *to + 8)
            return -E2BIG;
        n = msgrcv(id, &to->type, size - at - sizeof *to - 8, k, MSG_COPY | IPC_NOWAIT);
        if (n < 0)
            return errno == ENOMSG ? (long)at : -errno;
        to->size = (uint64_t)n;
        memset((char *)(to + 1) + n, 0, (8 - (size_t)n % 8) % 8);
        at += sizeof *to + (((size_t)n + 7) & ~(size_t)7);
    }
}

static int
read_queue(struct ipc *i, struct image *im, int id, struct parcels *parcels, char *text,
    size_t size)
{
    struct image_queue *q = &im->queues[im->nqueues];
    struct msqid_ds ds;
    uint64_t hash;
    uint8_t *to;
    long n;

    if (msgctl(id, IPC_STAT, &ds) < 0)
        return -errno;
    n = copy_messages(id, text, size < IMAGE_QUEUE_MAX ? size : IMAGE_QUEUE_MAX);
    if (n < 0)
        return (int)n;
    *q = (struct image_queue){ .id = id,
        .key = ds.msg_perm.__key,
        .mode = ds.msg_perm.mode & 0777,
        .uid = ds.msg_perm.uid,
        .gid = ds.msg_perm.gid,
        .size = (uint32_t)n,
        .limit = ds.msg_qbytes };
    hash = n > 0 ? filehash_bytes(text, (size_t)n) | 1 : 0;
    if (hash != i->hash[im->nqueues] && n > 0) {
        to = parcels_add(parcels, IMAGE_QUEUES + (int)im->nqueues, (uint32_t)n);
        if (!to)
            return -ENOSPC;
        memcpy(to, text, (size_t)n);
    }
    i->hash[im->nqueues++] = hash;
    return 0;
}

static int
read_queues(struct ipc *i, struct image *im, const int *ids, int n,
    struct parcels *parcels, char *text, size_t size, struct refusals *why)
{
    int ret = n < 0 ? n : 0;

    for (int k = 0; k < n && ret == 0; k++)
        ret = read_queue(i, im, ids[k], parcels, text, size);
    if (ret == -E2BIG)
        return refuse_ipc(i, why, "configure it to use fewer, or read them",
            "too many System V message queues (64), or more than 1 MB in one");
    if (ret == -ENOSYS || ret == -EINVAL)
        return refuse_ipc(i, why, "use a kernel with CONFIG_CHECKPOINT_RESTORE",
            "System V message queue that cannot be looked into");
    return ret;
}

/* Of the host: who used them last? */
static int
check_host(const struct ipc *i, const int *sets, int nsets, const int *queues,
    int nqueues, struct refusals *why)
{
    bool used = false;
    struct semid_ds ds;
    struct msqid_ds q;

    for (int k = 0; k < nsets; k++)
        if (semctl(sets[k], 0, IPC_STAT, (union semun){ .buf = &ds }) == 0)
            for (int j = 0; j < (int)ds.sem_nsems && !used; j++)
                used = semctl(sets[k], j, GETPID) == i->pid;
    for (int k = 0; k < nqueues && !used; k++)
        used = msgctl(queues[k], IPC_STAT, &q) == 0 &&
               (q.msg_lspid == i->pid || q.msg_lrpid == i->pid);
    return used ? refuse_ipc(i, why,
                      "start it with an IPC namespace of its own (sockmig run)",
                      "System V semaphores or queues that are the host's")
                : 0;
}

int
ipc_read(struct ipc *i, struct image *im, struct parcels *parcels, char *text,
    size_t size, struct refusals *why)
{
    int sets[IMAGE_MAX_SETS], queues[IMAGE_MAX_QUEUES], home, ret;
    int nsets = list(i->list[0], text, size, sets, IMAGE_MAX_SETS);
    int nqueues = list(i->list[1], text, size, queues, IMAGE_MAX_QUEUES);

    im->nsets = im->nsemaphores = im->nqueues = 0;
    if (nsets == 0 && nqueues == 0)
        return 0;
    if (!i->own)
        return i->looks++ % SEEN_EVERY > 2
                   ? 0
                   : check_host(i, sets, nsets, queues, nqueues, why);
    ret = ipc_enter(i->pid, &home);
    if (ret < 0)
        return ret;
    ret = read_sets(i, im, sets, nsets, why);
    if (ret == 0)
        ret = read_queues(i, im, queues, nqueues, parcels, text, size, why);
    ipc_leave(home);
    return ret;
}
