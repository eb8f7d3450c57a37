/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/orphans.h"

#include "lib/log.h"
#include "sockmig/bpf/orphans.bpf.h" /* made from orphans.bpf.c */
#include "sockmig/bpf/orphans_row.h"
#include "sockmig/ckpt/ends.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/program.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define NOBODYS (1ull << 63) /* in their inode numbers, where no inode has it */

/* One for all, loaded when the first namespace is watched, kept for ever. */
static struct program *program;
static int listing = -1, spaces = -1; /* the function; who is watched */
static struct orphans_shared *shared;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void
load(void)
{
    int ret = program_load(
        "bascule_orphans", orphans_bpf_o, sizeof orphans_bpf_o, &program);

    if (ret == 0 &&
        !(shared = program_share(program, "orphans_shared", sizeof *shared, true)))
        ret = -errno;
    if (ret == 0)
        ret = spaces = program_map(program, "orphans_spaces");
    if (ret >= 0)
        ret = program_trace_all(program);
    if (ret == 0)
        ret = listing = program_function(program, "list");
    if (ret < 0)
        log_info("connections that a service has closed, and whose clients lack "
                 "something, are lost at a takeover: this kernel does not tell: %s",
            strerror(-ret));
}

void
orphans_watch(int netns)
{
    struct stat st;
    uint32_t key, one = 1;

    pthread_once(&loaded, load);
    if (listing < 0 || fstat(netns, &st) < 0)
        return;
    key = (uint32_t)st.st_ino;
    program_store(spaces, &key, &one);
}

/* Of the options what a socket has that is new: nobody sets them any more. */
static bool
begin_entry(const struct orphan_row *r, int fd, struct image_tcp *e)
{
    static struct image_tcp fresh[2];
    struct image_tcp *f = &fresh[r->ends.family == AF_INET6];

    if (f->family == 0 && !tcp_fresh(r->ends.family, f))
        return false;
    *e = *f;
    e->fd = fd;
    memset(e->local, 0, sizeof e->local);
    memset(e->remote, 0, sizeof e->remote);
    e->address_len = ends_addresses(&r->ends, e->local, e->remote);
    e->options = r->options;
    e->snd_wscale = r->snd_wscale;
    e->rcv_wscale = r->rcv_wscale;
    e->reuse_addr = 1; /* the service may want its port again */
    return true;
}

static enum tcp_look
add(const struct orphan_row *r, int fd, uint32_t most, struct image *im,
    struct parcels *parcels)
{
    struct image_tcp *e = &im->tcps[im->ntcps];
    enum tcp_look look;

    if (im->nfds == IMAGE_MAX_FDS || fd == IMAGE_IN_FLIGHT + IMAGE_MAX_IN_FLIGHT ||
        !begin_entry(r, fd, e))
        return TCP_LOOK_ERROR;
    look = tcp_dump_orphan(r->sock, fd, most, e, parcels);
    if (look != TCP_LOOK_DUMPED)
        return look;
    im->fds[im->nfds++] = (struct image_fd){ .fd = fd,
        .kind = IMAGE_FD_TCP,
        .dup_of = -1,
        .flags = O_RDWR | O_NONBLOCK,
        .socktype = SOCK_STREAM,
        .inode = r->sock | NOBODYS };
    im->ntcps++;
    return TCP_LOOK_DUMPED;
}

/* When it begins: it may last. */
static void
tell_of_left(uint32_t left)
{
    static bool told;

    if (left > 0 && !told)
        log_warn("%u connections that the service has closed are too many, or have too "
                 "much on its way, for an image: lost at a takeover meanwhile",
            left);
    told = left > 0;
}

void
orphans_read(uint32_t netns, int fd, struct image *im, struct parcels *parcels)
{
    static uint32_t missed;
    uint32_t bytes = 0, left;

    if (listing < 0 || (shared->known == 0 && shared->missed == missed))
        return;
    shared->netns = netns;
    if (program_run(listing) < 0)
        return;
    left = shared->more + shared->missed - missed;
    missed = shared->missed;
    for (uint32_t i = 0; i < shared->n; i++) {
        enum tcp_look look = add(
            &shared->rows[i], fd, ORPHANS_BYTES - bytes, im, parcels);

        left += look == TCP_LOOK_ERROR;
        if (look != TCP_LOOK_DUMPED)
            continue;
        bytes += im->tcps[im->ntcps - 1].outq;
        fd++;
    }
    tell_of_left(left);
}
