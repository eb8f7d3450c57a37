/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sysv.c - System V semaphores and message queues. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static bool
operate(int id, int number, int by, int flags)
{
    struct sembuf op = { (unsigned short)number, (short)by, (short)flags };

    return semop(id, &op, 1) == 0;
}

/* ---- semaphores */

static int set, second;

static const char *
set_up_set(void)
{
    unsigned short values[3] = { 3, 0, 32767 };
    struct semid_ds ds = { .sem_perm = { .uid = 7, .gid = 8, .mode = 0640 } };
    int unused = semget(IPC_PRIVATE, 1, 0600);

    second = semget(IPC_PRIVATE, 1, 0600);
    set = semget(0x5e3a, 3, IPC_CREAT | IPC_EXCL | 0600);
    WANT(set >= 0 && semctl(set, 0, SETALL, (union semun){ .array = values }) == 0);
    WANT(semctl(set, 0, IPC_SET, (union semun){ .buf = &ds }) == 0);
    return semctl(unused, 0, IPC_RMID) == 0 ? NULL : "a hole between the ids";
}

static const char *
check_set(void)
{
    unsigned short values[3];
    struct semid_ds ds;

    WANT(semget(0x5e3a, 3, 0) == set && semctl(second, 0, GETVAL) == 0);
    WANT(semctl(set, 0, GETALL, (union semun){ .array = values }) == 0);
    WANT(values[0] == 3 && values[1] == 0 && values[2] == 32767);
    WANT(semctl(set, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0);
    WANT(ds.sem_perm.uid == 7 && ds.sem_perm.gid == 8 && ds.sem_nsems == 3);
    WANT((ds.sem_perm.mode & 0777) == 0640);
    return NULL;
}

/* What the kernel adds when the process ends it adds when it wants a list of its own.
 */
static int undone;

static const char *
operate_undone(void)
{
    WANT(semctl(undone, 0, SETVAL, 5) == 0 && semctl(undone, 1, SETVAL, 0) == 0);
    WANT(semctl(undone, 39, SETVAL, 1) == 0);
    WANT(operate(undone, 0, -2, SEM_UNDO) && operate(undone, 0, -1, 0));
    WANT(operate(undone, 1, 4, SEM_UNDO) && operate(undone, 39, -1, SEM_UNDO));
    return NULL;
}

static const char *
set_up_undone(void)
{
    undone = semget(IPC_PRIVATE, 40, 0600);
    WANT(undone >= 0);
    return operate_undone();
}

static const char *
check_undone(void)
{
    WANT(semctl(undone, 0, GETVAL) == 2 && semctl(undone, 1, GETVAL) == 4);
    WANT(semctl(undone, 39, GETVAL) == 0 && unshare(CLONE_SYSVSEM) == 0);
    WANT(semctl(undone, 0, GETVAL) == 4 && semctl(undone, 1, GETVAL) == 0);
    WANT(semctl(undone, 39, GETVAL) == 1);
    return operate_undone();
}

static int waited;
static atomic_long got, ended;

static void *
wait_for_it(void *arg)
{
    (void)arg;
    for (;;)
        if (operate(waited, 0, -1, 0))
            got++;
        else
            ended++;
    return NULL;
}

static const char *
set_up_waited(void)
{
    waited = semget(IPC_PRIVATE, 1, 0600);
    WANT(waited >= 0 && start_thread(wait_for_it, NULL));
    while (semctl(waited, 0, GETNCNT) == 0)
        nap(1);
    return NULL;
}

static const char *
check_waited(void)
{
    long before = got;

    for (int i = 0; i < 1000 && semctl(waited, 0, GETNCNT) == 0; i++)
        nap(5);
    WANT(semctl(waited, 0, GETNCNT) == 1 && operate(waited, 0, 1, 0));
    WANT(grows(&got, before) && ended == 0); /* nobody was told of an interruption */
    return NULL;
}

static unsigned rounds;

static void
step_rounds(void)
{
    int id = semget(IPC_PRIVATE, 1 + (int)(rounds % 5), 0600);

    if (id >= 0 && semctl(id, 0, SETVAL, 1) == 0 && operate(id, 0, -1, SEM_UNDO) &&
        semctl(id, 0, IPC_RMID) == 0)
        rounds++;
}

static const char *
set_up_rounds(void)
{
    step_rounds();
    return rounds == 1 ? NULL : "a set";
}

static const char *
check_rounds(void)
{
    unsigned before = rounds;

    step_rounds();
    WANT(rounds == before + 1);
    return NULL;
}

/* ---- message queues */

struct letter {
    long type;
    char text[64];
};

static bool
put(int id, long type, const char *text)
{
    struct letter l = { .type = type };

    strncpy(l.text, text, sizeof l.text - 1);
    return msgsnd(id, &l, strlen(text), IPC_NOWAIT) == 0;
}

static bool
take(int id, long which, long type, const char *text)
{
    struct letter l = { 0 };
    ssize_t n = msgrcv(id, &l, sizeof l.text, which, IPC_NOWAIT);

    return n == (ssize_t)strlen(text) && l.type == type &&
           memcmp(l.text, text, (size_t)n) == 0;
}

static int queue;

static const char *
fill_queue(void)
{
    WANT(put(queue, 3, "third kind") && put(queue, 1, "first kind"));
    WANT(put(queue, 3, "") && put(queue, 1l << 40, "a large type"));
    return NULL;
}

static const char *
set_up_queue(void)
{
    struct msqid_ds ds = { .msg_perm = { .uid = 9, .gid = 10, .mode = 0620 },
        .msg_qbytes = 4321 };

    queue = msgget(0x3a11, IPC_CREAT | IPC_EXCL | 0600);
    WANT(queue >= 0 && msgctl(queue, IPC_SET, &ds) == 0);
    return fill_queue();
}

static const char *
check_queue(void)
{
    struct msqid_ds ds;

    WANT(msgget(0x3a11, 0) == queue && msgctl(queue, IPC_STAT, &ds) == 0);
    WANT(ds.msg_perm.uid == 9 && ds.msg_perm.gid == 10 && ds.msg_qbytes == 4321);
    WANT((ds.msg_perm.mode & 0777) == 0620 && ds.msg_qnum == 4);
    WANT(take(queue, 1, 1, "first kind") && take(queue, 0, 3, "third kind"));
    WANT(take(queue, 0, 3, "") && take(queue, 0, 1l << 40, "a large type"));
    return fill_queue();
}

static int stream;
static uint32_t sent, received;

static void
step_stream(void)
{
    struct {
        long type;
        uint32_t v;
    } m;

    for (int i = 0; i < 3; i++) {
        m.type = 1 + sent % 7;
        m.v = sent;
        if (msgsnd(stream, &m, sizeof m.v, IPC_NOWAIT) == 0)
            sent++;
    }
    while (sent - received > 200 &&
           msgrcv(stream, &m, sizeof m.v, 0, IPC_NOWAIT) == sizeof m.v)
        received += m.v == received && m.type == 1 + m.v % 7;
}

static const char *
set_up_stream(void)
{
    stream = msgget(IPC_PRIVATE, 0600);
    return stream >= 0 ? NULL : "no queue";
}

static const char *
check_stream(void)
{
    struct {
        long type;
        uint32_t v;
    } m;

    while (msgrcv(stream, &m, sizeof m.v, 0, IPC_NOWAIT) == sizeof m.v) {
        WANT(m.v == received && m.type == 1 + m.v % 7);
        received++;
    }
    WANT(received == sent);
    return NULL;
}

static int awaited;
static atomic_long came, failures;

static void *
receive(void *arg)
{
    struct letter l;

    (void)arg;
    for (;;)
        if (msgrcv(awaited, &l, sizeof l.text, 0, 0) == 4)
            came++;
        else
            failures++;
    return NULL;
}

static const char *
set_up_awaited(void)
{
    awaited = msgget(IPC_PRIVATE, 0600);
    WANT(awaited >= 0 && start_thread(receive, NULL));
    return NULL;
}

static const char *
check_awaited(void)
{
    long before = came;

    WANT(put(awaited, 1, "four") && grows(&came, before) && failures == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "set of semaphores: id, key, owner, mode, values", NULL, 0, set_up_set, check_set,
        NULL },
    { "semaphores with SEM_UNDO", NULL, FEATURE_ALONE, set_up_undone, check_undone,
        NULL },
    { "thread that waits for a semaphore", NULL, 0, set_up_waited, check_waited, NULL },
    { "semaphores that come and go", NULL, 0, set_up_rounds, check_rounds,
        step_rounds },
    { "message queue: id, key, owner, mode, limit, unread messages of all types", NULL,
        0, set_up_queue, check_queue, NULL },
    { "message queue that is written and read", NULL, 0, set_up_stream, check_stream,
        step_stream },
    { "thread that waits for a message", NULL, 0, set_up_awaited, check_awaited, NULL },
};

AREA(area_sysv, "System V semaphores and message queues", rows);
