/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/offload.h"

#include "lib/fd.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEATURES 256 /* a kernel has some 60 */
#define BLOCKS (FEATURES / 32)

union request {
    uint32_t words[(sizeof(struct ethtool_gstrings) + FEATURES * ETH_GSTRING_LEN) / 4];
    struct ethtool_gstrings names;
    struct ethtool_sset_info count;
    struct ethtool_sfeatures set;
};

static int
ask(int sock, const char *device, union request *what)
{
    struct ifreq req = { .ifr_data = (void *)what };

    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", device);
    return ioctl(sock, SIOCETHTOOL, &req) < 0 ? -errno : 0;
}

/* Its number, or -errno; -ENOENT: there is none. */
static int
number_of(int sock, const char *device, const char *feature)
{
    union request r = { .count = { .cmd = ETHTOOL_GSSET_INFO,
                            .sset_mask = 1u << ETH_SS_FEATURES } };
    int ret = ask(sock, device, &r);
    uint32_t n = r.count.data[0];

    if (ret < 0)
        return ret;
    if (n > FEATURES)
        return -E2BIG;
    r.names = (struct ethtool_gstrings){
        .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = n
    };
    ret = ask(sock, device, &r);
    for (uint32_t i = 0; ret == 0 && i < n; i++)
        if (strncmp((const char *)r.names.data + i * ETH_GSTRING_LEN, feature,
                ETH_GSTRING_LEN) == 0)
            return (int)i;
    return ret < 0 ? ret : -ENOENT;
}

int
offload_off(const char *device, const char *feature)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
    union request r = { .set = { .cmd = ETHTOOL_SFEATURES } };

    if (sock < 0)
        return -errno;
    ret = number_of(sock, device, feature);
    if (ret >= 0) {
        r.set.size = (uint32_t)ret / 32 + 1;
        r.set.features[ret / 32].valid = 1u << ret % 32;
        ret = ask(sock, device, &r);
    }
    fd_close(sock);
    return ret == -ENOENT ? 0 : ret;
}
