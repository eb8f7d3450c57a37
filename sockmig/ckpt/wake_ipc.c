/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_ipc.c - System V semaphores and message queues of a clone.
 *
 * The first process of a service makes them, in the namespace of its stub.  What is to
 * be undone when a process ends (SEM_UNDO) is made by operations of that process, and
 * setting a value would forget it: so all begin in the middle of their range, and get
 * their values last, by an operation. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"
#include "sockmig/ckpt/ipc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#define MIDDLE 16383
#define AT_ONCE 32 /* operations of one call */

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

/* The next that is made has this id. */
static int
want_id(const char *what, int32_t id)
{
    char path[64], text[16];

    snprintf(path, sizeof path, "/proc/sys/kernel/%s_next_id", what);
    snprintf(text, sizeof text, "%d", (int)id);
    return file_write(path, text);
}

static int
make_set(const struct image_set *s)
{
    static _Thread_local unsigned short values[IMAGE_MAX_SEMAPHORES];
    struct semid_ds ds = { .sem_perm = {
                               .uid = s->uid, .gid = s->gid, .mode = s->mode } };
    int ret = want_id("sem", s->id), id;

    if (ret < 0)
        return ret;
    id = semget(s->key, (int)s->n, IPC_CREAT | IPC_EXCL | (int)s->mode);
    if (id != s->id) {
        if (id >= 0)
            semctl(id, 0, IPC_RMID);
        return -EBUSY;
    }
    for (uint32_t k = 0; k < s->n; k++)
        values[k] = MIDDLE;
    if (semctl(id, 0, SETALL, (union semun){ .array = values }) < 0 ||
        semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }) < 0)
        return -errno;
    return 0;
}

static int
send_letters(int id, const struct clone_queue *from)
{
    uint32_t at = 0;

    while (at < from->size) {
        const struct image_letter *l = (const struct image_letter *)(from->bytes + at);
        uint32_t left = from->size - at;

        if (left < sizeof *l || l->size > left - sizeof *l ||
            ((l->size + 7) & ~7ull) > left - sizeof *l || l->type <= 0)
            return -EBADMSG;
        if (msgsnd(id, &l->type, l->size, IPC_NOWAIT) < 0)
            return -errno;
        at += (uint32_t)(sizeof *l + ((l->size + 7) & ~7ull));
    }
    return 0;
}

static int
make_queue(const struct clone *c, const struct image *im, uint32_t i)
{
    const struct image_queue *q = &im->queues[i];
    const struct clone_queue *from = &c->queues[IMAGE_QUEUES + i];
    struct msqid_ds ds = {
        .msg_perm = { .uid = q->uid, .gid = q->gid, .mode = q->mode },
        .msg_qbytes = q->limit
    };
    int ret = want_id("msg", q->id), id;

    if (ret < 0)
        return ret;
    id = msgget(q->key, IPC_CREAT | IPC_EXCL | (int)q->mode);
    if (id != q->id) {
        if (id >= 0)
            msgctl(id, IPC_RMID, NULL);
        return -EBUSY;
    }
    if (msgctl(id, IPC_SET, &ds) < 0)
        return -errno;
    if (q->size > 0 && from->size != q->size)
        return -EBADMSG;
    return q->size > 0 ? send_letters(id, from) : 0;
}

static int
make_all(const struct wake *w)
{
    int home, ret = ipc_enter(w->c->pid, &home);

    if (ret < 0)
        return ret;
    for (uint32_t i = 0; i < w->im->nsets && ret == 0; i++)
        ret = make_set(&w->im->sets[i]);
    for (uint32_t i = 0; i < w->im->nqueues && ret == 0; i++)
        ret = make_queue(w->c, w->im, i);
    ipc_leave(home);
    return ret;
}

/* Each as one operation that is undone by what is to be added. */
static void
add_undo(struct wake *w)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < w->im->nsets; i++)
        for (uint32_t k = 0; k < w->im->sets[i].n; k++, at++) {
            struct sembuf op = { .sem_num = (unsigned short)k,
                .sem_op = (short)-w->im->semaphores[at].undo,
                .sem_flg = SEM_UNDO | IPC_NOWAIT };

            if (op.sem_op != 0)
                batch_add(&w->c->batch, "SEM_UNDO", SYS_semop,
                    (uint64_t)w->im->sets[i].id,
                    batch_put(&w->c->batch, &op, sizeof op), 1, 0, 0, 0);
        }
}

int
wake_ipc(struct wake *w, const char **what)
{
    int ret = 0;

    if (w->im->nsets == 0 && w->im->nqueues == 0)
        return 0;
    *what = "System V semaphores and queues (ipcs, ipcrm: is one of their keys or ids "
            "there already?)";
    if (!w->c->segments->ipc)
        ret = make_all(w);
    w->c->segments->ipc = true;
    if (ret < 0)
        return ret;
    add_undo(w);
    if (w->c->batch.ncalls > 0)
        ret = batch_run(&w->c->batch, w->c->pid);
    return ret;
}

static int
settle_set(const struct image *im, const struct image_set *s, uint32_t first)
{
    int ret = 0;

    for (uint32_t k = 0; k < s->n && ret == 0; k++) {
        int now = semctl(s->id, (int)k, GETVAL);
        struct sembuf op = { .sem_num = (unsigned short)k,
            .sem_op = (short)(im->semaphores[first + k].value - now),
            .sem_flg = IPC_NOWAIT };

        if (now < 0 || (op.sem_op != 0 && semop(s->id, &op, 1) < 0))
            ret = -errno;
    }
    return ret;
}

int
wake_ipc_settle(struct wake *w, const char **what)
{
    uint32_t first = 0;
    int home, ret;

    if (w->im->nsets == 0)
        return 0;
    *what = "values of System V semaphores";
    ret = ipc_enter(w->c->pid, &home);
    if (ret < 0)
        return ret;
    for (uint32_t i = 0; i < w->im->nsets && ret == 0; first += w->im->sets[i++].n)
        ret = settle_set(w->im, &w->im->sets[i], first);
    ipc_leave(home);
    return ret;
}
