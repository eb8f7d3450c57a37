/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/options.h"

#include "sockmig/ckpt/repair.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

struct option {
    int family; /* 0: all; AF_INET: both internet families */
    int level, name;
    int unset; /* what it says where nothing was set, and must not be set to */
};

/* clang-format off */
/* The place of a row is its index in image_options.values. */
static const struct option options[] = {
    { 0,        SOL_SOCKET,   SO_PRIORITY,       0 },
    { 0,        SOL_SOCKET,   SO_MARK,           0 },
    { 0,        SOL_SOCKET,   SO_RCVLOWAT,       1 },
    { 0,        SOL_SOCKET,   SO_PASSCRED,       0 },
    { 0,        SOL_SOCKET,   SO_TIMESTAMP,      0 },
    { AF_INET,  SOL_SOCKET,   SO_OOBINLINE,      0 },
    { AF_INET,  SOL_SOCKET,   SO_BUSY_POLL,      0 },
    { AF_INET,  SOL_SOCKET,   SO_DONTROUTE,      0 },
    { AF_INET,  IPPROTO_IP,   IP_TOS,            0 },
    { AF_INET,  IPPROTO_IP,   IP_TTL,           64 },
    { AF_INET,  IPPROTO_IP,   IP_MTU_DISCOVER,  -1 },
    { AF_INET6, IPPROTO_IPV6, IPV6_TCLASS,       0 },
    { AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64 },
    { AF_INET,  IPPROTO_TCP,  TCP_MAXSEG,      536 },
    { AF_INET,  IPPROTO_TCP,  TCP_NOTSENT_LOWAT, -1 },
    { AF_INET,  IPPROTO_TCP,  TCP_SYNCNT,        6 },
    { AF_INET,  IPPROTO_TCP,  TCP_LINGER2,      60 },
    { AF_INET,  IPPROTO_TCP,  TCP_WINDOW_CLAMP,  0 },
    { AF_INET,  IPPROTO_TCP,  TCP_SAVE_SYN,      0 },
    { AF_INET,  IPPROTO_TCP,  TCP_THIN_LINEAR_TIMEOUTS, 0 },
    { AF_INET,  IPPROTO_TCP,  TCP_CORK,          0 },
};
/* clang-format on */

#define NOPTIONS (sizeof options / sizeof options[0])
_Static_assert(NOPTIONS <= IMAGE_OPTIONS, "a place for each");

static bool
applies(const struct option *o, int family)
{
    return o->family == 0 || o->family == family ||
           (o->family == AF_INET && family == AF_INET6);
}

static int64_t
limit_of(int sock, int name)
{
    struct timeval t = { 0, 0 };
    socklen_t n = sizeof t;

    getsockopt(sock, SOL_SOCKET, name, &t, &n);
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

void
options_read(int sock, int family, struct image_options *out)
{
    struct linger l = { 0, 0 };
    socklen_t n = sizeof l;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < IMAGE_OPTIONS; i++) {
        out->values[i] = i < NOPTIONS && applies(&options[i], family)
                             ? repair_get(sock, options[i].level, options[i].name)
                             : -1;
        if (i < NOPTIONS && out->values[i] == options[i].unset)
            out->values[i] = -1;
    }
    getsockopt(sock, SOL_SOCKET, SO_LINGER, &l, &n);
    out->linger_on = l.l_onoff;
    out->linger_sec = l.l_linger;
    out->receive_us = limit_of(sock, SO_RCVTIMEO);
    out->send_us = limit_of(sock, SO_SNDTIMEO);
    n = sizeof out->congestion;
    if (family != AF_UNIX)
        getsockopt(sock, IPPROTO_TCP, TCP_CONGESTION, out->congestion, &n);
    out->congestion[sizeof out->congestion - 1] = '\0';
}

static int
set_limit(int sock, int name, int64_t us)
{
    struct timeval t = { us / 1000000, us % 1000000 };

    return us == 0 ? 0 : setsockopt(sock, SOL_SOCKET, name, &t, sizeof t);
}

int
options_write(int sock, int family, const struct image_options *o)
{
    struct linger l = { o->linger_on, o->linger_sec };

    for (size_t i = 0; i < NOPTIONS; i++)
        if (o->values[i] >= 0 && applies(&options[i], family) &&
            repair_get(sock, options[i].level, options[i].name) != o->values[i] &&
            repair_set(sock, options[i].level, options[i].name, o->values[i]) < 0)
            return -errno;
    if ((o->linger_on && setsockopt(sock, SOL_SOCKET, SO_LINGER, &l, sizeof l) < 0) ||
        set_limit(sock, SO_RCVTIMEO, o->receive_us) < 0 ||
        set_limit(sock, SO_SNDTIMEO, o->send_us) < 0 ||
        (o->congestion[0] && setsockopt(sock, IPPROTO_TCP, TCP_CONGESTION,
                                 o->congestion, (socklen_t)strlen(o->congestion)) < 0))
        return -errno;
    return 0;
}

const char *
options_refused(int sock, int family)
{
    char text[16] = "";
    socklen_t n = 0;

    if (getsockopt(sock, SOL_SOCKET, SO_GET_FILTER, NULL, &n) == 0 && n > 0)
        return "socket has a filter";
    n = sizeof text;
    if (getsockopt(sock, SOL_SOCKET, SO_BINDTODEVICE, text, &n) == 0 && n > 0)
        return "socket is bound to a device";
    n = sizeof text;
    if (family != AF_UNIX && getsockopt(sock, IPPROTO_TCP, TCP_ULP, text, &n) == 0 &&
        n > 0)
        return "TCP socket with a protocol of the kernel above it (kTLS)";
    if (family != AF_UNIX && repair_get(sock, IPPROTO_IP, IP_TRANSPARENT) > 0)
        return "socket for foreign addresses (IP_TRANSPARENT)";
    return NULL;
}
