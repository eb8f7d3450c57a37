/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum link_state
driver_interface(const char *device)
{
    struct ifreq ifr = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    enum link_state state = LINK_UNKNOWN;

    if (fd < 0)
        return LINK_UNKNOWN;
    snapshot_text(ifr.ifr_name, sizeof ifr.ifr_name, device);
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
        state = (ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING) ? LINK_UP
                                                                          : LINK_DOWN;
    else if (errno == ENODEV)
        state = LINK_MISSING;
    fd_close(fd);
    return state;
}
