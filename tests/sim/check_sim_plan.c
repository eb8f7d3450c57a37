/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_plan.c - orders, wishes, placement and the planner in whole simulated
 * clusters: storms by seed, planted mistakes that they must find, and what must be true
 * when a storm is over.
 *
 *   check_sim_plan FROM TO   run these seeds and print the first that fails */
#include "tests/sim/plan_world.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 200
#define BATCH 50
#define MUTANT_SEEDS 200

static struct world w;

/* Promises, checked after each step of a member. */

static bool
moving(const struct service *s)
{
    return s->state == SERVICE_TAKING || s->state == SERVICE_CLAIMED ||
           (s->r.phase == SERVICE_DOWN && s->r.kept);
}

static void
set_mark(uint64_t *marks, uint64_t bit, bool on)
{
    *marks = on ? *marks | bit : *marks & ~bit;
}

/* An order was begun: what the promises are judged by. */
static void
note_order(struct world_marks *k, const struct effect *e)
{
    uint64_t bit = node_bit(e->node);
    bool on = e->msg.value;

    if (e->msg.what == WHAT_DRAIN || e->msg.what == WHAT_RESUME)
        set_mark(&k->drained, bit, e->msg.what == WHAT_DRAIN);
    else if (e->msg.what == WHAT_MAINTENANCE && e->service == NO_SERVICE)
        set_mark(&k->maintained, bit, on);
    else if (e->msg.what == WHAT_FREEZE && e->service == NO_SERVICE)
        set_mark(&k->frozen, bit, on);
    else if (e->msg.what == WHAT_MAINTENANCE)
        k->hands_off[e->service] = on;
    else if (e->msg.what == WHAT_FREEZE)
        k->stays[e->service] = on;
}

/* A move that was begun, as this member recorded it. */
static void
check_move(unsigned node, const struct effect *e)
{
    const struct member *m = &w.node[node].core;
    const struct service *s = &m->services[e->service];
    const struct world_marks *k = &w.node[node].marks;
    uint64_t to = node_bit(e->node), marks = 1 | node_bit(s->r.active);
    const char *why = order_why_name(e->msg.why);

    if (w.p[e->service].never & to)
        world_break(&w, "%s: moved to a node it must never run on", why);
    if (k->hands_off[e->service] || k->maintained & (marks | to))
        world_break(&w, "%s: moved in maintenance", why);
    if (e->msg.why == WHY_OPERATOR)
        return;
    if ((k->drained | s->wish.w.held) & to)
        world_break(&w, "%s: moved to a last resort", why);
    if (e->msg.why != WHY_DRAIN && (k->frozen & marks || k->stays[e->service]))
        world_break(&w, "%s: moved though frozen", why);
    if (e->msg.why == WHY_DRAIN && !(k->drained & marks))
        world_break(&w, "%s: moved from a node that is not drained", why);
    for (unsigned i = 0; i < m->nservices; i++)
        if (i != e->service && moving(&m->services[i]) &&
            m->services[i].order.step == STEP_TAKEOVER)
            world_break(&w, "%s: two moves at once", why);
    if (w.quiet)
        world_break(&w, "%s: moved again after all is well", why);
}

static void
check_rate(unsigned node, const struct effect *e)
{
    if (node_bit(node) !=
        (world_member(&w)->cluster.members & -world_member(&w)->cluster.members))
        return; /* each is told; one counts */
    w.moves[e->msg.why]++;
    if (e->msg.why != WHY_BALANCE)
        return;
    if (w.balanced != INT64_MIN && w.now - w.balanced < 19000000)
        world_break(&w, "balance: moved %d ms after the last one",
            (int)((w.now - w.balanced) / 1000));
    w.balanced = w.now;
}

static void
check_claim(unsigned node, const struct effect *e)
{
    const struct member *m = &w.node[node].core;
    const struct service *s = &m->services[e->service];
    const struct world_marks *k = &w.node[node].marks;
    uint64_t marks = 1 | node_bit(s->r.active);

    if (e->r.mode == MODE_RESUME)
        return;
    if ((k->hands_off[e->service] || k->maintained & marks) &&
        !(s->r.phase == SERVICE_DOWN && s->r.kept))
        world_break(&w, "claimed in maintenance");
    if (k->maintained & node_bit(e->node))
        world_break(&w, "claimed by a node in maintenance");
}

static bool
same_marks(const struct wish *a, const struct wish *b)
{
    return a->drained == b->drained && a->maintained == b->maintained &&
           a->frozen == b->frozen && a->policy == b->policy &&
           a->interval_ms == b->interval_ms;
}

void
world_check(struct world *v, unsigned node, const struct effects *out)
{
    bool ordered = false, merging = false;

    for (unsigned i = 0; i < out->n; i++) {
        const struct effect *e = &out->v[i];

        merging |= e->what == DO_PERSIST; /* a merge keeps wishes without an order */
        if (e->what == DO_JOURNAL && e->journal == JOURNAL_CLAIM)
            check_claim(node, e);
        if (e->what == DO_JOURNAL && e->journal == JOURNAL_HELD)
            v->held++;
        if (e->what == DO_JOURNAL &&
            (e->journal == JOURNAL_ORDER || e->journal == JOURNAL_ORDER_FAILED))
            ordered = true;
        if (e->what == DO_JOURNAL && e->journal == JOURNAL_ORDER_DONE)
            v->orders_done++;
        if (e->what == DO_JOURNAL && e->journal == JOURNAL_ORDER)
            note_order(&v->node[node].marks, e);
        if (e->what == DO_JOURNAL && e->journal == JOURNAL_ORDER &&
            e->msg.what == WHAT_SWITCHOVER) {
            check_move(node, e);
            check_rate(node, e);
        }
        if (e->what == DO_ENGINE && e->op <= ENGINE_TAKEOVER &&
            v->p[e->service].never & node_bit(node))
            world_break(v, "started on a node it must never run on");
        if (e->what == DO_KEEP && !ordered && !merging &&
            !same_marks(&e->msg.w,
                &v->node[node]
                     .wishes[e->service == NO_SERVICE ? WORLD_SERVICES : e->service]) &&
            e->msg.w.author == node)
            world_break(v, "P6: a wish is kept before the journal knows the order");
    }
}

/* Storms. */

static void
prefer(struct placement *p)
{
    p->preferred = 1 + (unsigned)world_random(&w, w.n - 1);
    p->failback = true;
    p->failback_us = 3000000;
}

static void
constrain(void)
{
    for (unsigned i = 0; i < WORLD_SERVICES; i++) {
        struct placement *p = &w.p[i];

        switch (world_random(&w, 5)) {
        case 0:
            p->never = node_bit(1 + (unsigned)world_random(&w, w.n - 1));
            break;
        case 1:
            prefer(p);
            break;
        case 2:
            p->balance = true;
            break;
        case 3:
            p->apart = (uint64_t)1 << ((i + 1) % WORLD_SERVICES);
            w.p[(i + 1) % WORLD_SERVICES].apart |= (uint64_t)1 << i;
            if (world_random(&w, 2))
                prefer(p);
            break;
        default:
            break;
        }
    }
}

static void
trouble(void)
{
    unsigned node = 1 + (unsigned)world_random(&w, w.n - 1);
    unsigned service = (unsigned)world_random(&w, WORLD_SERVICES), up = 0;
    enum order_what what = (enum order_what)world_random(&w, WHAT_N);
    bool of_node = what == WHAT_DRAIN || what == WHAT_RESUME ||
                   ((what == WHAT_MAINTENANCE || what == WHAT_FREEZE) &&
                       world_random(&w, 2));

    for (unsigned i = 1; i < w.n; i++)
        up += w.node[i].up;
    switch (world_random(&w, 8)) {
    case 0:
        if (up > w.n / 2)
            world_crash(&w, node);
        break;
    case 1:
    case 2:
        world_boot(&w, node);
        break;
    case 3:
        world_fail(&w, service);
        break;
    case 4:
        world_health(&w, node, (enum health)world_random(&w, HEALTH_N));
        break;
    default:
        world_order(&w, what, of_node ? NO_SERVICE : service,
            of_node || what == WHAT_SWITCHOVER || what == WHAT_CLEAR
                ? (unsigned)world_random(&w, 5) ? node : 0
                : 0,
            (uint32_t)world_random(&w, 4));
    }
}

static void
take_all_back(void)
{
    const struct wish *all = &world_member(&w)->cluster.wish.w;

    for (unsigned i = 0; i < w.n; i++) {
        if (i && all->drained & node_bit(i))
            world_order(&w, WHAT_RESUME, NO_SERVICE, i, 0);
        if (all->maintained & node_bit(i))
            world_order(&w, WHAT_MAINTENANCE, NO_SERVICE, i, 0);
        if (all->frozen & node_bit(i))
            world_order(&w, WHAT_FREEZE, NO_SERVICE, i, 0);
    }
    for (unsigned i = 0; i < WORLD_SERVICES; i++) {
        const struct wish *wish = &world_member(&w)->services[i].wish.w;

        if (wish->maintained)
            world_order(&w, WHAT_MAINTENANCE, i, 0, 0);
        if (wish->frozen)
            world_order(&w, WHAT_FREEZE, i, 0, 0);
    }
}

static void
all_is_well(void)
{
    for (unsigned i = 0; i < WORLD_SERVICES; i++) {
        const struct placement *p = &w.p[i];
        unsigned node = world_active(&w, i);
        bool yields = p->apart & (((uint64_t)1 << i) - 1);

        if (!node)
            world_break(&w, "live: service %u is not active", i);
        if (p->never & node_bit(node))
            world_break(&w, "live: service %u is where it must never be", i);
        if (p->failback && !yields && (!p->apart || w.n > 4) && node != p->preferred)
            world_break(&w, "live: service %u did not fall back", i);
        for (unsigned k = 0; k < i && w.n > 4; k++)
            if (p->apart >> k & 1 && node == world_active(&w, k))
                world_break(&w, "live: services %u and %u are not apart", i, k);
        if (world_member(&w)->services[i].wish.w.held)
            world_break(&w, "live: failures of service %u are not forgotten", i);
    }
}

static bool
run_seed(uint64_t seed, const struct world_mutant *mutant)
{
    world_init(&w, seed % 3 ? 3 : 5, seed);
    w.mutant = mutant;
    constrain();
    for (unsigned i = 1; i < w.n; i++)
        world_boot(&w, i);
    world_run_ms(&w, 4000);
    for (unsigned i = 0; i < 50 && !w.broken[0]; i++) {
        trouble();
        world_run_ms(&w, (int64_t)world_random(&w, world_random(&w, 3) ? 500 : 6000));
    }
    for (unsigned i = 1; i < w.n; i++) {
        world_boot(&w, i);
        world_health(&w, i, HEALTH_OK);
    }
    for (unsigned i = 0; i < 3 && !w.broken[0]; i++) {
        take_all_back();
        world_run_ms(&w, 2000);
    }
    world_run_ms(&w, 150000);
    if (!w.broken[0])
        all_is_well();
    w.quiet = true; /* and it stays so: no service is moved to and fro */
    world_run_ms(&w, 60000);
    return !w.broken[0];
}

START_TEST(storm)
{
    for (uint64_t seed = (uint64_t)_i * BATCH; seed < (uint64_t)(_i + 1) * BATCH;
         seed++)
        ck_assert_msg(
            run_seed(seed, NULL), "seed %lu: %s", (unsigned long)seed, w.broken);
    world_fini(&w);
}
END_TEST

START_TEST(mutant_is_found)
{
    bool found = false;
    uint64_t seed;

    for (seed = 0; seed < MUTANT_SEEDS && !found; seed++)
        found = !run_seed(seed, &world_mutants[_i]);
    if (getenv("SIM_VERBOSE"))
        printf("%s: seed %lu: %s\n", world_mutants[_i].name, (unsigned long)seed - 1,
            w.broken);
    ck_assert_msg(found, "%s: not found", world_mutants[_i].name);
    world_fini(&w);
}
END_TEST

/* Stories. */

static void
begin(void)
{
    world_init(&w, 3, 5);
}

static void
boot_all(void)
{
    for (unsigned i = 1; i < w.n; i++)
        world_boot(&w, i);
    world_run_ms(&w, 5000);
}

START_TEST(a_drained_node_is_emptied_and_stays_empty)
{
    begin();
    boot_all();
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        ck_assert_uint_eq(world_active(&w, i), 1);
    world_order(&w, WHAT_DRAIN, NO_SERVICE, 1, 0);
    world_run_ms(&w, 6000);
    ck_assert_str_eq(w.broken, "");
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        ck_assert_uint_ne(world_active(&w, i), 1);
    ck_assert_uint_eq(w.moves[WHY_DRAIN], WORLD_SERVICES);
    ck_assert_msg(!world_member(&w)->cluster.drain_order[1], "the order has not ended");
    world_fail(&w, 0);
    world_run_ms(&w, 6000);
    ck_assert_msg(world_active(&w, 0) > 1, "taken over by the drained node");
    world_fini(&w);
}
END_TEST

START_TEST(a_degraded_node_is_left_before_it_fails)
{
    begin();
    boot_all();
    world_health(&w, 1, HEALTH_DEGRADED);
    world_run_ms(&w, 8000);
    ck_assert_str_eq(w.broken, "");
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        ck_assert_uint_ne(world_active(&w, i), 1);
    ck_assert_uint_eq(w.moves[WHY_HEALTH], WORLD_SERVICES);
    world_fini(&w);
}
END_TEST

START_TEST(load_is_evened_out_and_then_left_alone)
{
    begin();
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        w.p[i].balance = true;
    boot_all();
    world_run_ms(&w, 100000);
    ck_assert_str_eq(w.broken, "");
    ck_assert_msg(w.moves[WHY_BALANCE] == 2, "%u moves", w.moves[WHY_BALANCE]);
    w.quiet = true; /* 400 | 300 | 200 + 100 */
    world_run_ms(&w, 200000);
    ck_assert_str_eq(w.broken, "");
    world_fini(&w);
}
END_TEST

START_TEST(a_service_falls_back_when_its_node_has_been_good_for_a_while)
{
    begin();
    w.p[0].preferred = 2;
    w.p[0].failback = true;
    w.p[0].failback_us = 10000000;
    boot_all();
    world_crash(&w, 2);
    world_run_ms(&w, 5000);
    ck_assert_uint_ne(world_active(&w, 0), 2);
    world_boot(&w, 2);
    world_run_ms(&w, 8000);
    ck_assert_uint_ne(world_active(&w, 0), 2);
    world_run_ms(&w, 8000);
    ck_assert_uint_eq(world_active(&w, 0), 2);
    ck_assert_str_eq(w.broken, "");
    world_fini(&w);
}
END_TEST

START_TEST(failures_hold_a_node_back_until_they_are_forgotten)
{
    begin();
    w.p[0].preferred = 1;
    w.p[0].fail_limit = 1;
    boot_all();
    world_fail(&w, 0);
    world_run_ms(&w, 3000);
    ck_assert_uint_ne(world_active(&w, 0), 1);
    ck_assert(world_member(&w)->services[0].wish.w.held == node_bit(1));
    world_run_ms(&w, 16000);
    ck_assert(world_member(&w)->services[0].wish.w.held == 0);
    ck_assert_str_eq(w.broken, "");
    world_fini(&w);
}
END_TEST

static int
run_by_hand(uint64_t from, uint64_t to)
{
    unsigned moves[WHY_N] = { 0 }, held = 0;

    for (uint64_t seed = from; seed < to; seed++) {
        if (!run_seed(seed, NULL)) {
            printf("seed %lu: %s\n", (unsigned long)seed, w.broken);
            return EXIT_FAILURE;
        }
        for (int i = 0; i < WHY_N; i++)
            moves[i] += w.moves[i];
        held += w.held;
    }
    for (int i = 0; i < WHY_N; i++)
        printf("%s %u, ", order_why_name((enum order_why)i), moves[i]);
    printf("held %u\n", held);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    TCase *tc = tcase_create("cluster");

    if (argc == 3)
        return run_by_hand(strtoull(argv[1], NULL, 0), strtoull(argv[2], NULL, 0));
    tcase_add_test(tc, a_drained_node_is_emptied_and_stays_empty);
    tcase_add_test(tc, a_degraded_node_is_left_before_it_fails);
    tcase_add_test(tc, load_is_evened_out_and_then_left_alone);
    tcase_add_test(tc, a_service_falls_back_when_its_node_has_been_good_for_a_while);
    tcase_add_test(tc, failures_hold_a_node_back_until_they_are_forgotten);
    tcase_add_loop_test(tc, storm, 0, SEEDS / BATCH);
    tcase_add_loop_test(tc, mutant_is_found, 0, WORLD_MUTANTS);
    tcase_set_timeout(tc, 120);
    return suite_run("sim plan", tc, NULL);
}
