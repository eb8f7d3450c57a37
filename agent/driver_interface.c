/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define GATE_NAME 11 /* "bsc" and 8 hexadecimal digits */

static enum link_state
ask(int fd, const char *device)
{
    struct ifreq ifr = { 0 };

    snapshot_text(ifr.ifr_name, sizeof ifr.ifr_name, device);
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
        return (ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING) ? LINK_UP
                                                                         : LINK_DOWN;
    return errno == ENODEV ? LINK_MISSING : LINK_UNKNOWN;
}

static bool
is_gate(const char *port)
{
    size_t n = strlen(port);

    if (n != GATE_NAME || strncmp(port, "bsc", 3) != 0)
        return false;
    for (size_t i = 3; i < n; i++)
        if (!isxdigit((unsigned char)port[i]))
            return false;
    return true;
}

/* leads_nowhere - @device is a bridge, has ports other than the gates of services, and
 * none of them carries frames.  The gates alone keep the bridge itself running. */
static bool
leads_nowhere(int fd, const char *sys, const char *device)
{
    char path[300];
    const struct dirent *port;
    bool any = false, up = false;
    DIR *dir;

    snprintf(path, sizeof path, "%s/class/net/%s/brif", sys, device);
    dir = opendir(path);
    while (dir && !up && (port = readdir(dir))) {
        if (port->d_name[0] == '.' || is_gate(port->d_name))
            continue;
        any = true;
        up = ask(fd, port->d_name) == LINK_UP;
    }
    if (dir)
        closedir(dir);
    return any && !up;
}

enum link_state
driver_interface(const char *sys, const char *device)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    enum link_state state = LINK_UNKNOWN;

    if (fd < 0)
        return LINK_UNKNOWN;
    state = ask(fd, device);
    if (state == LINK_UP && leads_nowhere(fd, sys, device))
        state = LINK_DOWN;
    fd_close(fd);
    return state;
}
