/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_test.c - the multicast channel over real sockets: n1 sends to n2..n4, each in a
 * network namespace of its own, by group and by list, IPv4 and IPv6, with and without
 * loss; what an attacker can send; a standby that stops and comes back. */
#include "tests/scenario/mcast_lab.h"

#include "sockmig/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING (1u << 20)
#define TOTAL (8u << 20)
#define SET 0xeu /* n2, n3, n4 */
#define LIMIT_MS 20000

struct node {
    struct mcast *m;
    uint64_t session;
    uint64_t checked;
    unsigned wrong; /* bytes */
};

struct test {
    struct mcast_lab lab;
    struct loop *loop;
    struct loop_timer *timer;
    struct node nodes[LAB_NODES + 1]; /* by id */
    uint64_t epoch, reign, stable, target;
    unsigned late, caught_up, lost; /* masks of ids */
    unsigned failures;
    unsigned without_aes; /* id */
    bool (*done)(struct test *);
    int64_t until_us;
};

static void
check(struct test *t, bool ok, const char *what)
{
    printf("%s: %s\n", ok ? "ok" : "FAIL", what);
    t->failures += !ok;
}

static uint8_t
byte_at(uint64_t position)
{
    return (uint8_t)((position + 1) * 0x9e3779b97f4a7c15u >> 56);
}

/* ---- the active node ---- */

static void
feed(struct test *t)
{
    struct mcast *m = t->nodes[1].m;
    uint8_t bytes[3000];
    uint64_t lsn = mcast_head(m);

    while (lsn < t->target) {
        size_t n = 1 + lsn % sizeof bytes;
        struct rmcast_bytes piece = { bytes, n };

        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(lsn + i);
        if (!mcast_append(m, &piece, 1, &lsn))
            break; /* stable makes room */
    }
    mcast_flush(m);
}

static void
on_stable(void *arg, uint64_t lsn)
{
    struct test *t = arg;

    t->stable = lsn;
    mcast_trim(t->nodes[1].m, lsn);
    feed(t);
}

static void
on_late(void *arg, unsigned node)
{
    ((struct test *)arg)->late |= 1u << node;
}

static void
on_caught_up(void *arg, unsigned node)
{
    ((struct test *)arg)->caught_up |= 1u << node;
}

static void
on_lost(void *arg, unsigned node)
{
    ((struct test *)arg)->lost |= 1u << node;
}

static void
on_nothing(void *arg, uint64_t have)
{
    (void)arg;
    (void)have;
}

static const struct mcast_calls active_calls = { on_stable, on_late, on_caught_up,
    on_lost, on_nothing };

/* ---- a standby ---- */

static void
on_received(void *arg, uint64_t have)
{
    struct node *n = arg;
    struct mcast_log log = mcast_log_received(n->m);

    for (; n->checked < have; n->checked++)
        n->wrong += log.ring[n->checked & (log.size - 1)] != byte_at(n->checked);
    if (have - log.low > RING / 4)
        mcast_forget(n->m, have);
}

static const struct mcast_calls standby_calls = { .received = on_received };

/* ---- time ---- */

static void
look(struct loop_timer *timer, void *arg)
{
    struct test *t = arg;

    if (t->done(t) || mono_clock().us > t->until_us)
        loop_stop(t->loop);
    else
        loop_timer_in_ms(timer, 1);
}

static bool
wait_for(struct test *t, bool (*done)(struct test *))
{
    t->done = done;
    t->until_us = mono_clock().us + LIMIT_MS * 1000;
    loop_timer_in_ms(t->timer, 0);
    loop_run(t->loop);
    return done(t);
}

static bool
all_stable(struct test *t)
{
    /* the last record may end behind the target, in a datagram of its own */
    return t->stable >= t->target && t->stable == mcast_head(t->nodes[1].m);
}

static bool
is_late(struct test *t)
{
    return t->late != 0;
}

static bool
is_back(struct test *t)
{
    return t->caught_up != 0;
}

/* ---- the parts ---- */

static void
follow(struct test *t, unsigned id)
{
    struct node *n = &t->nodes[id];

    seal_random(&n->session, sizeof n->session);
    n->checked = t->stable;
    mcast_follow(n->m, 1, t->epoch, t->reign, n->session, t->stable);
    check(t, mcast_join(t->nodes[1].m, id, n->session, t->stable), "a standby joins");
}

static void
begin(struct test *t, enum lab_way way)
{
    lab_way(&t->lab, way);
    t->epoch++;
    seal_random(&t->reign, sizeof t->reign);
    t->stable = t->target = 0;
    t->nodes[1].m = lab_open(&t->lab, 1, t->loop, &active_calls, t, RING);
    mcast_reign(t->nodes[1].m, t->epoch, t->reign);
    for (unsigned i = 2; i <= LAB_NODES; i++) {
        t->lab.no_aes = i == t->without_aes;
        t->nodes[i].m = lab_open(
            &t->lab, i, t->loop, &standby_calls, &t->nodes[i], RING);
        t->nodes[i].wrong = 0;
        follow(t, i);
    }
    t->lab.no_aes = false;
    mcast_set(t->nodes[1].m, SET);
}

static void
end(struct test *t)
{
    for (unsigned i = 1; i <= LAB_NODES; i++)
        mcast_close(t->nodes[i].m);
}

static unsigned
wrong_bytes(const struct test *t)
{
    unsigned n = 0;

    for (unsigned i = 2; i <= LAB_NODES; i++)
        n += t->nodes[i].wrong + (t->nodes[i].checked != t->target);
    return n;
}

static void
pass_on(struct test *t, enum lab_way way, unsigned loss)
{
    struct mcast_stats s, r;

    printf("--- %s, %u %% lost\n", lab_way_name(way), loss);
    begin(t, way);
    for (unsigned i = 1; i <= LAB_NODES; i++)
        lab_loss(&t->lab, i, loss);
    t->target = mcast_head(t->nodes[1].m) + TOTAL / (loss ? 4 : 1);
    feed(t);
    check(t, wait_for(t, all_stable), "everything becomes stable");
    t->target = mcast_head(t->nodes[1].m);
    check(t, wrong_bytes(t) == 0, "every standby has the very bytes");
    mcast_stats(t->nodes[1].m, &s);
    mcast_stats(t->nodes[2].m, &r);
    printf("%lu datagrams, %lu repairs, %lu probes, %lu calls out; n2: %lu calls in, "
           "%lu duplicates\n",
        s.tx.datagrams, s.tx.repairs, s.tx.probes, s.calls_out, r.calls_in,
        r.rx.duplicates);
    check(t,
        !s.forged && !r.forged && !s.malformed && !r.malformed && !s.strangers &&
            !r.strangers,
        "nothing of ours is taken for foreign");
    check(t, loss ? s.tx.repairs > 0 : s.calls_out < s.tx.datagrams,
        loss ? "what was lost was repaired"
             : "a system call carries several datagrams");
    for (unsigned i = 1; i <= LAB_NODES; i++)
        lab_loss(&t->lab, i, 0);
    end(t);
}

/* ---- an attacker on n4, who knows all but the secret ---- */

static int
attacker(struct test *t)
{
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
    struct sockaddr_storage to;
    socklen_t size;

    netlab_enter(t->lab.ns[4]);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    netlab_enter(before);
    close(before);
    address_of_mcast(
        &t->lab.conf, &t->lab.conf.services[0], &t->lab.conf.nodes[1], &to, &size);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, size) < 0)
        perror("attacker");
    return fd;
}

/* A beat as n1 would send it; sealed for @epoch. */
static size_t
forge(struct test *t, uint64_t epoch, uint64_t counter, uint8_t *out)
{
    struct rmcast_head head = { RMCAST_DATA, SEAL_XCHACHA20, 1, epoch, t->reign,
        counter };
    struct rmcast_data data = { 0 };
    struct seal_channel key;
    struct writer w = writer_init(out, RMCAST_HEAD + RMCAST_DATA_BODY);

    seal_channel_init(
        &key, &t->lab.secret, SEAL_XCHACHA20, "mcast", 1, 0, "echo", epoch, t->reign);
    rmcast_put_head(&w, &head);
    rmcast_put_data(&w, &data);
    seal_channel_put(&key, counter, out, RMCAST_HEAD, out + RMCAST_HEAD,
        RMCAST_DATA_BODY, out + RMCAST_HEAD);
    return w.pos + SEAL_TAG;
}

static struct mcast_stats attacked; /* before */

static bool
all_counted(struct test *t)
{
    struct mcast_stats s;

    mcast_stats(t->nodes[2].m, &s);
    return s.malformed >= attacked.malformed + 2 && s.forged >= attacked.forged + 2 &&
           s.old_epoch > attacked.old_epoch && s.replayed > attacked.replayed;
}

static void
attack(struct test *t)
{
    uint8_t d[200];
    size_t n;
    int fd;

    printf("--- an attacker\n");
    begin(t, LAB_V4_GROUP);
    t->target = 100000;
    feed(t);
    check(t, wait_for(t, all_stable), "everything becomes stable");
    mcast_stats(t->nodes[2].m, &attacked);
    fd = attacker(t);
    n = forge(t, t->epoch, 1u << 20, d);
    check(t, send(fd, d, 20, 0) == 20, "a piece of a head");
    check(t, send(fd, d, RMCAST_HEAD + 3, 0) > 0, "a head without a seal");
    check(t, send(fd, d, n - 5, 0) > 0, "a truncated one");
    d[RMCAST_HEAD + 2] ^= 1;
    check(t, send(fd, d, n, 0) > 0, "a changed one");
    d[RMCAST_HEAD + 2] ^= 1;
    check(t, send(fd, d, n, 0) > 0 && send(fd, d, n, 0) > 0, "a replay of a true one");
    n = forge(t, t->epoch - 1, 1u << 21, d);
    check(t, send(fd, d, n, 0) > 0, "one of the epoch before");
    check(t, wait_for(t, all_counted), "each is counted as what it is");
    close(fd);
    end(t);
}

static void
mixed(struct test *t)
{
    struct mcast_stats s;

    printf("--- n3 has no AES\n");
    t->without_aes = 3;
    begin(t, LAB_V4_GROUP);
    t->without_aes = 0;
    mcast_stats(t->nodes[1].m, &s);
    check(t, s.aes || !seal_has_aes(), "the reign begins with it if it can");
    t->target = 1u << 20;
    feed(t);
    check(t, wait_for(t, all_stable), "everything becomes stable");
    t->target = mcast_head(t->nodes[1].m);
    check(t, wrong_bytes(t) == 0, "every standby has the very bytes");
    mcast_stats(t->nodes[1].m, &s);
    check(t, !s.aes, "the reign goes on without");
    end(t);
}

/* ---- a standby that stops ---- */

static void
silence(struct test *t)
{
    printf("--- a standby stops and comes back\n");
    begin(t, LAB_V4_GROUP);
    t->target = 100000;
    feed(t);
    check(t, wait_for(t, all_stable), "everything becomes stable");
    t->late = t->caught_up = 0;
    mcast_rest(t->nodes[3].m);
    t->target += 50000;
    feed(t);
    check(t, wait_for(t, is_late) && t->late == 1u << 3, "who is silent is reported");
    check(t, t->stable < t->target, "and is waited for");
    mcast_set(t->nodes[1].m, SET & ~4u);
    check(t, wait_for(t, all_stable), "until the view takes it out");
    mcast_leave(t->nodes[1].m, 3);
    t->caught_up = 0;
    follow(t, 3);
    check(t, wait_for(t, is_back) && t->caught_up == 1u << 3, "it comes back");
    mcast_set(t->nodes[1].m, SET);
    t->target += 50000;
    feed(t);
    check(t, wait_for(t, all_stable) && mcast_covered(t->nodes[1].m, SET, t->target),
        "and is in the set again");
    check(t, t->lost == 0, "nobody is lost");
    end(t);
}

int
main(void)
{
    static struct test t;

    lab_new(&t.lab);
    t.epoch = 6;
    t.loop = loop_new();
    t.timer = loop_timer_new(t.loop, look, &t);
    for (int way = 0; way < LAB_WAYS; way++)
        for (unsigned loss = 0; loss <= 10; loss += 10)
            pass_on(&t, (enum lab_way)way, loss);
    attack(&t);
    mixed(&t);
    silence(&t);
    loop_timer_free(t.timer);
    loop_free(t.loop);
    printf("%u failures\n", t.failures);
    return t.failures ? 1 : 0;
}
