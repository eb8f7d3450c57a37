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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_PAGE 4096u
#define IMAGE_PATH 256 /* longest path, with the NUL; longer is refused by name */
#define IMAGE_MAX_THREADS 512
#define IMAGE_MAX_VMAS 8192
#define IMAGE_MAX_FDS 16384
#define IMAGE_MAX_ITEMS 16384 /* of all epoll sets together */
#define IMAGE_MAX_TIMERS 64
#define IMAGE_MAX_CHILDREN 64
#define IMAGE_MAX_SIGNALS 64 /* pending, process and threads each */
#define IMAGE_XSTATE 11264   /* bytes of NT_X86_XSTATE; 2,696 with AVX-512 */

struct image_sigaction { /* as the kernel's rt_sigaction has it on x86-64 */
    uint64_t handler, flags, restorer, mask;
};

struct image_siginfo { /* a siginfo_t as PTRACE_PEEKSIGINFO gives it */
    uint8_t bytes[128];
};

struct image_timespec {
    int64_t sec, nsec;
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
    char exe[IMAGE_PATH], cwd[IMAGE_PATH];
};

struct image_thread {
    int32_t tid; /* in the cell; the first thread is the leader */
    uint32_t rseq_size, rseq_signature, nsignals;
    uint64_t regs[27]; /* struct user_regs_struct */
    uint64_t sigmask, rseq_address, robust_head, robust_len, clear_tid;
    uint64_t altstack_sp, altstack_size;
    uint32_t altstack_flags, xstate_len;
    char comm[16];
    struct image_siginfo signals[16]; /* pending for this thread */
    uint8_t xstate[IMAGE_XSTATE];
};

enum image_vma_kind {
    IMAGE_VMA_ANON,
    IMAGE_VMA_FILE, /* private mapping of a file */
    IMAGE_VMA_SHARED_FILE,
    IMAGE_VMA_SHARED_ANON, /* of this process alone */
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
    IMAGE_VMA_NORESERVE = 128
};

struct image_vma { /* sorted by start, not overlapping */
    uint64_t start, end, offset, inode;
    uint32_t kind, prot, flags; /* prot: PROT_READ 1, WRITE 2, EXEC 4 */
    uint32_t dev_major, dev_minor, pad;
    uint64_t
        file_hash; /* of the mapped file's build: build-id or content; 0: not a file */
    char path[IMAGE_PATH];
};

enum image_fd_kind {
    IMAGE_FD_FILE, /* regular file, directory, or an allowed device */
    IMAGE_FD_TCP_LISTEN,
    IMAGE_FD_TCP,      /* established or half closed: see struct image_tcp of this fd */
    IMAGE_FD_TCP_DEAD, /* closed or reset, the descriptor still open */
    IMAGE_FD_TCP_FRESH, /* a socket neither bound nor connected */
    IMAGE_FD_UNIX_DEAD, /* half of a pair whose other half is gone */
    IMAGE_FD_EPOLL,
    IMAGE_FD_EVENTFD,
    IMAGE_FD_TIMERFD,
    IMAGE_FD_SIGNALFD,
    IMAGE_FD_PIPE_READ,
    IMAGE_FD_PIPE_WRITE,
    IMAGE_FD_UDP,
    IMAGE_FD_NKINDS
};

/* One option of a UDP socket each: the table in sockmig/ckpt/udp.c says which. */
#define IMAGE_UDP_OPTIONS 32

struct image_udp {
    uint8_t local[28], remote[28];  /* struct sockaddr_in or _in6 */
    uint32_t local_len, remote_len; /* remote_len 0: not connected */
    int32_t family;                 /* local port 0: not bound */
    int32_t sndbuf, rcvbuf, buf_lock;
    int32_t options[IMAGE_UDP_OPTIONS]; /* -1: not known to the socket */
    uint32_t queued; /* bytes of unread datagrams, in the parcel of this fd */
    uint32_t pad;
};

/* Unread datagrams in a parcel: this, then .size bytes, padded with zeroes to 8; the
 * oldest first. */
#define IMAGE_DATAGRAM_MAX 65535u

struct image_datagram {
    uint32_t size;
    uint32_t pad;
    uint8_t from[28], to[28]; /* struct sockaddr_in or _in6 */
};

struct image_fd { /* sorted by fd */
    int32_t fd, kind;
    int32_t dup_of; /* lower fd that shares the open file; -1: none */
    uint32_t flags; /* F_GETFL */
    uint32_t cloexec, socktype;
    uint64_t inode; /* identity: of the file, pipe or socket */
    union {
        struct {
            uint64_t position, size;
            char path[IMAGE_PATH];
        } file;
        struct {
            uint8_t address[28]; /* struct sockaddr_in or _in6 */
            uint32_t address_len;
            int32_t family, backlog, reuse_addr, reuse_port, v6only, nodelay, keepalive;
            int32_t keep_idle, keep_interval, keep_count, defer_accept, user_timeout;
            int32_t sndbuf, rcvbuf, buf_lock, fastopen;
        } listen;
        struct {
            uint64_t count;
            uint32_t semaphore;
        } eventfd;
        struct {
            int32_t clock;
            uint32_t settime_flags;
            uint64_t ticks;
            struct image_timespec left, interval;
        } timerfd;
        struct {
            uint64_t mask;
        } signalfd;
        struct {
            uint32_t queued;   /* bytes, in the parcel of this fd */
            uint32_t capacity; /* F_GETPIPE_SZ */
        } pipe;
        struct image_udp udp;
    } u;
};

struct image_epoll_item {
    int32_t epfd, fd;
    uint32_t events, pad;
    uint64_t data;
};

/* One TCP connection.  Sequence numbers as TCP_REPAIR has them:
 *
 *     snd_una = write_seq - outq - (FIN sent and not acknowledged: 1)
 *     rcv_nxt counts a FIN that was received
 *
 * Its queues are the parcel of .fd: inq unread bytes, then outq bytes of which the
 * last .unsent were never sent. */
struct image_tcp { /* sorted by fd */
    int32_t fd;
    uint32_t state; /* TCP_ESTABLISHED .. TCP_CLOSING, linux/tcp_states.h */
    int32_t family;
    uint8_t local[28], remote[28]; /* struct sockaddr_in or _in6 */
    uint32_t address_len;
    uint32_t rcv_nxt, write_seq, inq, outq, unsent;
    uint32_t mss, options, snd_wscale, rcv_wscale, timestamp;
    uint32_t has_window;
    uint32_t snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup;
    int32_t nodelay, cork, keepalive, keep_idle, keep_interval, keep_count,
        user_timeout;
    int32_t sndbuf, rcvbuf, buf_lock, reuse_addr, reuse_port, linger_on, linger_sec,
        tos;
    int32_t rcv_lowat, notsent_lowat, quickack, pad;
    char congestion[16];
    uint64_t dumped_ns;  /* active node's monotonic clock at this dump */
    uint64_t generation; /* +1 each time this entry was dumped anew */
};

struct image_child { /* a process that the service forked: given up at a takeover */
    int32_t pid;     /* in the cell; restored as killed by SIGKILL, so that the parent
                        learns what happened and goes on */
    int32_t exit_signal;
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
    struct image_timer timers[IMAGE_MAX_TIMERS];
    uint32_t ntimers;
    struct image_child children[IMAGE_MAX_CHILDREN];
    uint32_t nchildren;
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

/* image_lines - difference of two encodings, in lines of 64 bytes at equal offsets.
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

/* image_fd_find, image_tcp_find - entry of descriptor @fd, or NULL. */
const struct image_fd *image_fd_find(const struct image *im, int fd);
const struct image_tcp *image_tcp_find(const struct image *im, int fd);

#endif
