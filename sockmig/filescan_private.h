/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_private.h - shared by filescan.c (the state of it), filescan_walk.c (what is
 * there), filescan_nodes.c (what is known), filescan_dirty.c (what is to be looked at),
 * filescan_content.c (what is in the files), filescan_mapped.c (files that the service
 * maps) and filescan_seed.c. */
#ifndef BSC_FILESCAN_PRIVATE_H
#define BSC_FILESCAN_PRIVATE_H

#include "sockmig/filescan.h"
#include "sockmig/filewatch.h"
#include "sockmig/filewrites.h"

#include "lib/core/mono.h"

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
    int wd;          /* of its watch; 0: none */
    bool written;    /* since then, whatever its times say */
    uint64_t mapped; /* the look that last found it mapped */

    /* of the seed that runs */
    uint64_t seed;      /* it has all of this, if it is the number of that seed */
    uint64_t seed_next; /* block */
    const struct files_entry *have;
};

struct scan_list {         /* what is there, of what is looked at */
    struct files_entry *v; /* owned, as all of it; sorted once it is whole */
    struct scan_extra *x;  /* of v[i] */
    size_t n, max;
    char *names;
    size_t names_size, names_max;
};

struct scan_node {        /* what standbys have under this name */
    struct files_entry e; /* .target: owned; .path: see below */
    struct scan_extra x;
    struct scan_node *next; /* of the same slot of watches */
    struct scan_node *next_inode;
    bool dirty;    /* to be looked at */
    bool renamed;  /* it may be another file by now */
    bool replaced; /* a folder that is another by now, or what was in it */
    char path[];
};

struct scan_nodes {
    struct scan_node **v; /* owned; sorted, unless said otherwise */
    size_t n, max;
};

struct scan_name { /* something that is not known */
    uint8_t root;
    char *path; /* owned */
};

#define SCAN_SLOTS 65536u
#define SCAN_FOREIGN_S 2

struct filescan {
    struct filescan_conf conf;
    int fds[FILES_MAX_ROOTS]; /* owned; -1 */
    dev_t devs[FILES_MAX_ROOTS];
    struct scan_nodes all;   /* what is known; owns them */
    struct scan_nodes dirty; /* some of them, sorted while it is looked at them */
    struct scan_name *fresh; /* owned: names to be looked at besides */
    size_t nfresh, fresh_max;
    struct scan_list now;    /* of this look */
    struct files_entry *was; /* owned: of this look, dirty nodes' */
    size_t was_max;
    struct filewatch *watch;     /* owned; NULL: all is looked at each time */
    struct scan_node **by_watch; /* owned: SCAN_SLOTS */
    struct scan_node **by_inode; /* the same */
    bool wants_watch, lost;      /* some of what it told */
    size_t patrol;               /* node */
    struct mono patrolled;
    uint64_t files, bytes; /* in all of them */
    uint64_t zero;         /* hash of a block of zeroes */
    uint8_t *delta;        /* owned mapping: operations that wait */
    struct writer out;
    uint32_t *slots, *to; /* owned: for struct files_table */
    size_t nslots;
    uint64_t moves; /* numbers given out */
    const _Atomic bool *stop;
    struct filewrites *writes; /* owned; NULL: nobody tells what was written */
    bool untold;               /* it was tried in vain */
    bool told;                 /* what it told is whole */
    time_t now_s;
    uint8_t *chunk; /* owned */
    struct {
        uint64_t number; /* of it, from 1 */
        bool running, named;
        uint8_t *blob; /* owned */
        struct files_entry *have;
        size_t nhave, at;
    } seed;
    bool renamed; /* in this look, some names */
    struct {
        uint64_t look;          /* the last one at what is mapped, from 1 */
        bool any;               /* something was written by way of it */
        bool begun;             /* what is mapped at this checkpoint is being told */
        bool now;               /* it is looked at that, and at nothing else */
        uint64_t *inodes, *was; /* owned: of this look, of those before */
        size_t n, max, nwas, max_was;
    } mapped;
    struct filescan_stat stat;
};

#define SCAN_CHUNK (64u << 10)
#define SCAN_BLOCKS (SCAN_CHUNK / FILES_BLOCK)

struct walk {
    struct filescan *s;
    struct scan_list *list; /* &s->now */
    struct refusals *why;
    bool watching;                 /* what is looked at is watched from then on */
    bool some;                     /* not all is looked at */
    const struct scan_node *known; /* under this name; NULL */
    unsigned root, depth;
    struct timespec now;
    char path[FILES_PATH];
};

/* filescan_walk.c: what is there, into s->now */
int scan_open_roots(struct filescan *s, struct refusals *why);
int scan_walk(struct filescan *s, bool watching, struct refusals *why);
int scan_add(struct walk *w, int dir, const char *name, bool *is_dir); /* w->path */
int scan_dir(struct walk *w, int fd); /* all that is in it; takes @fd */
int scan_finish(struct walk *w);
/* scan_status - of one name, if it is still something of its kind; its path and what it
 * is are kept. */
bool scan_status(const struct filescan *s, const struct scan_node *node,
    struct files_entry *e, struct scan_extra *x);
void scan_list_clear(struct scan_list *list); /* keeps its memory */
void scan_list_free(struct scan_list *list);

/* filescan_some.c: of what is dirty only; what is below folders that are others by now
 * gets dirty, too. */
int scan_some(struct filescan *s, struct refusals *why);

/* filescan_attributes.c: extended attributes and access control lists are refused, not
 * lost.  0, -EOPNOTSUPP, or -errno. */
int scan_bare(
    const struct filescan *s, const struct files_entry *e, struct refusals *why);
int scan_refuse(const struct filescan *s, unsigned root, const char *path,
    struct refusals *why, const char *cure, const char *what); /* -EOPNOTSUPP */

/* filescan_nodes.c */
int scan_grow(void **p, size_t *max, size_t want, size_t each); /* 0 or -ENOMEM */
size_t scan_place(const struct filescan *s, const struct files_entry *name);
struct scan_node *scan_find(const struct filescan *s, unsigned root, const char *path);
struct scan_node *scan_parent(
    const struct filescan *s, unsigned root, const char *path);
void scan_commit(struct filescan *s);      /* s->now instead of what is dirty */
void scan_nodes_clear(struct filescan *s); /* all of them */
struct files_entry *scan_flat(
    const struct filescan *s); /* malloc()'ed; NULL: no room */

/* filescan_dirty.c */
void scan_dirty(struct filescan *s, struct scan_node *node);
int scan_was(struct filescan *s); /* sorts what is dirty, and fills s->was */
void scan_all_dirty(struct filescan *s);
void scan_clean(struct filescan *s); /* nothing is */
void scan_events(struct filescan *s);
void scan_told(struct filescan *s);    /* by s->writes, since the last drain */
bool scan_watches(struct filescan *s); /* makes a new s->watch, if it is wanted */
void scan_unwatch(struct filescan *s, const char *reason);

/* filescan_mapped.c */
void scan_mapped_free(struct filescan *s);
bool scan_is_mapped(const struct filescan *s, const struct scan_extra *x);

/* filescan.c: one look, and what its result is to the caller */
int scan_look(struct filescan *s, bool shipped, struct refusals *why);
int scan_explain(int ret, struct refusals *why);

/* filescan_content.c */
int scan_open(const struct filescan *s, const struct files_entry *e);
uint64_t scan_hash(const struct filescan *s, const void *block);
int scan_chunk(
    const struct filescan *s, int fd, uint64_t chunk, uint64_t size, uint8_t *to);
int scan_content(struct filescan *s, struct scan_list *list, size_t i, bool shipped,
    const struct filewrites_blocks *only, uint64_t from);

#endif
