/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * kernel.h - kernel interfaces that are younger than the headers of distributions.
 *
 * Source: include/uapi/linux/{fs,userfaultfd,ptrace}.h of Linux 6.18. */
#ifndef BSC_KERNEL_H
#define BSC_KERNEL_H

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#ifndef PAGEMAP_SCAN
#define PAGE_IS_WPALLOWED (1 << 0)
#define PAGE_IS_WRITTEN (1 << 1)
#define PAGE_IS_FILE (1 << 2)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)
#define PAGE_IS_GUARD (1 << 8) /* Linux 6.15 */
#define PM_SCAN_WP_MATCHING (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)

struct page_region {
    uint64_t start, end, categories;
};

struct pm_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

#ifndef PROCMAP_QUERY /* Linux 6.11 */
#define PROCMAP_QUERY_COVERING_OR_NEXT_VMA 0x10

struct procmap_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};

#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#endif
#define KERNEL_VMA_FLAGS 15u /* of vma_flags: read, write, execute, shared */

#define KERNEL_GET_RSEQ_CONFIGURATION 0x420f /* PTRACE_..., Linux 5.13 */

struct kernel_rseq_configuration {
    uint64_t pointer;
    uint32_t size, signature, flags, pad;
};

#define KERNEL_MSEAL 462                /* system call, Linux 6.10 */
#define KERNEL_GET_USER_DISPATCH 0x4211 /* PTRACE_..._CONFIG, Linux 6.4 */

struct kernel_user_dispatch {
    uint64_t mode, selector, offset, len;
};

#define KERNEL_GET_TID_ADDRESS 40 /* PR_GET_TID_ADDRESS, CONFIG_CHECKPOINT_RESTORE */

#endif
