/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: kernel net/netfilter/nfnetlink.c, nf_tables_api.c. */
#include "sockmig/alone/silence_table.h"

#include "lib/fd.h"
#include "sockmig/alone/injector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_BYTES 1024u /* of one rule, with room to spare */
#define FEW 12u             /* messages besides those of ends */
#define IN "in"
#define OUT "out"

/* The messages of one transaction. */
struct batch {
    uint8_t *bytes; /* owned */
    size_t size;
    uint32_t sequence;
    bool failed; /* no memory */
};

/* ---- messages */

static bool
batch_begin(struct batch *b, unsigned n)
{
    *b = (struct batch){ .bytes = calloc(n, MESSAGE_BYTES) };
    if (!b->bytes)
        return false;
    b->size = nftnl_batch_begin((char *)b->bytes, b->sequence++)->nlmsg_len;
    return true;
}

static struct nlmsghdr *
open_message(struct batch *b, uint16_t type, uint16_t flags)
{
    return nftnl_nlmsg_build_hdr(
        (char *)b->bytes + b->size, type, NFPROTO_INET, flags, b->sequence++);
}

static void
close_message(struct batch *b, const struct nlmsghdr *h)
{
    b->size += NLMSG_ALIGN(h->nlmsg_len);
}

static void
add_table(struct batch *b, uint16_t type, const char *name)
{
    struct nftnl_table *t = nftnl_table_alloc();
    struct nlmsghdr *h;

    if (!t) {
        b->failed = true;
        return;
    }
    nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_INET);
    nftnl_table_set_str(t, NFTNL_TABLE_NAME, name);
    h = open_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);
    nftnl_table_nlmsg_build_payload(h, t);
    close_message(b, h);
    nftnl_table_free(t);
}

static void
add_chain(struct batch *b, const char *table, const char *name, uint32_t hook)
{
    struct nftnl_chain *c = nftnl_chain_alloc();
    struct nlmsghdr *h;

    if (!c) {
        b->failed = true;
        return;
    }
    nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, table);
    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
    nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
    nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, 0);
    h = open_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    nftnl_chain_nlmsg_build_payload(h, c);
    close_message(b, h);
    nftnl_chain_free(c);
}

/* ---- rules */

static struct nftnl_expr *
add_expr(struct batch *b, struct nftnl_rule *r, const char *name)
{
    struct nftnl_expr *e = nftnl_expr_alloc(name);

    if (e)
        nftnl_rule_add_expr(r, e);
    else
        b->failed = true;
    return e;
}

static void
add_compare(struct batch *b, struct nftnl_rule *r, const void *data, uint32_t size)
{
    struct nftnl_expr *e = add_expr(b, r, "cmp");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, size);
}

static void
match_meta(struct batch *b, struct nftnl_rule *r, enum nft_meta_keys key,
    const void *data, uint32_t size)
{
    struct nftnl_expr *e = add_expr(b, r, "meta");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
    add_compare(b, r, data, size);
}

static void
match_bytes(struct batch *b, struct nftnl_rule *r, enum nft_payload_bases base,
    uint32_t offset, const void *data, uint32_t size)
{
    struct nftnl_expr *e = add_expr(b, r, "payload");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, size);
    add_compare(b, r, data, size);
}

static void
add_verdict(struct batch *b, struct nftnl_rule *r, uint32_t verdict)
{
    struct nftnl_expr *e = add_expr(b, r, "immediate");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
}

/* NULL: out of memory, which @b knows. */
static struct nftnl_rule *
open_rule(struct batch *b, const char *table, const char *chain)
{
    struct nftnl_rule *r = nftnl_rule_alloc();

    if (!r) {
        b->failed = true;
        return NULL;
    }
    nftnl_rule_set_str(r, NFTNL_RULE_TABLE, table);
    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
    return r;
}

static void
close_rule(struct batch *b, struct nftnl_rule *r, uint32_t verdict)
{
    struct nlmsghdr *h;

    add_verdict(b, r, verdict);
    h = open_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    nftnl_rule_nlmsg_build_payload(h, r);
    close_message(b, h);
    nftnl_rule_free(r);
}

static void
add_injector(struct batch *b, const char *table)
{
    struct nftnl_rule *r = open_rule(b, table, IN);

    if (!r)
        return;
    /* a name that begins so: a number follows */
    match_meta(b, r, NFT_META_IIFNAME, INJECTOR_NAME, sizeof INJECTOR_NAME - 1);
    close_rule(b, r, NF_ACCEPT);
}

/* The address is the packet's destination where it comes in, its source on its way out.
 */
static void
add_end(
    struct batch *b, const char *table, const struct silence_end *e, const char *chain)
{
    static const uint8_t tcp = IPPROTO_TCP;
    const bool in = !strcmp(chain, IN), six = e->family == AF_INET6;
    const uint8_t family = six ? NFPROTO_IPV6 : NFPROTO_IPV4;
    const uint32_t source = six ? 8 : 12, length = six ? 16 : 4;
    struct nftnl_rule *r = open_rule(b, table, chain);

    if (!r)
        return;
    match_meta(b, r, NFT_META_NFPROTO, &family, sizeof family);
    if (!e->any)
        match_bytes(b, r, NFT_PAYLOAD_NETWORK_HEADER, in ? source + length : source,
            e->address, length);
    match_meta(b, r, NFT_META_L4PROTO, &tcp, sizeof tcp);
    match_bytes(
        b, r, NFT_PAYLOAD_TRANSPORT_HEADER, in ? 2 : 0, &e->port, sizeof e->port);
    close_rule(b, r, NF_DROP);
}

/* ---- the kernel */

static int
open_socket(size_t room)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    int size = (int)room;

    if (fd < 0)
        return errno == EPROTONOSUPPORT ? -EOPNOTSUPP : -errno;
    if (room > 65536)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return fd;
}

/* The kernel has worked it off when send() returns; of the first message that it did
 * not like there is an answer, and then nothing was done. */
static int
first_answer(int fd)
{
    _Alignas(struct nlmsghdr) uint8_t text[1024];
    struct nlmsghdr h;
    struct nlmsgerr err;
    ssize_t n = recv(fd, text, sizeof text, MSG_DONTWAIT);

    if (n < 0)
        return -errno;
    if ((size_t)n < NLMSG_LENGTH(sizeof err))
        return -EPROTO;
    memcpy(&h, text, sizeof h);
    memcpy(&err, text + NLMSG_HDRLEN, sizeof err);
    return h.nlmsg_type == NLMSG_ERROR ? err.error : 0;
}

static int
say(int fd, const void *data, size_t size)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    ssize_t n = sendto(
        fd, data, size, MSG_NOSIGNAL, (struct sockaddr *)&kernel, sizeof kernel);

    return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

/* All of it, or nothing.  The socket, or -errno. */
static int
commit(struct batch *b)
{
    int fd = b->failed ? -ENOMEM : open_socket(b->size), ret = fd;

    if (fd >= 0) {
        b->size += nftnl_batch_end((char *)b->bytes + b->size, b->sequence)->nlmsg_len;
        ret = say(fd, b->bytes, b->size);
    }
    if (ret == 0 && fd >= 0)
        ret = first_answer(fd);
    free(b->bytes);
    if (ret == -EAGAIN) /* no complaint */
        return fd;
    fd_close(fd);
    return ret < 0 ? ret : -EPROTO;
}

static int
commit_and_close(struct batch *b)
{
    int fd = commit(b);

    fd_close(fd);
    return fd < 0 ? fd : 0;
}

bool
silence_table_is_there(const char *name)
{
    struct batch b = { .bytes = calloc(1, MESSAGE_BYTES) };
    int fd = b.bytes ? open_socket(0) : -1;
    bool found = false;

    if (fd >= 0) {
        add_table(&b, NFT_MSG_GETTABLE, name);
        found = !b.failed && say(fd, b.bytes, b.size) == 0 && first_answer(fd) == 0;
    }
    fd_close(fd);
    free(b.bytes);
    return found;
}

int
silence_table_put(const struct silence *s, bool replace)
{
    const char *name = s->name;
    struct batch b;

    if (!batch_begin(&b, 2 * s->n + FEW))
        return -ENOMEM;
    add_table(&b, NFT_MSG_NEWTABLE, name);
    if (replace) {
        add_table(&b, NFT_MSG_DELTABLE, name);
        add_table(&b, NFT_MSG_NEWTABLE, name);
    }
    add_chain(&b, name, IN, NF_INET_LOCAL_IN);
    add_chain(&b, name, OUT, NF_INET_LOCAL_OUT);
    add_injector(&b, name);
    for (unsigned i = 0; i < s->n; i++) {
        add_end(&b, name, &s->ends[i], IN);
        if (!s->receive_only)
            add_end(&b, name, &s->ends[i], OUT);
    }
    return commit(&b);
}

static void
empty_chain(struct batch *b, const char *table, const char *name)
{
    struct nftnl_rule *r = open_rule(b, table, name);
    struct nlmsghdr *h;

    if (!r)
        return;
    h = open_message(b, NFT_MSG_DELRULE, 0); /* no number: all */
    nftnl_rule_nlmsg_build_payload(h, r);
    close_message(b, h);
    nftnl_rule_free(r);
}

int
silence_table_empty(const char *name)
{
    struct batch b;

    if (!batch_begin(&b, FEW))
        return -ENOMEM;
    empty_chain(&b, name, IN);
    empty_chain(&b, name, OUT);
    return commit(&b);
}

int
silence_table_drop(const char *name)
{
    struct batch b;

    if (!batch_begin(&b, FEW))
        return -ENOMEM;
    add_table(&b, NFT_MSG_DELTABLE, name);
    return commit_and_close(&b);
}
