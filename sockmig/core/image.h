/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image.h - the image of a service at one instant, all but its pages.
 *
 * A checkpoint is an image, the queues of sockets and pipes that changed since the
 * last one ("parcels"), and the pages that changed.  The structs here are plain data
 * without pointers into anything: image_encode() writes them section by section,
 * each with the size of its element, so that an image of another build or
 * architecture is refused instead of misread.
 *
 * An image is const for whoever restores it: it stays restorable.
 *
 * Pure.  Design: doc/design/image.md. */
#ifndef BSC_IMAGE_H
#define BSC_IMAGE_H

#include "sockmig/core/image_fd.h"
#include "sockmig/core/image_ipc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_PAGE 4096u
#define IMAGE_MAX_THREADS 512
#define IMAGE_MAX_VMAS 8192
#define IMAGE_MAX_FDS 16384
#define IMAGE_MAX_NUMBER                                                               \
    (IMAGE_QUEUES + IMAGE_MAX_QUEUES) /* of descriptors, and what has parcels, too */
#define IMAGE_MAX_ITEMS 16384         /* of all epoll sets together */
#define IMAGE_MAX_WATCHES 1024        /* of all inotify instances */
#define IMAGE_MAX_WATCH_NUMBER 100000
#define IMAGE_MAX_LOCKS 1024 /* on files */
#define IMAGE_MAX_UNIX 2048  /* unix sockets */
#define IMAGE_MAX_TIMERS 64
#define IMAGE_MAX_CHILDREN 64
#define IMAGE_MAX_GROUPS 256      /* multicast groups of all sockets */
#define IMAGE_MAX_UNACCEPTED 4096 /* of all listeners */
#define IMAGE_MAX_SEGMENTS 256    /* of shared memory that has a name */
#define IMAGE_MAX_FILTERS 64      /* of system calls (seccomp), */
#define IMAGE_MAX_FILTER 4096     /* instructions of one, */
#define IMAGE_MAX_CODE 32768      /* of all together */
#define IMAGE_MAX_SIGNALS 64      /* pending, process and threads each */
#define IMAGE_XSTATE 11264        /* bytes of NT_X86_XSTATE; 2,696 with AVX-512 */

struct image_sigaction { /* as the kernel's rt_sigaction has it on x86-64 */
    uint64_t handler, flags, restorer, mask;
};

struct image_siginfo { /* a siginfo_t as PTRACE_PEEKSIGINFO gives it */
    uint8_t bytes[128];
};

struct image_timer {                       /* POSIX timer */
    int32_t id, signo, notify, clock, tid; /* tid: in the cell, SIGEV_THREAD_ID only */
    int32_t pad;
    uint64_t value; /* sigev_value */
    struct image_timespec left, interval;
};

struct image_itimer { /* setitimer: seconds and microseconds */
    int64_t left_sec, left_usec, interval_sec, interval_usec;
};

struct image_rlimit {
    uint64_t soft, hard;
};

#define IMAGE_MM_WORDS 12 /* start_code .. env_end, brk: struct prctl_mm_map's u64s */
#define IMAGE_AUXV 64     /* pairs of words, u64 each: 2 * IMAGE_AUXV of them */
#define IMAGE_GROUPS 32

struct image_process {
    int32_t pid; /* in the cell */
    uint32_t umask;
    uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    uint32_t ngroups, groups[IMAGE_GROUPS];
    uint32_t no_new_privs, dumpable, thp_disable, child_subreaper;
    uint32_t securebits, personality, never_exec_written,
        merge;         /* as prctl() has them */
    uint32_t lock_all; /* mlockall(): 0, or MCL_FUTURE (2) and MCL_ONFAULT (4) */
    uint32_t among;    /* one of several that were taken together */
    int32_t parent_death_signal, oom_score_adj;
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
    struct image_rlimit rlimits[16];
    struct image_sigaction actions[64]; /* signal n at n-1 */
    struct image_itimer itimers[3];
    uint64_t mm[IMAGE_MM_WORDS];
    uint64_t auxv[2 * IMAGE_AUXV];
    uint32_t auxv_bytes;
    uint32_t nsignals; /* pending for the whole process */
    struct image_siginfo signals[IMAGE_MAX_SIGNALS];
    uint64_t monotonic_ns, boottime_ns; /* as the service saw them at the freeze */
    uint64_t clock_ns; /* active node's own monotonic clock then: image_tcp.dumped_ns */
    uint64_t brk;
    char exe[IMAGE_PATH], cwd[IMAGE_PATH], root[IMAGE_PATH];
    char cgroup[IMAGE_PATH]; /* of cgroup2; "": not known.  Only sockmig goes by it */
};

struct image_schedule {               /* of a thread */
    uint32_t policy, priority, flags; /* flags: 1, reset on fork */
    int32_t nice;
    uint32_t io_priority, pad;
    uint8_t cpus[128]; /* it may run on, a bit each; all set: on every one */
};

struct image_thread {
    int32_t tid; /* in the cell; the first thread is the leader */
    uint32_t rseq_size, rseq_signature, nsignals;
    uint64_t regs[27]; /* struct user_regs_struct */
    uint64_t sigmask, rseq_address, robust_head, robust_len, clear_tid;
    uint64_t altstack_sp, altstack_size;
    uint32_t altstack_flags, xstate_len;
    uint64_t timer_slack;               /* ns; 0: as the thread that made it */
    uint32_t io_flusher, machine_check; /* as prctl() has them */
    uint32_t no_tsc, no_cpuid;          /* the instructions are forbidden */
    struct image_schedule schedule;
    char comm[16];
    struct image_siginfo signals[16]; /* pending for this thread */
    uint8_t xstate[IMAGE_XSTATE];
};

enum image_vma_kind {
    IMAGE_VMA_ANON,
    IMAGE_VMA_FILE, /* private mapping of a file */
    IMAGE_VMA_SHARED_FILE,
    IMAGE_VMA_SHARED_ANON, /* of this process alone */
    IMAGE_VMA_HELD,        /* shared, of a file without a name: a descriptor has it */
    IMAGE_VMA_SEGMENT,     /* shared memory with a name: see struct image_segment */
    IMAGE_VMA_STATE_FILE,  /* shared, of a file of a state folder, which has the content
                            */
    IMAGE_VMA_VDSO,
    IMAGE_VMA_VVAR,
    IMAGE_VMA_VVAR_VCLOCK,
    IMAGE_VMA_NKINDS
};

enum { /* image_vma.flags */
    IMAGE_VMA_GROWSDOWN = 1,
    IMAGE_VMA_NOHUGE = 2,
    IMAGE_VMA_HUGE = 4,
    IMAGE_VMA_DONTDUMP = 8,
    IMAGE_VMA_DONTFORK = 16,
    IMAGE_VMA_WIPEONFORK = 32,
    IMAGE_VMA_LOCKED = 64,
    IMAGE_VMA_NORESERVE = 128,
    IMAGE_VMA_MERGEABLE = 256,
    IMAGE_VMA_SEQUENTIAL = 512,
    IMAGE_VMA_RANDOM = 1024,
    IMAGE_VMA_ON_FAULT = 2048, /* with LOCKED: when it is touched */
    IMAGE_VMA_SEALED = 4096,
    IMAGE_VMA_FLAGS = 8191
};

struct image_vma { /* sorted by start, not overlapping */
    uint64_t start, end, offset, inode;
    uint32_t kind, prot, flags; /* prot: PROT_READ 1, WRITE 2, EXEC 4 */
    uint32_t dev_major, dev_minor;
    uint32_t page_bits; /* of huge pages (hugetlb), 2^bits bytes each; 0: usual ones */
    uint64_t
        file_hash; /* of the mapped file's build: build-id or content; 0: not a file */
    char path[IMAGE_PATH];
};

struct image_child { /* a process that the service forked: given up at a takeover */
    int32_t pid;     /* in the cell; restored as killed by SIGKILL, so that the parent
                        learns what happened and goes on */
    int32_t exit_signal;
};

struct image_segment {    /* shared memory with a name; its content is pages */
    uint64_t inode, size; /* as in the mappings of it; bytes */
    uint32_t dev_major, dev_minor;
    int32_t id, key; /* System V: its id is the inode; -1: a file of tmpfs */
    uint32_t mode, uid, gid;
    uint32_t gone, locked; /* marked to be destroyed; SHM_LOCK */
    uint32_t attached;     /* how often, by all processes of the host */
    char path[IMAGE_PATH]; /* of the file; "": System V */
};

struct image_group { /* a multicast group that UDP socket .fd has joined on .device */
    int32_t fd;
    uint32_t v6;
    uint8_t address[16]; /* 4 of them, or all */
    char device[16];
};

/* A connection that its client has reset, and that listener .fd will accept all the
 * same: a standby has to keep what came for it (keep.h). */
struct image_unaccepted {
    int32_t fd;
    uint8_t local[28], remote[28]; /* struct sockaddr_in or _in6 */
};

struct image_filter {     /* of system calls; the oldest first */
    uint32_t length, log; /* its instructions in .code; SECCOMP_FILTER_FLAG_LOG */
};

/* Arrays are allocated once by image_alloc() (sockmig/image_alloc.h) at their full
 * capacity, so that taking a checkpoint allocates nothing. */
struct image {
    struct image_process process;
    struct image_thread *threads; /* owned, as the other arrays; [0] is the leader */
    uint32_t nthreads;
    struct image_vma *vmas;
    uint32_t nvmas;
    struct image_fd *fds;
    uint32_t nfds;
    struct image_epoll_item *items;
    uint32_t nitems;
    struct image_tcp *tcps;
    uint32_t ntcps;
    struct image_lock locks[IMAGE_MAX_LOCKS];
    uint32_t nlocks;
    struct image_watch *watches;
    uint32_t nwatches;
    struct image_unix *unixes;
    uint32_t nunixes;
    struct image_timer timers[IMAGE_MAX_TIMERS];
    uint32_t ntimers;
    struct image_child children[IMAGE_MAX_CHILDREN];
    uint32_t nchildren;
    struct image_group groups[IMAGE_MAX_GROUPS];
    uint32_t ngroups;
    struct image_unaccepted *unaccepted;
    uint32_t nunaccepted;
    struct image_segment segments[IMAGE_MAX_SEGMENTS];
    uint32_t nsegments;
    struct image_filter filters[IMAGE_MAX_FILTERS];
    uint32_t nfilters;
    struct image_set sets[IMAGE_MAX_SETS];
    uint32_t nsets;
    struct image_semaphore *semaphores;
    uint32_t nsemaphores;
    struct image_queue queues[IMAGE_MAX_QUEUES];
    uint32_t nqueues;
    uint64_t *code; /* of the filters, one after the other: struct sock_filter each */
    uint32_t ncode;
};

/* image_encode - write @im into @out (capacity @size).
 *
 * Bytes written, or 0 if they did not fit.  The same image gives the same bytes, and
 * an unchanged section keeps its place where the counts before it are unchanged. */
size_t image_encode(const struct image *im, uint8_t *out, size_t size);

/* image_decode - read what image_encode() wrote.
 *
 * False if it is truncated, of another layout, or breaks an invariant stated above
 * (order, ranges, terminated strings, references to descriptors that exist); @im is
 * then unusable.  @why gets a static text. */
bool image_decode(struct image *im, const uint8_t *data, size_t size, const char **why);

/* image_lines - difference of two encodings: stretches that have moved, and lines of 64
 * bytes that differ.
 *
 * image_lines_encode: bytes written to @out; 0 if they did not fit.
 * image_lines_apply: turns the old encoding in @base (of *@size bytes, capacity @cap)
 * into the new one in place; false if @delta is malformed or does not fit. */
size_t image_lines_encode(const uint8_t *old, size_t old_size, const uint8_t *now,
    size_t now_size, uint8_t *out, size_t size);
bool image_lines_apply(
    uint8_t *base, size_t *size, size_t cap, const uint8_t *delta, size_t delta_size);

/* image_check - NULL if @im keeps every invariant stated above, or a static text that
 * names the one it breaks. */
const char *image_check(const struct image *im);

/* image_datagram_next - the datagram at *@at of a parcel, which is moved behind it.
 *
 * NULL at the end, or where the parcel is malformed: *@at is @size in the first case
 * only.  Its bytes are behind it. */
const struct image_datagram *image_datagram_next(
    const uint8_t *parcel, uint32_t size, uint32_t *at);

/* image_message_next - the same of a unix socket's parcel. */
const struct image_message *image_message_next(
    const uint8_t *parcel, uint32_t size, uint32_t *at);

/* image_fd_find, image_tcp_find, image_unix_find - entry of descriptor @fd, or NULL. */
const struct image_fd *image_fd_find(const struct image *im, int fd);
const struct image_tcp *image_tcp_find(const struct image *im, int fd);
const struct image_unix *image_unix_find(const struct image *im, int fd);

/* image_fds_open - how many of @im->fds are open in the process; those in flight come
 * after them. */
uint32_t image_fds_open(const struct image *im);

/* image_segment_of - what mapping @v of kind IMAGE_VMA_SEGMENT maps, or NULL. */
const struct image_segment *image_segment_of(
    const struct image *im, const struct image_vma *v);

#endif
