/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * survey_sets.h - what epoll sets watch, for survey.bpf.c. */
#ifndef BSC_SURVEY_SETS_H
#define BSC_SURVEY_SETS_H

#include "sockmig/bpf/survey_kernel.h"
#include "sockmig/bpf/survey_row.h"

#define NODES SURVEY_ITEMS

struct walk { /* over the tree of an epoll set; the nodes found are a list */
    __u32 done, found;
    __u32 first; /* where its items go */
    __u64 hash;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, SURVEY_ITEMS);
    __type(key, __u32);
    __type(value, struct survey_item);
} survey_items SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, NODES);
    __type(key, __u32);
    __type(value, __u64);
} survey_nodes SEC(".maps");

static __always_inline void
add_node(struct walk *w, const struct rb_node *node)
{
    __u64 *slot = node ? bpf_map_lookup_elem(&survey_nodes, &w->found) : 0;

    w->found += node != 0;
    if (slot)
        *slot = (__u64)node;
}

static __always_inline __u64
node_at(__u32 i, const struct walk *w)
{
    __u64 *slot = i < w->found ? bpf_map_lookup_elem(&survey_nodes, &i) : 0;

    return slot ? *slot : 0;
}

static __always_inline __u64
item_of(__u64 node)
{
    return node - bpf_core_field_offset(struct epitem, rbn);
}

static __always_inline __u64
file_of(__u64 item)
{
    return word_at(item + bpf_core_field_offset(struct epitem, ffd.file));
}

/* The sum of what each gives: the order is that of a tree, which is turned about. */
static __always_inline void
look_at_item(struct walk *w, __u64 node)
{
    const struct epitem *item = as(epitem, item_of(node));
    __u64 file = file_of(item_of(node)), data = item->event.data;
    __u32 fd = (__u32)item->ffd.fd, events = item->event.events;
    __u32 at = w->first + w->done;
    struct survey_item *out = bpf_map_lookup_elem(&survey_items, &at);

    if (out) {
        out->file = file;
        out->data = data;
        out->fd = fd;
        out->events = events;
    }
    w->hash += mix(mix(mix(mix(1, file), (__u64)events << 32 | fd), data), 1);
    add_node(w, item->rbn.rb_left);
    add_node(w, item->rbn.rb_right);
}

/* Those that are next in the list, together: see above. */
static long
step(__u32 i, void *arg)
{
    struct walk *w = arg;
    __u64 node[GROUP], sum = 0;

    (void)i;
#pragma unroll
    for (int k = 0; k < GROUP; k++) {
        node[k] = node_at(w->done + k, w);
        sum += as(epitem, item_of(node[k]))->ffd.fd;
        sum += as(epitem, item_of(node[k]))->event.events;
    }
    w->hash ^= sum;
    barrier();
    w->hash ^= sum;
    for (int k = 0; k < GROUP && node[k]; k++, w->done++)
        look_at_item(w, node[k]);
    return w->done == w->found || w->found > NODES;
}

/* Into row @r, if it is an epoll set, what that watches: descriptors, their files,
 * events, data.  *@items are taken already. */
static __always_inline void
look_at_set(struct survey_row *r, const struct file *file, __u32 *items)
{
    struct walk w = { .hash = 1, .first = *items };
    const struct eventpoll *set = as(eventpoll, file->private_data);
    static const char want[] = "[eventpoll]";
    char name[sizeof want] = "";

    bpf_probe_read_kernel(name, sizeof name, file->f_path.dentry->d_name.name);
    for (unsigned i = 0; i < sizeof name; i++)
        if (name[i] != want[i])
            return;
    add_node(&w, set->rbr.rb_root.rb_node);
    bpf_loop(NODES, step, &w, 0);
    if (w.done != w.found)
        return;
    r->watched = w.hash | 1;
    r->first_item = w.first;
    r->nitems = w.found <= SURVEY_ITEMS - w.first ? w.found : SURVEY_NO_ITEMS;
    if (r->nitems == w.found)
        *items += w.found;
}

#endif
