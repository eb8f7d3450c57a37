/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: kernel net/netfilter/nfnetlink_queue.c. */
#include "sockmig/nfq.h"

#include "lib/fd.h"
#include "sockmig/gatens.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 32
#define MESSAGE_BYTES 70016 /* a GSO packet of 64 KB, its attributes, a spare */
#define META_BYTES 2048     /* the attributes alone */
#define COPY_RANGE 65531    /* the most the kernel takes */
#define RECEIVE_BYTES (64 << 20)
#define BATCHES_A_READ 128 /* then the loop gets its turn */

struct nfq {
    struct mnl_socket *nl; /* owned */
    int fd;                /* of nl */
    int proc;              /* owned: the queues' state, of the namespace */
    unsigned number;
    uint8_t *buffers; /* owned: BATCH messages */
    struct iovec iov[BATCH];
    struct mmsghdr messages[BATCH];
};

static struct nlmsghdr *
request(const struct nfq *q, void *buf, uint16_t type)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *nfg;

    nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
    nlh->nlmsg_flags = NLM_F_REQUEST;
    nfg = mnl_nlmsg_put_extra_header(nlh, sizeof *nfg);
    nfg->nfgen_family = AF_UNSPEC;
    nfg->version = NFNETLINK_V0;
    nfg->res_id = htons((uint16_t)q->number);
    return nlh;
}

/* Sends @nlh and waits for the kernel's answer.  0 or -errno. */
static int
acknowledged(struct nfq *q, struct nlmsghdr *nlh)
{
    char answer[1024];
    const struct nlmsghdr *reply = (void *)answer;
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(reply);
    ssize_t n;

    nlh->nlmsg_flags |= NLM_F_ACK;
    if (mnl_socket_sendto(q->nl, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    do {
        n = mnl_socket_recvfrom(q->nl, answer, sizeof answer);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n >= MNL_NLMSG_HDRLEN + sizeof *err &&
                   reply->nlmsg_type == NLMSG_ERROR
               ? err->error
               : -EPROTO;
}

/* In two messages: until the second, the kernel drops what it would queue, so that no
 * packet comes before the answer to the first. */
static int
bind_queue(struct nfq *q, unsigned maxlen, bool payload)
{
    struct nfqnl_msg_config_cmd bind = { .command = NFQNL_CFG_CMD_BIND };
    struct nfqnl_msg_config_params params = { htonl(payload ? COPY_RANGE : 0),
        payload ? NFQNL_COPY_PACKET : NFQNL_COPY_META };
    char buf[256];
    struct nlmsghdr *nlh = request(q, buf, NFQNL_MSG_CONFIG);
    int ret;

    /* GSO packets stay whole: cut to MTU size, bulk is 3.5 to 6 times slower. */
    mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof bind, &bind);
    mnl_attr_put_u32(nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(maxlen));
    mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
    mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
    ret = acknowledged(q, nlh);
    if (ret < 0)
        return ret;
    nlh = request(q, buf, NFQNL_MSG_CONFIG);
    mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof params, &params);
    return mnl_socket_sendto(q->nl, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

/* The socket and the state file belong to the namespace in which they are opened. */
static int
open_here(struct nfq *q, unsigned maxlen, bool payload)
{
    int size = RECEIVE_BYTES, on = 1, ret;

    q->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!q->nl)
        return -errno;
    q->fd = mnl_socket_get_fd(q->nl);
    if (mnl_socket_bind(q->nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(q->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
        setsockopt(q->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0)
        return -errno;
    ret = bind_queue(q, maxlen, payload);
    if (ret < 0)
        return ret;
    q->proc = open(
        "/proc/thread-self/net/netfilter/nfnetlink_queue", O_RDONLY | O_CLOEXEC);
    return q->proc < 0 ? -errno : 0;
}

static int
make_buffers(struct nfq *q, size_t each)
{
    q->buffers = aligned_alloc(64, BATCH * each);
    if (!q->buffers)
        return -ENOMEM;
    memset(q->buffers, 0, BATCH * each); /* faulted in now, not at the first burst */
    for (size_t i = 0; i < BATCH; i++) {
        q->iov[i] = (struct iovec){ q->buffers + i * each, each };
        q->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &q->iov[i],
            .msg_iovlen = 1 };
    }
    return 0;
}

int
nfq_open(int netns, unsigned number, unsigned maxlen, bool payload, struct nfq **out)
{
    struct nfq *q = calloc(1, sizeof *q);
    int back, ret;

    if (!q)
        return -ENOMEM;
    q->proc = -1;
    q->number = number;
    ret = make_buffers(q, payload ? MESSAGE_BYTES : META_BYTES);
    if (ret == 0)
        ret = gatens_enter(netns, &back);
    if (ret < 0)
        goto out;
    ret = open_here(q, maxlen, payload);
    gatens_leave(back);
    if (ret < 0)
        goto out;
    *out = q;
    q = NULL;
out:
    nfq_close(q);
    return ret;
}

void
nfq_close(struct nfq *q)
{
    if (!q)
        return;
    if (q->nl)
        mnl_socket_close(q->nl);
    fd_close(q->proc);
    free(q->buffers);
    free(q);
}

int
nfq_fd(const struct nfq *q)
{
    return q->fd;
}

/* False: @nlh holds no packet. */
static bool
parse(const struct nlmsghdr *nlh, struct captured *pkt)
{
    const struct nfqnl_msg_packet_hdr *head = NULL;
    const struct nlattr *attr;

    memset(pkt, 0, sizeof *pkt);
    if (nlh->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
        return false;
    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
    {
        switch (mnl_attr_get_type(attr)) {
        case NFQA_PACKET_HDR:
            head = mnl_attr_get_payload(attr);
            pkt->id = ntohl(head->packet_id);
            pkt->protocol = ntohs(head->hw_protocol);
            break;
        case NFQA_PAYLOAD:
            pkt->data = mnl_attr_get_payload(attr);
            pkt->size = mnl_attr_get_payload_len(attr);
            break;
        case NFQA_SKB_INFO:
            pkt->checksum_pending = ntohl(mnl_attr_get_u32(attr)) &
                                    NFQA_SKB_CSUMNOTREADY;
            break;
        default:
            break;
        }
    }
    return head != NULL;
}

/* What the kernel did not like about an earlier verdict.  -ENOENT says that nothing
 * was held up to that id, which is no error. */
static int
verdict_error(const struct nlmsghdr *nlh)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

    return nlh->nlmsg_type == NLMSG_ERROR && err->error != -ENOENT ? err->error : 0;
}

int
nfq_read(struct nfq *q, captured_cb *cb, void *arg)
{
    struct captured pkt;
    int packets = 0, error = 0;

    for (int batch = 0; batch < BATCHES_A_READ; batch++) {
        int n = recvmmsg(q->fd, q->messages, BATCH, MSG_DONTWAIT, NULL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != EAGAIN ? -errno : error ? error : packets;
        for (int i = 0; i < n; i++) {
            const struct nlmsghdr *nlh = q->messages[i].msg_hdr.msg_iov->iov_base;

            if (!mnl_nlmsg_ok(nlh, (int)q->messages[i].msg_len))
                continue;
            if (parse(nlh, &pkt)) {
                cb(&pkt, arg);
                packets++;
            } else if (verdict_error(nlh) < 0) {
                error = verdict_error(nlh);
            }
        }
        if (n < BATCH)
            break;
    }
    return error ? error : packets;
}

static int
verdict(struct nfq *q, uint16_t type, uint32_t what, uint32_t id)
{
    struct nfqnl_msg_verdict_hdr head = { htonl(what), htonl(id) };
    char buf[64];
    struct nlmsghdr *nlh = request(q, buf, type);

    mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof head, &head);
    return mnl_socket_sendto(q->nl, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

int
nfq_accept_upto(struct nfq *q, uint32_t id)
{
    return verdict(q, NFQNL_MSG_VERDICT_BATCH, NF_ACCEPT, id);
}

int
nfq_drop(struct nfq *q, uint32_t id)
{
    return verdict(q, NFQNL_MSG_VERDICT, NF_DROP, id);
}

int
nfq_drop_upto(struct nfq *q, uint32_t id)
{
    return verdict(q, NFQNL_MSG_VERDICT_BATCH, NF_DROP, id);
}

/* One line a queue: number, listener, held, copy mode, copy range, dropped, dropped
 * for want of room at the listener, last id, 1. */
static bool
parse_stat(const char *line, unsigned number, struct nfq_stat *out)
{
    unsigned queue;

    return sscanf(line, "%u %*u %u %*u %*u %u %u", &queue, &out->held, &out->dropped,
               &out->user_dropped) == 4 &&
           queue == number;
}

int
nfq_stat(struct nfq *q, struct nfq_stat *out)
{
    struct nfq_stat found = { 0 };
    char text[4096];
    ssize_t n = pread(q->proc, text, sizeof text - 1, 0);

    if (n < 0)
        return -errno;
    text[n] = '\0';
    for (const char *line = text; *line; line++) {
        if (parse_stat(line, q->number, &found)) {
            *out = found;
            return 0;
        }
        line = strchr(line, '\n');
        if (!line)
            break;
    }
    return -ENOENT;
}
