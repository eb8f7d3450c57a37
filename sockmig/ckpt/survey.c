/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/survey.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/survey.bpf.h" /* made from survey.bpf.c */
#include "sockmig/program.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One for all processes, loaded when the first is surveyed, kept for ever. */
static struct program *program;
static int load_result;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static bool forbidden;

static void
load(void)
{
    load_result = program_load(
        "bascule_survey", survey_bpf_o, sizeof survey_bpf_o, &program);
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
survey_open(struct survey *s, pid_t pid, size_t max)
{
    void *rows;

    *s = (struct survey){ .files = -1, .mappings = -1 };
    if (forbidden)
        return -EOPNOTSUPP;
    survey_load();
    if (load_result < 0)
        return load_result;
    rows = mmap(NULL, max * sizeof *s->rows, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rows == MAP_FAILED)
        return -errno;
    s->rows = rows;
    s->max = max;
    s->files = program_iterate_task(program, "survey", pid);
    s->mappings = program_iterate_task(program, "mappings", pid);
    if (s->files < 0 || s->mappings < 0) {
        int ret = s->files < 0 ? s->files : s->mappings;

        survey_close(s);
        return ret;
    }
    return 0;
}

void
survey_close(struct survey *s)
{
    fd_close(s->files);
    fd_close(s->mappings);
    if (s->rows)
        munmap(s->rows, s->max * sizeof *s->rows);
    *s = (struct survey){ .files = -1, .mappings = -1 };
}

/* All that one run of @iterator writes: bytes, -E2BIG if it is more, or -errno. */
static ssize_t
run(int iterator, void *to, size_t size)
{
    int fd = program_iteration(iterator);
    size_t got = 0;
    ssize_t n;

    if (fd < 0)
        return fd;
    do
        n = read(fd, (char *)to + got, size - got);
    while (n > 0 && (got += (size_t)n) < size);
    n = n < 0 ? -errno : n > 0 ? -E2BIG : (ssize_t)got;
    fd_close(fd);
    return n;
}

ssize_t
survey_read(struct survey *s)
{
    ssize_t n = run(s->files, s->rows, s->max * sizeof *s->rows);

    return n < 0 ? n : n / (ssize_t)sizeof *s->rows;
}

uint32_t
survey_mappings(const struct survey *s)
{
    uint32_t words[2]; /* room for the end to be seen */

    if (s->mappings < 0 || run(s->mappings, words, sizeof words) != sizeof words[0])
        return 0;
    return words[0];
}
