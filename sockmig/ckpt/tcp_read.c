/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/tcp_read.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/queues.bpf.h" /* made from queues.bpf.c */
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TRIES 100         /* a segment is processed in some microseconds */
#define TRIAL_OUT 200003u /* several buffers, of several pages each */
#define TRIAL_IN 3001u

/* One for all, loaded when the first connection is read, kept for ever; and what it
 * shares with us. */
static struct program *program;
static int reading; /* the function */
static struct queues_shared *shared;
static const uint8_t *bytes;
static const char *unusable; /* why; NULL: it is not */
static bool forbidden;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static bool
map_all(void)
{
    shared = program_share(program, "queues_shared", sizeof *shared, true);
    bytes = program_share(program, "queues_bytes", QUEUES_ROOM, false);
    reading = program_function(program, "read_connection");
    return shared && bytes && reading >= 0;
}

/* Of descriptor @fd, or of what is at @sock if that is not 0. */
static bool
read_now(uint64_t sock, int fd, struct tcp_reading *out)
{
    shared->sock = sock;
    shared->fd = (uint32_t)fd;
    for (unsigned i = 0; i < TRIES; i++) {
        if (program_run(reading) < 0)
            return false;
        if (shared->reading.found == QUEUES_MOVED)
            continue;
        *out = shared->reading;
        return out->found == QUEUES_WHOLE && out->outq <= QUEUES_ROOM &&
               out->inq <= QUEUES_ROOM - out->outq;
    }
    return false;
}

/* ---- the trial */

/* Of a connection to nobody, established without a segment. */
static struct image_tcp
trial_image(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in there = here;
    struct image_tcp e;

    if (!tcp_fresh(AF_INET, &e))
        return e;
    there.sin_port = htons(9);
    memcpy(e.local, &here, sizeof here);
    memcpy(e.remote, &there, sizeof there);
    e.address_len = sizeof here;
    e.state = STATE_ESTABLISHED;
    e.sndbuf = e.rcvbuf = 4 * (int)TRIAL_OUT;
    e.mss = 1460;
    e.inq = TRIAL_IN;
    e.outq = TRIAL_OUT;
    e.rcv_nxt = TRIAL_IN / 2; /* what is unread goes around 0 */
    e.write_seq = TRIAL_OUT / 2;
    return e;
}

static bool
locate(const uint8_t *out)
{
    memcpy(shared->pattern, out, sizeof shared->pattern);
    shared->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
    return program_run(program_function(program, "locate")) == 0 && shared->located;
}

/* NULL: it reads what is there; else what it does not. */
static const char *
try_with(const uint8_t *in, const uint8_t *out)
{
    struct image_tcp e = trial_image();
    const struct tcp_parts parts = { .inq = in, .outq = out, .tun = -1 };
    struct tcp_reading r;
    const char *failed = NULL, *step;
    int sock = tcp_restore(&e, &parts, 0, &step);

    if (sock < 0)
        return "no connection for a trial (is the loopback interface up?)";
    shared->sock = 0;
    shared->fd = (uint32_t)sock;
    if (!locate(out))
        failed = "the memory of its pages is not found";
    else if (!read_now(0, sock, &r))
        failed = "a connection for a trial is not read";
    else if (r.inq != e.inq || r.outq != e.outq || r.tcp.rcv_nxt != e.rcv_nxt ||
             r.tcp.write_seq != e.write_seq || r.mss != e.mss ||
             memcmp(bytes, in, r.inq) != 0 || memcmp(bytes + r.inq, out, r.outq) != 0)
        failed = "a trial gave other bytes";
    fd_close(sock); /* in repair mode still: silent */
    return failed;
}

static const char *
trial(void)
{
    uint8_t *content = malloc(TRIAL_IN + TRIAL_OUT);
    const char *failed = "no memory";

    if (content && getrandom(content, TRIAL_IN + TRIAL_OUT, 0) == TRIAL_IN + TRIAL_OUT)
        failed = try_with(content, content + TRIAL_IN);
    free(content);
    return failed;
}

static void
load(void)
{
    const char *failed = NULL;
    int ret = program_load(
        "bascule_queues", queues_bpf_o, sizeof queues_bpf_o, &program);

    if (ret < 0)
        failed = strerror(-ret);
    else if (!map_all())
        failed = strerror(errno);
    else
        failed = trial();
    unusable = failed;
    if (failed)
        log_info("connections are read in repair mode: %s", failed);
}

const char *
tcp_read_load(void)
{
    pthread_once(&loaded, load);
    return unusable;
}

void
tcp_read_allow(bool allowed)
{
    forbidden = !allowed;
}

bool
tcp_read(int sock, struct tcp_reading *out, const uint8_t **to)
{
    if (forbidden || tcp_read_load() || !read_now(0, sock, out))
        return false;
    *to = bytes;
    return true;
}

bool
tcp_read_at(uint64_t sock, struct tcp_reading *out, const uint8_t **to)
{
    if (forbidden || sock == 0 || tcp_read_load() || !read_now(sock, -1, out))
        return false;
    *to = bytes;
    return true;
}
