/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/survey.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/survey.bpf.h" /* made from survey.bpf.c */
#include "sockmig/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define ESTABLISHED 1 /* include/net/tcp_states.h */

/* One for all processes, loaded when the first is surveyed, kept for ever; and what it
 * shares with us. */
static struct program *program;
static const struct survey_row *rows;
static const struct survey_found *found;
static const struct survey_item *items;
static struct survey_shared *shared;
static int load_result;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static bool forbidden;

static int
map_all(void)
{
    rows = program_share(program, "survey_rows", SURVEY_ROWS * sizeof *rows, false);
    found = program_share(program, "survey_found", SURVEY_ROWS * sizeof *found, false);
    items = program_share(program, "survey_items", SURVEY_ITEMS * sizeof *items, false);
    shared = program_share(program, "survey_shared", sizeof *shared, true);
    return rows && found && items && shared ? 0 : -errno;
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
    *s = (struct survey){ .files = -1, .mappings = -1 };
    if (forbidden)
        return -EOPNOTSUPP;
    survey_load();
    if (load_result < 0)
        return load_result;
    s->rows = rows;
    s->found = found;
    s->items = items;
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
survey_read(struct survey *s, const struct survey_rest *rests, uint32_t n)
{
    uint32_t all;
    int ret;

    shared->rests = (uint64_t)(uintptr_t)rests;
    shared->nrests = rests ? n : 0;
    ret = run(s->files, &all);
    s->map_seq = shared->map_seq;
    if (ret < 0)
        return ret;
    return all > SURVEY_ROWS ? -E2BIG : (int)all;
}

/* Nothing is unread, unsent or unacknowledged: then its owner can receive nothing, and
 * what it sends, or a shutdown, moves write_seq; a segment of the other side moves
 * segs_in, an answer or a probe of the kernel segs_out. */
struct survey_rest
survey_rest(const struct survey_row *row)
{
    if (row->tcp.state != ESTABLISHED || !row->settled ||
        row->tcp.rcv_nxt != row->tcp.copied_seq ||
        row->tcp.snd_una != row->tcp.write_seq ||
        row->tcp.snd_nxt != row->tcp.write_seq)
        return (struct survey_rest){ 0 };
    return (struct survey_rest){ .file = row->file,
        .sock = row->sock,
        .segs_in = row->tcp.segs_in,
        .segs_out = row->tcp.segs_out,
        .write_seq = row->tcp.write_seq,
        .flags = (row->flags & ~(uint32_t)O_CLOEXEC) | (row->cloexec ? O_CLOEXEC : 0) };
}

uint32_t
survey_mappings(const struct survey *s)
{
    uint32_t seq;

    return s->mappings < 0 || run(s->mappings, &seq) < 0 ? 0 : seq;
}
