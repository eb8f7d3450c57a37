/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_replay.c - whatever packets and logs bring, parsing, keeping and replaying
 * neither crash nor go on for ever.
 *
 * With libFuzzer: compile with -DWITH_LIBFUZZER -fsanitize=fuzzer,address.  Without,
 * main() runs a seeded loop: fuzz_replay [SEED [ROUNDS]]. */
#include "sockmig/core/births.h"
#include "sockmig/core/keep.h"
#include "sockmig/core/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOG_BYTES 65536u

static const struct births_conf births_conf = { 6, 3, 32, 2048 };
static const struct keep_conf keep_conf = { 8, 3, 2048 };
static const struct replay_sizes sizes = { 8, 16, 4096 };
static void *births_memory, *keep_memory, *replay_memory;
static uint8_t log_bytes[LOG_BYTES], scratch[KEEP_SCRATCH];
static uint8_t births[32 * BIRTHS_BLOCK];

static void
parse(const uint8_t *data, size_t size)
{
    static uint8_t copy[PACKET_MAX];
    struct packet pkt;

    if (size > sizeof copy || !packet_parse(&pkt, PACKET_IN, data, size))
        return;
    if (pkt.size > size || pkt.payload + pkt.payload_size > data + pkt.size)
        abort();
    memcpy(copy, data, size);
    packet_set_tsecr(copy, size, 7);
    if (!packet_complete(copy, size) || !packet_sound(copy, size))
        abort();
}

/* A standby joins: what it is given may be anything; what is made of a log is sound. */
static void
join(struct keep *k, const struct plog_ring *log)
{
    struct births *b = births_init(births_memory, &births_conf);
    struct births_succession s = { .as = 5, .keep = k, .made_again = true };
    struct plog_ring given;

    keep_births(k, log, scratch);
    births_log(b, &s, log, scratch);
    if (births_bytes(b) > sizeof births)
        abort();
    births_copy(b, births);
    plog_ring_init(&given, births, sizeof births, 0);
    given.end = births_bytes(b);
    if (!keep_births(k, &given, scratch))
        abort();
}

static void
run(struct replay *r, const uint8_t *data, size_t size)
{
    struct replay_effect e;
    struct mono now = { 0 };
    uint32_t effects = 0;

    for (int round = 0; round < 50; round++) {
        now.us += 100000;
        if (size > 0)
            replay_output(r, now, data, size > 200 ? 200 : size);
        while (replay_next(r, now, &e))
            if (++effects > 100000)
                abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plog_mark mark = { .number = 1, .in = 2, .out = 1 };
    struct plog_ring ring;
    struct replay_conf conf = { .log = &ring, .mark = mark, .stall_us = 1000 };
    struct keep *k;
    struct replay *r;
    const char *why;

    if (!keep_memory) {
        births_memory = malloc(births_size(&births_conf));
        keep_memory = malloc(keep_size(&keep_conf));
        replay_memory = malloc(replay_size(&sizes));
    }
    parse(data, size);
    plog_ring_init(&ring, log_bytes, LOG_BYTES, 0);
    if (!plog_ring_append(&ring, data, size))
        return 0;
    k = keep_init(keep_memory, &keep_conf);
    keep_begin(k);
    if (size % 4 == 1)
        join(k, &ring);
    keep_trim(k, &ring, &mark, scratch);
    conf.kept = keep_records(k);
    conf.mode = size % 2 ? REPLAY_FEED : REPLAY_COMPARE;
    conf.lost_max = 3;
    r = replay_init(replay_memory, &sizes);
    if (replay_start(r, &conf, (struct mono){ 0 }, &why))
        run(r, data + size / 2, size - size / 2);
    return 0;
}

#ifndef WITH_LIBFUZZER

static uint64_t seed = 1;

static uint32_t
random_below(uint32_t n)
{
    seed ^= seed << 13; /* xorshift64 */
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % n;
}

/* A log that is nearly right: few connections, numbers that fit each other. */
static size_t
make_log(uint8_t *out, size_t size)
{
    static const uint8_t flags[] = { TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK | TCP_FIN,
        TCP_RST };
    uint64_t in = 0, outs = 0;
    size_t n = 0;

    while (n + 400 < size && random_below(40) > 0) {
        struct flow_key key = { .version = random_below(2) ? 4 : 6,
            .protocol = PACKET_TCP,
            .local_port = 80,
            .remote_port = (uint16_t)random_below(12) };
        uint8_t p[PACKET_BUILT];
        struct plog_record rec = { .kind = PLOG_IN, .flags = 1, .payload = p };
        struct plog_output o = { .flow = key,
            .seq = 100 + random_below(3),
            .size = random_below(3),
            .tcp_flags = random_below(8),
            .ack = 101 };

        rec.size = (uint32_t)packet_ack(
            p, &key, PACKET_IN, 100 + random_below(3), 100 + random_below(4), 9);
        p[rec.size - 7] = flags[random_below(5)];
        rec.arg = in + 1;
        switch (random_below(5)) {
        case 0:
            n += plog_encode_output(out + n, n, ++outs, &o);
            break;
        case 1:
            n += plog_encode_release(out + n, n, in);
            break;
        case 2:
            n += plog_encode_cancel(out + n, n, in, in + random_below(2), 0);
            break;
        default:
            n += plog_encode(&rec, out + n, size - n);
            in++;
        }
    }
    return n;
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 60000;
    static uint8_t data[8192];

    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) | 1;
    for (unsigned i = 0; i < rounds; i++) {
        size_t n = make_log(data, sizeof data);
        uint32_t hits = random_below(4);

        while (n > 0 && hits-- > 0)
            data[random_below((uint32_t)n)] ^= (uint8_t)(1u << random_below(8));
        LLVMFuzzerTestOneInput(data, n);
        n = random_below(100);
        for (size_t b = 0; b < n; b++)
            data[b] = (uint8_t)random_below(256);
        data[0] = random_below(2) ? 0x45 : 0x60;
        parse(data, n);
    }
    printf("%u rounds\n", rounds);
    return 0;
}

#endif
