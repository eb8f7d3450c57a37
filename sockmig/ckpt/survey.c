/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/survey.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/survey.bpf.h" /* made from survey.bpf.c */
#include "sockmig/program.h"
#include "sockmig/realtime.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One for all processes, loaded when the first is surveyed, kept for ever; and the rows
 * that it fills. */
static struct program *program;
static const struct survey_row *rows;
static uint32_t *split; /* where the second run begins; 0: there is none */
static int load_result;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static bool forbidden;

#define WORTH_TWO 1000 /* descriptors: to wake another thread takes some 50 us */

static struct { /* a thread for the second run */
    bool begun;
    sem_t go, done;
    int iterator, ret;
    uint32_t n;
} mate;

static void *
map_values(const char *name, size_t size, int prot)
{
    int map = program_map(program, name);
    void *p = map < 0 ? MAP_FAILED : mmap(NULL, size, prot, MAP_SHARED, map, 0);

    if (p == MAP_FAILED)
        return NULL;
    madvise(p, size, MADV_DONTFORK); /* a child may become a service */
    return p;
}

static int
map_all(void)
{
    rows = map_values("survey_rows", 2 * SURVEY_ROWS * sizeof *rows, PROT_READ);
    split = map_values("survey_split", sizeof *split, PROT_READ | PROT_WRITE);
    return rows && split ? 0 : -ENOMEM;
}

static void
load(void)
{
    load_result = program_load(
        "bascule_survey", survey_bpf_o, sizeof survey_bpf_o, &program);
    if (load_result == 0)
        load_result = map_all();
    if (load_result < 0)
        log_info("descriptors are looked at one by one: this kernel refuses the "
                 "survey: %s",
            strerror(-load_result));
}

void
survey_load(void)
{
    pthread_once(&loaded, load);
}

void
survey_allow(bool allowed)
{
    forbidden = !allowed;
}

int
survey_open(struct survey *s, pid_t pid)
{
    *s = SURVEY_NONE;
    if (forbidden)
        return -EOPNOTSUPP;
    survey_load();
    if (load_result < 0)
        return load_result;
    s->rows = rows;
    s->files = program_iterate_task(program, "survey", pid);
    s->second = program_iterate_task(program, "survey_second", pid);
    s->mappings = program_iterate_task(program, "mappings", pid);
    if (s->files < 0 || s->second < 0 || s->mappings < 0) {
        int ret = s->files < 0 ? s->files : s->second < 0 ? s->second : s->mappings;

        survey_close(s);
        return ret;
    }
    return 0;
}

void
survey_close(struct survey *s)
{
    fd_close(s->files);
    fd_close(s->second);
    fd_close(s->mappings);
    *s = SURVEY_NONE;
}

/* The number that one run of @iterator writes. */
static int
run(int iterator, uint32_t *out)
{
    uint32_t words[2]; /* room for the end to be seen */
    int fd = program_iteration(iterator), ret = 0;
    ssize_t n;

    if (fd < 0)
        return fd;
    n = read(fd, words, sizeof words);
    if (n != sizeof words[0])
        ret = n < 0 ? -errno : -ESRCH;
    fd_close(fd);
    *out = words[0];
    return ret;
}

static void *
mate_main(void *arg)
{
    sigset_t all;

    (void)arg;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_setname_np(pthread_self(), "survey");
    realtime_set(true); /* a process stands still for it */
    for (;;) {
        while (sem_wait(&mate.go) < 0)
            ;
        mate.ret = run(mate.iterator, &mate.n);
        sem_post(&mate.done);
    }
    return NULL;
}

static bool
have_mate(void)
{
    pthread_t thread;

    if (mate.begun)
        return true;
    sem_init(&mate.go, 0, 0);
    sem_init(&mate.done, 0, 0);
    if (pthread_create(&thread, NULL, mate_main, NULL) != 0)
        return false;
    pthread_detach(thread);
    mate.begun = true;
    return true;
}

/* Both halves are about the same, the next time. */
static void
balance(struct survey *s, uint32_t n)
{
    uint32_t half = n / 2, off = s->lower > half ? s->lower - half : half - s->lower;

    if (n < WORTH_TWO)
        s->split = 0;
    else if (s->split == 0 || off > n / 8)
        s->split = survey_row(s, half)->fd / SURVEY_GROUP * SURVEY_GROUP;
}

int
survey_read(struct survey *s)
{
    bool two = s->split > 0 && have_mate();
    uint32_t n;
    int ret;

    *split = two ? s->split : 0;
    mate.n = 0;
    mate.ret = 0;
    if (two) {
        mate.iterator = s->second;
        sem_post(&mate.go);
    }
    ret = run(s->files, &s->lower);
    while (two && sem_wait(&mate.done) < 0)
        ;
    if (ret == 0)
        ret = mate.ret;
    if (ret < 0)
        return ret;
    n = s->lower + mate.n;
    if (n > SURVEY_ROWS)
        return -E2BIG;
    balance(s, n);
    return (int)n;
}

uint32_t
survey_mappings(const struct survey *s)
{
    uint32_t seq;

    return s->mappings < 0 || run(s->mappings, &seq) < 0 ? 0 : seq;
}
