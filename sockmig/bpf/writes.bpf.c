/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * writes.bpf.c - which blocks of which files are about to be written.
 *
 * By tracepoints of ext4, under its lock and with the place that the write really goes
 * to.  Noted before it, which for a process that stands still has ended.  What has no
 * range, or comes from anybody else, marks the whole file. */
#include "sockmig/bpf/writes_map.h"

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MAX_GROUPS 32
#define NOTE_TRIES 4

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
    __u32 s_dev;
};

struct inode {
    unsigned long i_ino;
    __s64 i_size;
    struct super_block *i_sb;
};

struct file {
    struct inode *f_inode;
};

struct address_space {
    struct inode *host;
};

struct kiocb {
    struct file *ki_filp;
};

#pragma clang attribute pop

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct writes_conf);
} writes_conf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 131072);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct writes_key);
    __type(value, __u64);
} writes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} writes_lost SEC(".maps"); /* what found no room */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, WRITES_MEMBERS);
    __type(key, __u32);
    __type(value, __u32);
} writes_members SEC(".maps"); /* processes that stand still with the service */

static __always_inline const struct writes_conf *
watched(const struct inode *inode)
{
    __u32 zero = 0, device = inode->i_sb->s_dev;
    const struct writes_conf *conf = bpf_map_lookup_elem(&writes_conf, &zero);

    for (int i = 0; conf && i < WRITES_DEVICES; i++)
        if (i < (int)conf->ndevices && conf->devices[i] == device)
            return conf;
    return NULL;
}

static __always_inline bool
is_service(const struct writes_conf *conf)
{
    struct bpf_pidns_info who = { 0 };
    __u32 tgid;

    if (bpf_get_ns_current_pid_tgid(
            conf->ns_device, conf->ns_inode, &who, sizeof who) != 0)
        return false;
    tgid = who.tgid;
    return tgid == conf->tgid || bpf_map_lookup_elem(&writes_members, &tgid);
}

/* The engine takes rows away at any moment: one that was gone before it had the bits is
 * made again. */
static __always_inline void
note(__u64 inode, __u64 group, __u64 bits)
{
    struct writes_key key = { inode, group };
    __u64 *known, *lost;
    __u32 zero = 0;

    for (int i = 0; i < NOTE_TRIES; i++) {
        known = bpf_map_lookup_elem(&writes, &key);
        if (known) {
            __sync_fetch_and_or(known, bits);
            known = bpf_map_lookup_elem(&writes, &key);
            if (known && (*known & bits) == bits)
                return;
        } else if (bpf_map_update_elem(&writes, &key, &bits, BPF_NOEXIST) == 0) {
            return;
        }
    }
    lost = bpf_map_lookup_elem(&writes_lost, &zero);
    if (lost)
        __sync_fetch_and_add(lost, 1);
}

static __always_inline int
note_whole(const struct inode *inode)
{
    const struct writes_conf *conf = watched(inode);

    if (conf)
        note(inode->i_ino, WRITES_WHOLE, is_service(conf) ? 1 : WRITES_FOREIGN);
    return 0;
}

/* Blocks @from..@to, in groups of kind @kind. */
static __always_inline int
note_blocks(const struct inode *inode, __u64 kind, __u64 from, __u64 to)
{
    if (to < from || to - from > (MAX_GROUPS - 1) * 64)
        return note_whole(inode);
    for (int i = 0; i < MAX_GROUPS; i++) {
        __u64 group = from / 64 + i;

        if (group > to / 64)
            break;
        note(inode->i_ino, kind | group, writes_bits(group, from, to));
    }
    return 0;
}

static __always_inline int
note_range(const struct inode *inode, __u64 at, __u64 count)
{
    const struct writes_conf *conf = watched(inode);

    if (!conf || count == 0)
        return 0;
    if (!is_service(conf) || at + count < at)
        return note_whole(inode);
    return note_blocks(inode, 0, at / WRITES_BLOCK, (at + count - 1) / WRITES_BLOCK);
}

SEC("tp_btf/ext4_da_write_begin")
int
BPF_PROG(on_write, struct inode *inode, __s64 at, unsigned int count)
{
    (void)ctx;
    return note_range(inode, (__u64)at, count);
}

SEC("tp_btf/ext4_write_begin")
int
BPF_PROG(on_other_write, struct inode *inode, __s64 at, unsigned int count)
{
    (void)ctx;
    return note_range(inode, (__u64)at, count);
}

SEC("tp_btf/ext4_truncate_enter")
int
BPF_PROG(on_truncate, struct inode *inode)
{
    (void)ctx;
    return note_whole(inode);
}

SEC("tp_btf/ext4_fallocate_enter")
int
BPF_PROG(on_fallocate, struct inode *inode)
{
    (void)ctx;
    return note_whole(inode);
}

SEC("tp_btf/ext4_punch_hole")
int
BPF_PROG(on_punch_hole, struct inode *inode)
{
    (void)ctx;
    return note_whole(inode);
}

SEC("tp_btf/ext4_zero_range")
int
BPF_PROG(on_zero_range, struct inode *inode)
{
    (void)ctx;
    return note_whole(inode);
}

/* Past the page cache. */
SEC("tp_btf/iomap_dio_rw_begin")
int
BPF_PROG(on_direct, struct kiocb *iocb)
{
    (void)ctx;
    return note_whole(iocb->ki_filp->f_inode);
}

/* A mapping of the service gets pages @from..@to of a file.  It can only write to what
 * it has got: of one that comes and goes between two checkpoints nothing else tells. */
static __always_inline int
note_fault(const struct inode *inode, __u64 from, __u64 to)
{
    const struct writes_conf *conf = watched(inode);
    struct bpf_pidns_info who = { 0 };

    if (!conf || bpf_get_ns_current_pid_tgid(
                     conf->ns_device, conf->ns_inode, &who, sizeof who) != 0)
        return 0;
    return note_blocks(inode, WRITES_FAULTED, from, to);
}

SEC("?tp_btf/mm_filemap_fault")
int
BPF_PROG(on_fault, struct address_space *mapping, unsigned long page)
{
    (void)ctx;
    return note_fault(mapping->host, page, page);
}

SEC("?tp_btf/mm_filemap_map_pages")
int
BPF_PROG(on_faults, struct address_space *mapping, unsigned long from, unsigned long to)
{
    (void)ctx;
    return note_fault(mapping->host, from, to);
}

char writes_license[] SEC("license") = "GPL";
