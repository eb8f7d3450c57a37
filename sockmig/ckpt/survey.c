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

/* One for all processes, loaded when the first is surveyed, kept for ever; and the rows
 * that it fills. */
static struct program *program;
static const struct survey_row *rows;
static int load_result;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static bool forbidden;

static int
map_rows(void)
{
    int map = program_map(program, "survey_rows");
    void *p = map < 0 ? MAP_FAILED
                      : mmap(NULL, SURVEY_ROWS * sizeof *rows, PROT_READ, MAP_SHARED,
                            map, 0);

    if (p == MAP_FAILED)
        return map < 0 ? map : -errno;
    rows = p;
    /* a child may become a service */
    madvise(p, SURVEY_ROWS * sizeof *rows, MADV_DONTFORK);
    return 0;
}

static void
load(void)
{
    load_result = program_load(
        "bascule_survey", survey_bpf_o, sizeof survey_bpf_o, &program);
    if (load_result == 0)
        load_result = map_rows();
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
    *s = (struct survey){ .files = -1, .mappings = -1 };
    if (forbidden)
        return -EOPNOTSUPP;
    survey_load();
    if (load_result < 0)
        return load_result;
    s->rows = rows;
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
    *s = (struct survey){ .files = -1, .mappings = -1 };
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

int
survey_read(struct survey *s)
{
    uint32_t n;
    int ret = run(s->files, &n);

    if (ret < 0)
        return ret;
    return n > SURVEY_ROWS ? -E2BIG : (int)n;
}

uint32_t
survey_mappings(const struct survey *s)
{
    uint32_t seq;

    return s->mappings < 0 || run(s->mappings, &seq) < 0 ? 0 : seq;
}
