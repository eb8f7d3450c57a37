/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: kernel fs/hugetlbfs/inode.c: the size of a block is that of a page. */
#include "sockmig/ckpt/hugepages.h"

#include "lib/fd.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

uint32_t
hugepages_bits(pid_t pid, const struct image_vma *v)
{
    struct statfs fs;
    char path[96];

    snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", (int)pid,
        (unsigned long long)v->start, (unsigned long long)v->end);
    if (statfs(path, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC || fs.f_bsize <= 0)
        return 0;
    return (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize);
}

bool
hugepages_come(void)
{
    char text[64];

    return file_read("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) >
               0 &&
           strstr(text, "[always]");
}
