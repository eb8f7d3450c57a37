/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* runs - false if process @pid is stopped or a zombie. */
static bool
runs(pid_t pid)
{
    char path[32], text[512];
    const char *paren;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, text, sizeof text) <= 0)
        return true; /* not ours to see: do not judge */
    paren = strrchr(text, ')');
    return !paren || !paren[1] || !strchr("TtZX", paren[2]);
}

/* Corosync's clients connect to abstract sockets named after the interface (libqb);
 * the kernel says which process listens there.  No request is sent: each would have
 * Corosync set up shared memory for a client.  Source: libqb, lib/ipc_socket.c */
enum liveness
driver_corosync(void)
{
    enum liveness state = LIVE_UNKNOWN;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct ucred peer = { 0 };
    socklen_t size = sizeof peer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return LIVE_UNKNOWN;
    memcpy(address.sun_path + 1, "cmap", 4);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        state = errno == EAGAIN ? LIVE_SILENT : LIVE_ABSENT;
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        state = runs(peer.pid) ? LIVE_ANSWERING : LIVE_SILENT;
    fd_close(fd);
    return state;
}
