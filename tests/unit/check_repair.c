/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_repair.c - the order of a connection's restore, and what its states mean. */
#include "sockmig/ckpt/repair.h"
#include "tests/suite.h"

#include <string.h>

struct order {
    const char *claim;
    const struct repair_step *steps;
    const char *first, *second;
};

static const struct order orders[] = {
    { "numbers are set while the socket is closed", repair_restore_steps,
        "sequence numbers", "connect" },
    { "a port that another connection has is bound in repair mode only",
        repair_prepare_steps, "enter repair mode", "bind" },
    { "a mark stays no longer than the route is looked for", repair_restore_steps,
        "connect", "mark" },
    { "options are negotiated before data are queued", repair_restore_steps,
        "negotiated options", "receive queue" },
    { "the receive queue moves rcv_nxt, which the window counts from",
        repair_restore_steps, "receive queue", "windows" },
    { "what was sent is queued as sent", repair_restore_steps, "data in flight",
        "windows" },
    { "repair mode forces address reuse and takes it away", repair_release_steps,
        "leave repair mode", "reuse of the address" },
    { "what was never sent is queued outside repair mode", repair_release_steps,
        "leave repair mode", "unsent data" },
    { "our FIN follows our data", repair_release_steps, "unsent data", "our FIN" },
    { "an acknowledgement follows what it acknowledges", repair_release_steps,
        "our FIN", "acknowledgement of our FIN" },
    { "LAST_ACK: the peer's FIN came first", repair_release_steps, "FIN of the peer",
        "our FIN, second" },
};

static int
find(const struct repair_step *steps, const char *name)
{
    for (int i = 0; steps[i].name; i++)
        if (strcmp(steps[i].name, name) == 0)
            return i;
    return -1;
}

START_TEST(order)
{
    const struct order *o = &orders[_i];
    int first = find(o->steps, o->first), second = find(o->steps, o->second);

    ck_assert_msg(first >= 0 && second > first, "%s", o->claim);
}
END_TEST

struct una {
    const char *claim;
    uint32_t state, write_seq, outq, una;
};

static const struct una unas[] = {
    { "nothing queued", STATE_ESTABLISHED, 1000, 0, 1000 },
    { "data queued", STATE_ESTABLISHED, 1000, 300, 700 },
    { "a FIN that waits counts one", STATE_FIN_WAIT1, 1000, 300, 699 },
    { "so it does when the peer's came too", STATE_LAST_ACK, 1000, 0, 999 },
    { "an acknowledged one does not", STATE_FIN_WAIT2, 1000, 0, 1000 },
    { "numbers wrap", STATE_CLOSE_WAIT, 5, 10, 0xfffffffb },
};

START_TEST(snd_una)
{
    const struct una *u = &unas[_i];
    struct image_tcp im = {
        .state = u->state, .write_seq = u->write_seq, .outq = u->outq
    };

    ck_assert_msg(repair_snd_una(&im) == u->una, "%s", u->claim);
}
END_TEST

int
main(void)
{
    TCase *c = tcase_create("repair");

    ADD_ROWS(c, order, orders);
    ADD_ROWS(c, snd_una, unas);
    return suite_run("repair", c, NULL);
}
