/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/unaccepted.h"

#include "lib/log.h"
#include "sockmig/bpf/unaccepted.bpf.h" /* made from unaccepted.bpf.c */
#include "sockmig/bpf/unaccepted_row.h"
#include "sockmig/ckpt/ends.h"
#include "sockmig/program.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* One for all, loaded when it is asked for first, kept for ever. */
static struct program *program;
static int reading = -1; /* the function */
static struct unaccepted_shared *shared;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void
load(void)
{
    int ret = program_load(
        "bascule_unaccepted", unaccepted_bpf_o, sizeof unaccepted_bpf_o, &program);

    if (ret == 0 &&
        !(shared = program_share(program, "unaccepted_shared", sizeof *shared, true)))
        ret = -errno;
    if (ret == 0)
        ret = reading = program_function(program, "unaccepted");
    if (ret < 0)
        log_info("connections that are reset before they are accepted are forgotten by "
                 "standbys: this kernel does not tell: %s",
            strerror(-ret));
}

void
unaccepted_load(void)
{
    pthread_once(&loaded, load);
}

void
unaccepted_read(uint64_t sock, int fd, struct image *im)
{
    unaccepted_load();
    if (reading < 0)
        return;
    shared->sock = sock;
    if (program_run(reading) < 0)
        return;
    for (uint32_t i = 0; i < shared->n && im->nunaccepted < IMAGE_MAX_UNACCEPTED; i++) {
        struct image_unaccepted *to = &im->unaccepted[im->nunaccepted++];

        *to = (struct image_unaccepted){ .fd = fd };
        ends_addresses(&shared->rows[i], to->local, to->remote);
    }
}
