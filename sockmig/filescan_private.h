/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_private.h - shared by filescan.c (the state of it), filescan_walk.c (what is
 * there), filescan_content.c (what is in the files) and filescan_seed.c. */
#ifndef BSC_FILESCAN_PRIVATE_H
#define BSC_FILESCAN_PRIVATE_H

#include "sockmig/filescan.h"
#include "sockmig/filewrites.h"

#include <sys/stat.h>
#include <time.h>

struct scan_extra {   /* of an entry, beside it */
    uint64_t *hashes; /* owned by the list; 0: not known */
    uint64_t kernel_inode;
    struct timespec ctime;
    bool settled;    /* no write since can have left the same ctime */
    bool look;       /* look at all of it next time, whatever its times say */
    bool unknown;    /* hashes of some blocks are 0: look at them */
    int64_t foreign; /* seconds: when somebody else was last seen to write to it */
    uint32_t links;

    /* of the seed that runs */
    uint64_t seed;      /* it has all of this, if it is the number of that seed */
    uint64_t seed_next; /* block */
    const struct files_entry *have;
};

struct scan_list {
    struct files_entry *v; /* owned, as all of it; sorted once it is whole */
    struct scan_extra *x;  /* of v[i] */
    size_t n, max;
    char *names;
    size_t names_size, names_max;
};

struct filescan {
    struct filescan_conf conf;
    int fds[FILES_MAX_ROOTS]; /* owned; -1 */
    dev_t devs[FILES_MAX_ROOTS];
    struct scan_list lists[2];
    unsigned current; /* list that is known */
    uint64_t zero;    /* hash of a block of zeroes */
    uint8_t *delta;   /* owned mapping: operations that wait */
    struct writer out;
    uint32_t *slots, *to; /* owned: for struct files_table */
    size_t nslots;
    uint64_t moves; /* numbers given out */
    const _Atomic bool *stop;
    struct filewrites *writes; /* owned; NULL: nobody tells what was written */
    bool untold;               /* it was tried in vain */
    bool told;                 /* what it told is whole */
    time_t now;
    uint8_t *chunk; /* owned */
    struct {
        uint64_t number; /* of it, from 1 */
        bool running, named;
        uint8_t *blob; /* owned */
        struct files_entry *have;
        size_t nhave, at;
    } seed;
    bool renamed; /* in this look */
    struct filescan_stat stat;
};

#define SCAN_CHUNK (64u << 10)
#define SCAN_BLOCKS (SCAN_CHUNK / FILES_BLOCK)

/* filescan_walk.c */
int scan_open_roots(struct filescan *s, struct refusals *why);
int scan_walk(struct filescan *s, struct scan_list *list, struct refusals *why);
/* scan_bare - extended attributes and access control lists are refused, not lost: 0,
 * -EOPNOTSUPP, or -errno. */
int scan_bare(
    const struct filescan *s, const struct files_entry *e, struct refusals *why);
void scan_list_clear(struct scan_list *list); /* keeps its memory */
void scan_list_free(struct scan_list *list);

/* filescan_content.c */
int scan_open(const struct filescan *s, const struct files_entry *e);
uint64_t scan_hash(const struct filescan *s, const void *block);
int scan_chunk(
    const struct filescan *s, int fd, uint64_t chunk, uint64_t size, uint8_t *to);
int scan_content(struct filescan *s, struct scan_list *list, size_t i, bool ship,
    const struct filewrites_blocks *only, uint64_t from);

#endif
