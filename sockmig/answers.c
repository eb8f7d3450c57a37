/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/answers.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_MS 1000
#define TIMES 5
#define SYNACK_MAX 100 /* IPv6 and all options: see packet_synack() */

struct answer {
    struct reqsk_key key;
    uint8_t packet[SYNACK_MAX];
    size_t size;
};

struct answers {
    struct answer *v; /* owned */
    size_t n, room;
    struct mono due; /* all were sent at once, and are due at once */
    int64_t wait_ms;
    unsigned times;
};

struct answers *
answers_new(void)
{
    struct answers *a = calloc(1, sizeof *a);

    if (a)
        answers_clear(a);
    return a;
}

void
answers_add(
    struct answers *a, const struct reqsk_key *key, const uint8_t *packet, size_t size)
{
    if (size > SYNACK_MAX)
        return;
    if (a->n == a->room) {
        size_t room = a->room ? 2 * a->room : 64;
        struct answer *v = realloc(a->v, room * sizeof *v);

        if (!v)
            return;
        a->v = v;
        a->room = room;
    }
    a->v[a->n].key = *key;
    a->v[a->n].size = size;
    memcpy(a->v[a->n].packet, packet, size);
    a->n++;
}

void
answers_sent(struct answers *a, struct mono now)
{
    a->times = 0;
    a->wait_ms = FIRST_MS;
    a->due = mono_add_ms(now, FIRST_MS);
}

bool
answers_look(
    struct answers *a, struct mono now, const struct reqsk *r, struct outgoing *out)
{
    size_t left = 0;

    if (a->n == 0 || mono_before(now, a->due))
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!reqsk_waits(r, &a->v[i].key))
            continue;
        outgoing_add(out, a->v[i].packet, a->v[i].size);
        a->v[left++] = a->v[i];
    }
    a->n = ++a->times < TIMES ? left : 0;
    a->wait_ms *= 2;
    a->due = mono_add_ms(now, a->wait_ms);
    return left > 0;
}

void
answers_clear(struct answers *a)
{
    a->n = 0;
    a->due = (struct mono){ INT64_MAX }; /* the outside is closed */
}
