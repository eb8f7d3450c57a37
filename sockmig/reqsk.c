/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/reqsk.h"

#include "lib/fd.h"
#include "sockmig/bpf/reqsk.bpf.h" /* made from reqsk.bpf.c */
#include "sockmig/bpf/reqsk_map.h"
#include "sockmig/gatens.h"
#include "sockmig/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MSS_MIN_V4 536 /* net/core/filter.c: less is refused */
#define MSS_MIN_V6 1220
#define WSCALE_MAX 14

struct reqsk {
    struct program *program;    /* owned */
    int waiting, counts, words; /* maps; the program owns them */
    int netns;                  /* owned */
    int devices[2];             /* indices in the cell of rp0 and eth0; 0: none */
    bool is_armed;
};

_Static_assert(REQSK_MAX == REQSK_MAP_MAX, "as many as the map holds");
_Static_assert(sizeof(struct reqsk_counters) == REQSK_MAP_NCOUNTS * sizeof(uint64_t),
    "a row a counter");

static int
load(struct program **program)
{
    int ret = program_load("bascule_reqsk", reqsk_bpf_o, sizeof reqsk_bpf_o, program);

    return ret == -ESRCH ? -EOPNOTSUPP : ret;
}

static int
find_maps(struct reqsk *r)
{
    r->waiting = program_map(r->program, "reqsk_waiting");
    r->counts = program_map(r->program, "reqsk_counts");
    r->words = program_map(r->program, "reqsk_words");
    return r->waiting < 0 || r->counts < 0 || r->words < 0 ? -ENOENT : 0;
}

/* The kernel refuses to make what these say it would not agree on. */
static int
allow(void)
{
    static const char *const settings[] = { "ipv4/tcp_syncookies",
        "ipv4/tcp_timestamps", "ipv4/tcp_window_scaling", "ipv4/tcp_sack" };
    int ret = 0;

    for (unsigned i = 0; i < sizeof settings / sizeof settings[0] && ret == 0; i++)
        ret = gatens_sysctl(settings[i], "1");
    return ret == -ENOENT ? -EOPNOTSUPP : ret; /* no CONFIG_SYN_COOKIES */
}

static int
attach(struct reqsk *r)
{
    static const char *const names[] = { "rp0", "eth0" };
    int ret = 0;

    for (unsigned i = 0; i < 2 && ret == 0; i++) {
        int index = (int)if_nametoindex(names[i]);

        if (index == 0 && i == 0)
            return -ENODEV;
        if (index > 0)
            ret = program_attach(r->program, index, PROGRAM_INGRESS, "reqsk");
        if (index > 0 && ret == 0)
            r->devices[i] = index;
    }
    return ret;
}

int
reqsk_new(int netns, struct reqsk **out)
{
    struct reqsk *r = calloc(1, sizeof *r);
    int back, ret;

    if (!r)
        return -ENOMEM;
    r->netns = fcntl(netns, F_DUPFD_CLOEXEC, 0);
    ret = r->netns < 0 ? -errno : load(&r->program);
    if (ret == 0)
        ret = find_maps(r);
    if (ret == 0)
        ret = gatens_enter(netns, &back);
    if (ret < 0)
        goto out;
    ret = allow();
    if (ret == 0)
        ret = attach(r);
    gatens_leave(back);
    if (ret < 0)
        goto out;
    *out = r;
    r = NULL;
out:
    reqsk_free(r);
    return ret;
}

void
reqsk_free(struct reqsk *r)
{
    int back;

    if (!r)
        return;
    if (r->netns >= 0 && gatens_enter(r->netns, &back) == 0) {
        for (unsigned i = 0; i < 2; i++)
            if (r->devices[i] > 0)
                program_detach_all(r->devices[i]);
        gatens_leave(back);
    }
    program_free(r->program);
    fd_close(r->netns);
    free(r);
}

static struct reqsk_map_key
map_key(const struct reqsk_key *key)
{
    size_t n = key->family == AF_INET ? 4 : 16;
    struct reqsk_map_key k = { .version = key->family == AF_INET ? 4 : 6,
        .local_port = htons(key->local_port),
        .remote_port = htons(key->remote_port) };

    memcpy(k.local, key->local, n);
    memcpy(k.remote, key->remote, n);
    return k;
}

static bool
acceptable(const struct reqsk_key *key, const struct reqsk_attributes *a)
{
    uint16_t least = key->family == AF_INET ? MSS_MIN_V4 : MSS_MIN_V6;

    return (key->family == AF_INET || key->family == AF_INET6) && a->mss >= least &&
           (!a->wscale || (a->snd_wscale <= WSCALE_MAX && a->rcv_wscale <= WSCALE_MAX));
}

static uint32_t
map_flags(const struct reqsk_attributes *a)
{
    return (a->wscale ? REQSK_MAP_WSCALE : 0u) | (a->sack ? REQSK_MAP_SACK : 0u) |
           (a->ecn ? REQSK_MAP_ECN : 0u) | (a->timestamps ? REQSK_MAP_TIMESTAMPS : 0u) |
           (a->microseconds ? REQSK_MAP_MICROSECONDS : 0u);
}

/* While nothing waits, the program looks at no packet. */
static int
arm(struct reqsk *r, bool on)
{
    uint32_t row = REQSK_MAP_ARMED, value = on;
    int ret;

    if (r->is_armed == on)
        return 0;
    ret = program_store(r->words, &row, &value);
    if (ret == 0)
        r->is_armed = on;
    return ret;
}

int
reqsk_add(
    struct reqsk *r, const struct reqsk_key *key, const struct reqsk_attributes *a)
{
    struct reqsk_map_key k = map_key(key);
    struct reqsk_map_value v = { .remote_isn = a->remote_isn,
        .local_isn = a->local_isn,
        .remote_ts = a->remote_ts,
        .local_ts = a->local_ts,
        .mss = a->mss,
        .snd_wscale = a->wscale ? a->snd_wscale : 0,
        .rcv_wscale = a->wscale ? a->rcv_wscale : 0,
        .flags = map_flags(a) };
    int ret;

    if (!acceptable(key, a))
        return -EINVAL;
    ret = program_store(r->waiting, &k, &v);
    return ret < 0 ? ret : arm(r, true);
}

void
reqsk_shut(struct reqsk *r, bool shut)
{
    uint32_t row = REQSK_MAP_SHUT, value = shut ? (uint32_t)r->devices[1] : 0;

    program_store(r->words, &row, &value); /* of an array: it cannot fail */
}

bool
reqsk_waits(const struct reqsk *r, const struct reqsk_key *key)
{
    struct reqsk_map_key k = map_key(key);
    struct reqsk_map_value v;

    return program_load_value(r->waiting, &k, &v) == 0;
}

unsigned
reqsk_remove(struct reqsk *r, const struct reqsk_key *key)
{
    struct reqsk_map_key k = map_key(key);

    return program_drop(r->waiting, &k) == 0;
}

unsigned
reqsk_clear(struct reqsk *r)
{
    struct reqsk_map_key k;
    unsigned n = 0;

    /* Each is the first one left; the program may take it away meanwhile. */
    while (program_first_key(r->waiting, &k) == 0)
        n += program_drop(r->waiting, &k) == 0;
    arm(r, false);
    return n;
}

void
reqsk_counters(const struct reqsk *r, struct reqsk_counters *out)
{
    uint64_t rows[REQSK_MAP_NCOUNTS] = { 0 };

    for (uint32_t i = 0; i < REQSK_MAP_NCOUNTS; i++)
        program_load_value(r->counts, &i, &rows[i]);
    memcpy(out, rows, sizeof *out);
}

int
reqsk_check(void)
{
    struct program *p = NULL;
    int ret = load(&p);

    program_free(p);
    return ret;
}
