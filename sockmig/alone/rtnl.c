/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/rtnl.h"

#include "lib/fd.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 65536u

void
rtnl_begin(struct rtnl_message *m, uint16_t type, const void *body, size_t size)
{
    struct nlmsghdr h = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
        .nlmsg_type = type };

    memset(m, 0, sizeof *m);
    memcpy(m->bytes, &h, sizeof h);
    memcpy(m->bytes + NLMSG_HDRLEN, body, size);
    m->size = NLMSG_SPACE(size);
}

void
rtnl_put(struct rtnl_message *m, uint16_t type, const void *data, size_t size)
{
    struct rtattr a = { .rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = type };
    struct nlmsghdr h;

    assert(m->size + RTA_SPACE(size) <= sizeof m->bytes);
    memcpy(m->bytes + m->size, &a, sizeof a);
    memcpy(m->bytes + m->size + RTA_LENGTH(0), data, size);
    m->size += RTA_SPACE(size);
    memcpy(&h, m->bytes, sizeof h);
    h.nlmsg_len = (uint32_t)m->size;
    memcpy(m->bytes, &h, sizeof h);
}

void
rtnl_put32(struct rtnl_message *m, uint16_t type, uint32_t value)
{
    rtnl_put(m, type, &value, sizeof value);
}

bool
rtnl_keep(struct rtnl_message *m, const struct nlmsghdr *h, uint16_t type)
{
    struct nlmsghdr head = *h;

    if (h->nlmsg_len > sizeof m->bytes)
        return false;
    memset(m, 0, sizeof *m);
    memcpy(m->bytes, h, h->nlmsg_len);
    head.nlmsg_type = type;
    head.nlmsg_flags = 0;
    memcpy(m->bytes, &head, sizeof head);
    m->size = h->nlmsg_len;
    return true;
}

const void *
rtnl_find(const struct nlmsghdr *h, size_t body, uint16_t type, size_t size)
{
    const struct rtattr *a = (const struct rtattr *)((const uint8_t *)h +
                                                     NLMSG_SPACE(body));
    unsigned left = h->nlmsg_len > NLMSG_SPACE(body)
                        ? h->nlmsg_len - (unsigned)NLMSG_SPACE(body)
                        : 0;

    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == type && RTA_PAYLOAD(a) >= size)
            return RTA_DATA(a);
    return NULL;
}

int
rtnl_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), one = 1;

    if (fd < 0)
        return -errno;
    /* lists are of what was asked for only, and say it when they are not whole */
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
    return fd;
}

static ssize_t
receive(int fd, uint8_t *room)
{
    ssize_t n;

    do
        n = recv(fd, room, ANSWER_BYTES, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int
error_of(const struct nlmsghdr *h)
{
    const struct nlmsgerr *e = NLMSG_DATA(h);

    return h->nlmsg_len < NLMSG_LENGTH(sizeof *e) ? -EPROTO : e->error;
}

int
rtnl_say(int fd, const uint8_t *bytes, size_t size, uint16_t flags)
{
    _Alignas(8) uint8_t copy[RTNL_MAX], *room = malloc(ANSWER_BYTES);
    struct nlmsghdr head;
    ssize_t n = -ENOMEM;

    assert(size >= sizeof head && size <= sizeof copy);
    memcpy(copy, bytes, size);
    memcpy(&head, bytes, sizeof head);
    head.nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | NLM_F_ACK);
    head.nlmsg_seq = head.nlmsg_pid = 0;
    memcpy(copy, &head, sizeof head);
    if (room && send(fd, copy, size, 0) != (ssize_t)size)
        n = -errno;
    else if (room && (n = receive(fd, room)) >= (ssize_t)NLMSG_HDRLEN)
        n = error_of((const struct nlmsghdr *)room);
    free(room);
    return (int)n;
}

/* 1: there is more to come */
static int
each_of(const uint8_t *room, size_t size,
    int (*each)(const struct nlmsghdr *h, void *arg), void *arg)
{
    const struct nlmsghdr *h = (const struct nlmsghdr *)room;
    int ret = 0;

    for (; NLMSG_OK(h, size) && ret == 0; h = NLMSG_NEXT(h, size)) {
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
            return -EAGAIN;
        ret = h->nlmsg_type == NLMSG_ERROR ? error_of(h) : each(h, arg);
    }
    return ret < 0 ? ret : 1;
}

static size_t
fixed_part(uint16_t type)
{
    return type == RTM_GETADDR ? sizeof(struct ifaddrmsg) : sizeof(struct rtmsg);
}

int
rtnl_list(int fd, uint16_t type, int family,
    int (*each)(const struct nlmsghdr *h, void *arg), void *arg)
{
    uint8_t body[sizeof(struct rtmsg)] = { (uint8_t)family }, *room;
    struct rtnl_message m;
    struct nlmsghdr head;
    int ret = 1;

    rtnl_begin(&m, type, body, fixed_part(type));
    memcpy(&head, m.bytes, sizeof head);
    head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    memcpy(m.bytes, &head, sizeof head);
    room = malloc(ANSWER_BYTES);
    if (!room)
        return -ENOMEM;
    if (send(fd, m.bytes, m.size, 0) != (ssize_t)m.size)
        ret = -errno;
    while (ret == 1) {
        ssize_t n = receive(fd, room);

        ret = n < 0 ? (int)n : each_of(room, (size_t)n, each, arg);
    }
    free(room);
    return ret;
}
