/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"
#include "lib/sockdiag.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
count(const struct sockdiag_socket *s, void *arg)
{
    struct readings *r = arg;
    int64_t *to = s->state == SOCKDIAG_ESTABLISHED ? &r->socket.established
                  : s->state == SOCKDIAG_LISTEN    ? &r->socket.listening
                  : s->state == SOCKDIAG_TIME_WAIT ? &r->socket.time_wait
                                                   : &r->socket.other;

    ++*to;
}

static int64_t
buffer_memory(void)
{
    char text[2048], *at;

    if (file_read("/proc/net/sockstat", text, sizeof text) <= 0)
        return MIB_NONE;
    at = strstr(text, "TCP:");
    at = at ? strstr(at, " mem ") : NULL;
    return at ? strtoll(at + 5, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024) : MIB_NONE;
}

static enum watch_result
read_socket(struct readings *r, const struct driver_context *ctx, char *text)
{
    int ret;

    (void)ctx;
    memset(&r->socket, 0, sizeof r->socket);
    ret = sockdiag_tcp(~0u, false, count, r);
    r->socket.memory_kib = buffer_memory();
    if (ret == 0)
        return WATCH_READ;
    snapshot_text(text, SNAP_TEXT, strerror(-ret));
    return WATCH_ERROR;
}

const struct driver driver_socket = { "socket", { 5000, 3000, 1, 1 }, false, false,
    read_socket, NULL };
