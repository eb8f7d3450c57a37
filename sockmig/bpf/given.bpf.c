/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * given.bpf.c - how many pages were given back of files that somebody asks about: by
 * madvise(), fallocate(), ftruncate(). */
#include "sockmig/bpf/given_key.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
    __u32 s_dev;
};

struct inode {
    unsigned long i_ino;
    struct super_block *i_sb;
};

struct address_space {
    struct inode *host;
};

struct folio {
    struct address_space *mapping;
};

#pragma clang attribute pop

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, GIVEN_FILES);
    __type(key, struct given_key);
    __type(value, __u64);
} given SEC(".maps"); /* keys are put by who asks */

SEC("tp_btf/mm_filemap_delete_from_page_cache")
int
BPF_PROG(on_delete, struct folio *folio)
{
    struct inode *inode = folio->mapping->host;
    struct given_key key = { inode->i_ino, inode->i_sb->s_dev, 0 };
    __u64 *count = bpf_map_lookup_elem(&given, &key);

    (void)ctx;
    if (count)
        __sync_fetch_and_add(count, 1);
    return 0;
}

char given_license[] SEC("license") = "GPL";
