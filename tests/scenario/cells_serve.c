/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cells_serve.c - the child of sockmigd that looks into cells, without sockmigd:
 * cells_serve CONF RUN_DIR SERVICE PID serves until it is killed. */
#include "lib/log.h"
#include "sockmig/cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    char error[CONF_ERROR_LEN], line[128];
    struct conf *conf;
    int sv[2];

    log_init("cells_serve", LOG_LEVEL_DEBUG);
    if (argc != 5)
        log_fatal("usage: cells_serve CONF RUN_DIR SERVICE PID");
    if (!conf_load(argv[1], &conf, error))
        log_fatal("%s", error);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
        return 1;
    snprintf(
        line, sizeof line, "{\"service\":\"%s\",\"pid\":%d}\n", argv[3], atoi(argv[4]));
    if (write(sv[0], line, strlen(line)) < 0)
        return 1;
    return cells_main(conf, argv[2], sv[1]);
}
