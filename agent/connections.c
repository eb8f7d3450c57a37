/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/connections.h"

#include "lib/log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 512 /* so large that what is freed goes back to the kernel */

struct block {
    struct block *next; /* owned */
    uint32_t n;
    struct connection_row rows[BLOCK_ROWS];
};

typedef const struct mib_row *row_ref; /* first in a connection_row */

struct list {             /* of a service */
    struct block *blocks; /* owned, the newest first */
    row_ref *sorted;      /* owned; into the blocks */
    uint32_t n, room;
};

static struct {
    struct list served[CONF_MAX_SERVICES], coming[CONF_MAX_SERVICES];
    row_ref *all; /* owned: of all that is served, by service */
    uint32_t n;
} table;

static void *
checked(void *memory)
{
    if (!memory)
        log_fatal("connections: out of memory");
    return memory;
}

static void
clear(struct list *l)
{
    while (l->blocks) {
        struct block *next = l->blocks->next;

        free(l->blocks);
        l->blocks = next;
    }
    free(l->sorted);
    *l = (struct list){ 0 };
}

static struct connection_row *
new_row(struct list *l)
{
    if (!l->blocks || l->blocks->n == BLOCK_ROWS) {
        struct block *b = checked(malloc(sizeof *b));

        b->next = l->blocks;
        b->n = 0;
        l->blocks = b;
    }
    return memset(&l->blocks->rows[l->blocks->n++], 0, sizeof(struct connection_row));
}

static int
compare(const void *a, const void *b)
{
    row_ref x = *(const row_ref *)a, y = *(const row_ref *)b;

    return mib_compare(x->index, x->nindex, y->index, y->nindex);
}

/* ---- one row ---- */

static uint32_t
add_address(uint32_t *index, uint32_t n, const char *text, int64_t port)
{
    uint8_t bytes[16];
    uint32_t size = 4;

    if (!text || port < 0 || port > UINT16_MAX)
        return MIB_INDEX_MAX + 1;
    if (inet_pton(AF_INET, text, bytes) != 1) {
        size = 16;
        if (inet_pton(AF_INET6, text, bytes) != 1)
            return MIB_INDEX_MAX + 1;
    }
    return mib_index_address(index, n, bytes, size, (uint16_t)port);
}

/* row_from - [ local, port, remote, port, state, in, out, idle_ms, unread, unsent,
 * rtt_us, retransmits ]; false: it is none. */
static bool
row_from(const struct jv *from, const char *service, struct connection_row *row)
{
    uint32_t n = mib_index_name(row->row.index, 0, service);

    n = add_address(row->row.index, n, jv_at_str(from, 0), jv_at_int(from, 1));
    if (n <= MIB_INDEX_MAX)
        n = add_address(row->row.index, n, jv_at_str(from, 2), jv_at_int(from, 3));
    if (n > MIB_INDEX_MAX || jv_len(from) < 12)
        return false;
    row->row.nindex = n;
    row->row.known = true;
    row->state = jv_at_int(from, 4);
    row->in_octets = jv_at_int(from, 5);
    row->out_octets = jv_at_int(from, 6);
    row->idle = jv_at_int(from, 7);
    row->unread = jv_at_int(from, 8);
    row->unsent = jv_at_int(from, 9);
    row->round_trip = jv_at_int(from, 10);
    row->retransmits = jv_at_int(from, 11);
    return true;
}

/* age_from - the kernel does not tell the age of a connection: it is counted from when
 * it was first seen here. */
static void
age_from(struct connection_row *row, const struct list *served, struct mono now)
{
    const row_ref key = &row->row, *was = NULL;

    if (served->n)
        was = bsearch(&key, served->sorted, served->n, sizeof *was, compare);
    row->first_us = was ? ((const struct connection_row *)(const void *)*was)->first_us
                        : now.us;
    row->age = (now.us - row->first_us) / 1000;
}

/* ---- a piece of a list ---- */

/* merge - @n sorted rows behind the @l->n sorted ones, to their places: from the back,
 * so that each is moved once. */
static void
merge(struct list *l, const row_ref *piece, uint32_t n)
{
    uint32_t end = l->n; /* what is before it has not been moved */

    for (uint32_t i = n; i-- > 0;) {
        uint32_t low = 0, high = end;

        while (low < high) {
            uint32_t mid = low + (high - low) / 2;

            if (compare(&l->sorted[mid], &piece[i]) < 0)
                low = mid + 1;
            else
                high = mid;
        }
        memmove(l->sorted + low + i + 1, l->sorted + low, (end - low) * sizeof *piece);
        l->sorted[low + i] = piece[i];
        end = low;
    }
    l->n += n;
}

void
connections_add(
    const struct conf *conf, unsigned place, const struct jv *list, struct mono now)
{
    struct list *l = &table.coming[place];
    size_t count = jv_len(list);
    uint32_t n = 0;
    row_ref *piece;

    if (count > SNAP_CONNECTIONS - l->n)
        count = SNAP_CONNECTIONS - l->n;
    if (count == 0)
        return;
    piece = checked(malloc(count * sizeof *piece));
    for (size_t i = 0; i < count; i++) {
        struct connection_row *row = new_row(l);

        if (row_from(jv_at(list, i), conf->services[place].name, row)) {
            age_from(row, &table.served[place], now);
            piece[n++] = &row->row;
        }
    }
    if (l->n + n > l->room) {
        l->room = (l->n + n) * 2;
        l->sorted = checked(realloc(l->sorted, l->room * sizeof *piece));
    }
    qsort(piece, n, sizeof *piece, compare);
    merge(l, piece, n);
    free(piece);
}

/* ---- the whole table ---- */

/* before - the order of services in the table: their names' lengths come first. */
static bool
before(const struct conf *conf, unsigned a, unsigned b)
{
    const char *x = conf->services[a].name, *y = conf->services[b].name;

    return strlen(x) != strlen(y) ? strlen(x) < strlen(y) : strcmp(x, y) < 0;
}

static void
rebuild(const struct conf *conf)
{
    unsigned order[CONF_MAX_SERVICES], n = 0;
    uint32_t room = 0;

    for (unsigned i = 0; i < conf->nservices; i++) {
        unsigned at = n;

        if (!table.served[i].n)
            continue;
        for (; at > 0 && before(conf, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
        n++;
        room += table.served[i].n;
    }
    free(table.all);
    table.all = room ? checked(malloc(room * sizeof *table.all)) : NULL;
    table.n = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct list *l = &table.served[order[i]];

        memcpy(table.all + table.n, l->sorted, l->n * sizeof *table.all);
        table.n += l->n;
    }
}

void
connections_replace(const struct conf *conf, unsigned place)
{
    clear(&table.served[place]);
    table.served[place] = table.coming[place];
    table.coming[place] = (struct list){ 0 };
    rebuild(conf);
}

void
connections_drop(unsigned place)
{
    clear(&table.coming[place]);
}

uint32_t
connections_of(unsigned place)
{
    return table.served[place].n;
}

void
connections_show(struct snapshot *s)
{
    s->connections.v = table.all;
    s->connections.n = table.n < SNAP_CONNECTIONS ? table.n : SNAP_CONNECTIONS;
}
