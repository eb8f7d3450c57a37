/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clone_parts.h - the inside of a warm clone, shared by the files that make it:
 *
 *     clone.c      made, checked, freed
 *     skeleton.c     the stub, its empty address space, its threads
 *     layout.c       its mappings
 *     content.c      pages and queues of a checkpoint into it
 *     fill.c         pages that are not there yet
 *     ahead.c        sockets of its connections, before the takeover
 *     wake.c         the steps of a takeover, in their order
 *     wake_net.c     sockets, TCP and UDP; crew.c: by two threads
 *     wake_unix.c    unix sockets
 *     wake_terminal.c pseudo-terminals
 *     wake_fifo.c    named pipes
 *     wake_ipc.c     System V semaphores and message queues
 *     wake_fds.c     all other descriptors, and handing them over
 *     wake_state.c   the process
 *     wake_threads.c its threads and credentials
 *     wake_registers.c what its threads were at, the last before they run */
#ifndef BSC_CLONE_PARTS_H
#define BSC_CLONE_PARTS_H

#include "sockmig/ckpt/ahead.h"
#include "sockmig/ckpt/batch.h"
#include "sockmig/ckpt/clone.h"

struct clone_queue { /* of a descriptor: socket queues, content of a pipe */
    uint8_t *bytes;  /* owned */
    uint32_t size, capacity;
};

struct made_segment { /* shared memory with a name that is there */
    uint64_t inode, size;
    uint32_t dev_major, dev_minor;
    int32_t id;
};

struct made_segments {
    struct made_segment v[IMAGE_MAX_SEGMENTS];
    unsigned n;
    bool ipc; /* semaphores and message queues, too */
};

struct clone {
    struct made_segments *segments, own_segments; /* its own, or those of a tree */
    pid_t init, pid; /* as the engine sees them; init 0: not in a cell of its own */
    int netns;       /* owned */
    int mem;         /* /proc/PID/mem of the stub */
    int parent_fd;   /* in the stub: pidfd of the engine, above all others */
    int64_t monotonic_offset_ns;       /* the cell's clock minus this host's */
    uint64_t vdso_start, vdso_syscall; /* in the stub, once moved */
    uint64_t cap_bounding;             /* of its threads */
    struct batch batch;
    struct {
        pid_t tid; /* as the engine sees it */
        int32_t in_cell;
    } threads[IMAGE_MAX_THREADS]; /* [0] is the leader */
    unsigned nthreads;
    bool has_guards;        /* guard regions were made in it */
    bool has_pages;         /* where content goes, as a rule; see fill.h */
    bool huge_pages;        /* come by themselves when it is written to */
    struct image_vma *vmas; /* owned: what the stub has now */
    unsigned nvmas;
    uint64_t *edges;                             /* owned: scratch of the comparison */
    struct clone_queue queues[IMAGE_MAX_NUMBER]; /* by descriptor */
    struct ahead *ahead;                         /* owned; NULL: none */
    struct image_tcp fresh[2]; /* net_fresh(); IPv4, IPv6; .family 0: not asked yet */
    int opened[IMAGE_MAX_FDS]; /* engine's descriptor for im->fds[i]; -1: none */
};

/* One takeover. */
struct wake {
    struct clone *c;
    const struct image *im;
    uint32_t age_ms;
    int tun, raw;
    bool alone;
    bool runs;   /* the stub works off a batch */
    bool shared; /* several processes may have a connection: one of them releases it */
    unsigned lost;
    struct refusals *why;
};

/* skeleton_new - cell and stub with an empty address space but for the vdso where the
 * image has it.  skeleton_layout, skeleton_threads: as the image has them now. */
int skeleton_new(struct clone *c, const struct cell_conf *conf, const struct image *im,
    struct refusals *why);

/* skeleton_cell - a cell with the stub of its first process, which keeps its descriptor
 * of the engine at @number.  0 or -errno with @why. */
int skeleton_cell(struct clone *c, const struct cell_conf *conf, const struct image *im,
    int number, struct refusals *why);

/* skeleton_clear - the same of stub @c->pid, which is stopped already, with c->batch
 * and c->parent_fd set: nothing in its address space but the vdso; then it may have
 * children. skeleton_settle: after that, all else.  skeleton_run_stub - what a stub
 * runs; @arg: struct skeleton_stub. Async-signal-safe; returns an errno, or not at all.
 */
struct skeleton_stub {
    int pidfd, number; /* of the engine; where the stub keeps it */
    uint64_t idle;     /* batch_idle() */
};
int skeleton_clear(struct clone *c, const struct image *im, struct refusals *why);
int skeleton_settle(struct clone *c, const struct image *im);
int skeleton_run_stub(const struct skeleton_stub *stub);

int skeleton_layout(struct clone *c, const struct image *im);
int skeleton_segments(
    struct clone *c, const struct image *im); /* before its mappings */
int skeleton_threads(struct clone *c, const struct image *im);

/* skeleton_drop_segments - remove the System V shared memory that none of @images has
 * (NULL: one that has ended). */
int skeleton_drop_segments(
    struct clone *c, const struct image *const *images, uint32_t n);

/* skeleton_prot - how a mapping is protected until the clone is woken. */
uint32_t skeleton_prot(const struct image_vma *v);

/* skeleton_same_backing - does a page keep its content if mapping @a becomes @b? */
bool skeleton_same_backing(const struct image_vma *a, const struct image_vma *b);

/* skeleton_drop_bounding - add the calls by which a thread of the stub gets to
 * @bounding from what all have. */
void skeleton_drop_bounding(struct clone *c, uint64_t bounding);

/* skeleton_number - where a stub keeps its descriptor of the engine: above @highest of
 * the image, as far as the limit of open files lets it. */
int skeleton_number(int highest);
int skeleton_highest(const struct image *im); /* descriptor number of it */

/* skeleton_capabilities - what a stub is permitted: what the engine is. */
uint64_t skeleton_capabilities(void);

/* content_pages - in the order given: a later run of the same pages is right.  The
 * clone has the mappings that they are of.  content_mapping - which of them has
 * @address; NULL: none. */
int content_pages(struct clone *c, const struct pages *pages);
const struct image_vma *content_mapping(const struct clone *c, uint64_t address);
int content_queues(struct clone *c, const struct parcels *parcels);

/* Steps of a takeover.  0 or -errno, *what says at what it failed.  What a stub is to
 * do waits for the next step that must have it done: each time it runs costs two
 * changes of processes. */
int wake_listeners(struct wake *w, const char **what);
int wake_sockets(struct wake *w, const char **what);
int wake_release(struct wake *w, const char **what);
int wake_protections(struct wake *w, const char **what);
int wake_segments(struct wake *w, const char **what);
int wake_unix(struct wake *w, const char **what);

/* wake_unix_ends - the unix sockets of several processes, made by the stub of @w, which
 * has no descriptors yet; each once, the opened[] of its clone has it then. */
struct unix_end {
    const struct image_unix *u; /* borrowed, as the others */
    const struct image_fd *f;
    const struct image *im;
    struct clone *c;
};
int wake_unix_ends(
    struct wake *w, const struct unix_end *ends, uint32_t n, const char **what);

/* wake_dead - descriptor @i of the image, of kind IMAGE_FD_TCP_DEAD, in the caller's
 * network namespace; 0 or -errno.  wake_dead_socket - one that is at its end, and of
 * which nothing is left to be read; or -1. */
int wake_dead(struct wake *w, uint32_t i);
int wake_dead_socket(const struct image_fd *f, int family);

/* wake_flights - messages that carry descriptors, once those are there; @ends of the
 * last wake_unix_ends() must still be.  Nothing to do if there are none. */
int wake_flights(struct wake *w, const char **what);
int wake_descriptors(struct wake *w, const char **what);
int wake_process(struct wake *w, const char **what);
int wake_root(struct wake *w, const char **what);
int wake_filters(struct wake *w, const char **what);
int wake_threads(struct wake *w, const char **what);
pid_t wake_thread(const struct clone *c, int32_t in_cell); /* -1: none */
int wake_limits(struct wake *w, const char **what);
int wake_registers(struct wake *w, const char **what);
int wake_owners(struct wake *w);
int wake_detach(struct wake *w, const char **what);
void wake_resend(struct wake *w);

/* net_enter, net_leave - into the cell's network namespace and back; *before: -1 at
 * first. */
int net_enter(const struct clone *c, int *before);
int net_leave(int before);

/* net_fresh - tcp_fresh(), asked once; within the namespace.  net_nonblock - what
 * socket() is told of it. */
const struct image_tcp *net_fresh(struct clone *c, int family);
int net_nonblock(const struct image_fd *f);

/* clone_allocate - nothing in it yet; @netns is duplicated.  NULL: no memory.
 * clone_check_host, clone_check_stub: is here all that must be the same; 0,
 * -EOPNOTSUPP with @why. */
struct clone *clone_allocate(int netns);
int clone_check_host(
    const struct cell_conf *conf, const struct image *im, struct refusals *why);
int clone_check_stub(
    const struct clone *c, const struct image *im, struct refusals *why);

/* clone_check_update - can it become @im, which is later than what it is?  0; -ESTALE:
 * its clocks are behind; -EBUSY: no room for the calls; -EOPNOTSUPP: another file. */
int clone_check_update(const struct clone *c, const struct image *im);

/* net_purge - free the cell's network namespace of an earlier service's connections. */
int net_purge(const struct clone *c);

/* wake_settle_terminal - the pair of @master becomes that of w->im->fds[@at].
 * wake_control_terminal - the calls by which a stub without descriptors takes @slave of
 * the engine for its controlling terminal; or, with @group, says who is in front. */
int wake_settle_terminal(struct wake *w, uint32_t at, int master);
void wake_control_terminal(
    struct batch *b, int engine, int slave, const int32_t *group);
int wake_terminals(struct wake *w, const char **what);

/* wake_fifo_ends - the named pipes of several processes; what is open already stays.
 * wake_fifos: of one. */
struct fifo_end {
    const struct image_fd *f; /* borrowed, as the others */
    const struct image *im;
    struct clone *c;
};
int wake_fifo_ends(
    const struct fifo_end *ends, uint32_t n, struct refusals *why, const char **what);
int wake_fifos(struct wake *w, const char **what);

/* wake_ipc - System V semaphores and message queues, made by the first; what is to be
 * undone when this process ends.  wake_ipc_settle - once, after wake_ipc() of all. */
int wake_ipc(struct wake *w, const char **what);
int wake_ipc_settle(struct wake *w, const char **what);

/* wake_open_all - engine's descriptors for all but sockets, epoll and duplicates. */
int wake_open_all(struct wake *w, const char **what);

#endif
