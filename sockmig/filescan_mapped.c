/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_mapped.c - files that the service has mapped, shared: what it writes by that
 * way nobody tells but its page tables, which are read after the first look. */
#include "sockmig/filescan_private.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
filescan_maps(const struct filescan *s)
{
    return s->watch && s->writes && filewrites_maps(s->writes);
}

void
scan_mapped_free(struct filescan *s)
{
    free(s->mapped.inodes);
    free(s->mapped.was);
}

bool
scan_is_mapped(const struct filescan *s, const struct scan_extra *x)
{
    return x->mapped != 0 && x->mapped == s->mapped.look;
}

/* What the last look found is kept until one that follows it has succeeded. */
static void
begin(struct filescan *s)
{
    size_t n = s->mapped.nwas + s->mapped.n;

    if (s->mapped.begun)
        return;
    s->mapped.begun = true;
    s->mapped.any = false;
    if (scan_grow((void **)&s->mapped.was, &s->mapped.max_was, n + 1,
            sizeof *s->mapped.was) < 0)
        log_fatal("state folders: out of memory");
    memcpy(s->mapped.was + s->mapped.nwas, s->mapped.inodes,
        s->mapped.n * sizeof *s->mapped.was);
    s->mapped.nwas = n;
    s->mapped.n = 0;
    if (s->writes)
        filewrites_clear(s->writes); /* the first look is over */
}

void
filescan_wrote(struct filescan *s, uint64_t inode, uint64_t from, uint64_t to)
{
    size_t *n = &s->mapped.n;

    begin(s);
    if (!s->writes)
        return;
    filewrites_add(s->writes, inode, from, to);
    s->mapped.any |= from < to;
    if (*n > 0 && s->mapped.inodes[*n - 1] == inode)
        return;
    if (scan_grow((void **)&s->mapped.inodes, &s->mapped.max, *n + 1,
            sizeof *s->mapped.inodes) < 0)
        log_fatal("state folders: out of memory");
    s->mapped.inodes[(*n)++] = inode;
}

static void
note_mapped(struct filescan *s, uint64_t inode)
{
    for (struct scan_node *n = s->by_inode[inode % SCAN_SLOTS]; n; n = n->next_inode)
        if (n->x.kernel_inode == inode)
            n->x.mapped = s->mapped.look;
}

/* One who had mapped it is gone: what it wrote last, its page tables do not tell. */
static void
add_lost(struct filescan *s)
{
    for (size_t i = 0; i < s->mapped.nwas; i++)
        filewrites_add(s->writes, s->mapped.was[i], 0, ~0ull);
}

static int
look_at_written(struct filescan *s, struct refusals *why)
{
    int ret;

    s->told = true;
    scan_told(s);
    s->mapped.now = true;
    ret = scan_explain(scan_look(s, true, why), why);
    s->mapped.now = false;
    return ret;
}

int
filescan_take_mapped(struct filescan *s, bool lost, struct refusals *why)
{
    int ret;

    begin(s);
    if (!filescan_maps(s) || (s->mapped.n == 0 && s->mapped.nwas == 0))
        return 0;
    if (lost)
        add_lost(s);
    s->mapped.look++;
    for (size_t i = 0; i < s->mapped.n; i++)
        note_mapped(s, s->mapped.inodes[i]);
    if (!filewrites_sort(s->writes))
        return scan_explain(-ENOSPC, why);
    ret = s->mapped.any || lost ? look_at_written(s, why) : 0;
    if (ret >= 0)
        s->mapped.nwas = 0;
    return ret;
}
