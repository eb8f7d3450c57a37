/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_segment.c - TCP segments as the peer would have sent them. */
#include "sockmig/core/segment.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct row {
    const char *claim;
    int family;
    const char *from, *to;
    bool timestamps;
    uint32_t size;
    size_t length; /* of the packet; 0: none is made */
    uint8_t version;
};

static const struct row rows[] = {
    { "a bare IPv4 segment", AF_INET, "10.0.0.1", "10.0.0.2", false, 0, 40, 4 },
    { "timestamps take 12 bytes", AF_INET, "10.0.0.1", "10.0.0.2", true, 0, 52, 4 },
    { "odd data", AF_INET, "10.0.0.1", "10.0.0.2", false, 7, 47, 4 },
    { "IPv6", AF_INET6, "fd00::1", "fd00::2", true, 100, 172, 6 },
    { "a mapped pair is IPv4", AF_INET6, "::ffff:10.0.0.1", "::ffff:10.0.0.2", false, 1,
        41, 4 },
    { "a mixed pair is refused", AF_INET6, "::ffff:10.0.0.1", "fd00::2", false, 0, 0,
        0 },
    { "no address is refused", AF_UNIX, "", "", false, 0, 0, 0 },
};

static void
address(const struct row *r, const char *text, uint16_t port, uint8_t out[28])
{
    struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    uint16_t family = (uint16_t)r->family;

    memset(out, 0, 28);
    memcpy(out, &family, sizeof family);
    if (r->family == AF_INET6 && inet_pton(AF_INET6, text, &a6.sin6_addr))
        memcpy(out, &a6, sizeof a6);
    if (r->family == AF_INET && inet_pton(AF_INET, text, &a4.sin_addr))
        memcpy(out, &a4, sizeof a4);
}

/* One's complement sum of 16-bit words, as the receiver makes it. */
static uint32_t
add(uint32_t s, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return s;
}

START_TEST(build)
{
    const struct row *r = &rows[_i];
    uint8_t from[28], to[28], data[100], out[SEGMENT_HEADERS + 100];
    struct segment s = { .from = from,
        .to = to,
        .seq = 0xfffffffe,
        .ack = 7,
        .flags = SEGMENT_ACK | SEGMENT_FIN,
        .window = 1000,
        .timestamps = r->timestamps,
        .timestamp = 99,
        .echo = 98,
        .data = data,
        .size = r->size };
    size_t ip, n;
    uint32_t sum;

    memset(data, 0xa5, sizeof data);
    address(r, r->from, 80, from);
    address(r, r->to, 4000, to);
    n = segment_build(&s, out);
    ck_assert_msg(n == r->length, "%s: %zu bytes", r->claim, n);
    if (n == 0)
        return;
    ip = r->version == 4 ? 20 : 40;
    ck_assert_msg(out[0] >> 4 == r->version, "%s: version", r->claim);
    if (r->version == 4)
        ck_assert_msg(add(0, out, 20) == 0xffff, "%s: header checksum", r->claim);
    sum = add(6 + (uint32_t)(n - ip), out + (ip == 20 ? 12 : 8), ip == 20 ? 8 : 32);
    ck_assert_msg(add(sum, out + ip, n - ip) == 0xffff, "%s: checksum", r->claim);
    ck_assert_msg(memcmp(out + ip, "\0\120\17\240\377\377\377\376\0\0\0\7", 12) == 0,
        "%s: ports and numbers", r->claim);
    ck_assert_msg(out[ip + 13] == 17, "%s: flags", r->claim);
    ck_assert_msg(
        (out[ip + 12] >> 4) * 4u + r->size == n - ip, "%s: data offset", r->claim);
    ck_assert_msg(!r->timestamps ||
                      memcmp(out + ip + 20, "\1\1\10\12\0\0\0\143\0\0\0\142", 12) == 0,
        "%s: timestamp and echo", r->claim);
}
END_TEST

static const struct {
    const char *claim;
    struct row row;
} datagrams[] = {
    { "IPv4", { .family = AF_INET,
                  .from = "10.0.0.1",
                  .to = "10.0.0.2",
                  .size = 7,
                  .length = 35,
                  .version = 4 } },
    { "empty", { .family = AF_INET,
                   .from = "10.0.0.1",
                   .to = "10.0.0.2",
                   .length = 28,
                   .version = 4 } },
    { "IPv6", { .family = AF_INET6,
                  .from = "fd00::1",
                  .to = "fd00::2",
                  .size = 65527,
                  .length = 65575,
                  .version = 6 } },
    { "mapped", { .family = AF_INET6,
                    .from = "::ffff:10.0.0.1",
                    .to = "::ffff:10.0.0.2",
                    .size = 65507,
                    .length = 65535,
                    .version = 4 } },
    { "larger than IPv4 can say",
        { .family = AF_INET, .from = "10.0.0.1", .to = "10.0.0.2", .size = 65508 } },
    { "mixed", { .family = AF_INET6, .from = "::ffff:10.0.0.1", .to = "fd00::2" } },
};

START_TEST(build_datagram)
{
    static uint8_t data[65536], out[DATAGRAM_HEADERS + 65536];
    const struct row *r = &datagrams[_i].row;
    uint8_t from[28], to[28];
    struct datagram d = { .from = from, .to = to, .data = data, .size = r->size };
    size_t ip = r->version == 4 ? 20 : 40, n;
    uint32_t sum;

    memset(data, 0xa5, sizeof data);
    address(r, r->from, 80, from);
    address(r, r->to, 4000, to);
    n = datagram_build(&d, out);
    ck_assert_msg(n == r->length, "%s: %zu bytes", datagrams[_i].claim, n);
    if (n == 0)
        return;
    sum = add(17 + (uint32_t)(n - ip), out + (ip == 20 ? 12 : 8), ip == 20 ? 8 : 32);
    ck_assert_msg(
        add(sum, out + ip, n - ip) == 0xffff, "%s: checksum", datagrams[_i].claim);
    ck_assert_msg(
        memcmp(out + ip, "\0\120\17\240", 4) == 0, "%s: ports", datagrams[_i].claim);
    ck_assert_msg((out[ip + 4] << 8 | out[ip + 5]) == (int)(8 + r->size), "%s: length",
        datagrams[_i].claim);
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("build");

    ADD_ROWS(c, build, rows);
    ADD_ROWS(c, build_datagram, datagrams);
    return suite_run("segment", c, NULL);
}
