/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_fd.h - the descriptors of an image, and what belongs to them: included by
 * image.h, whose words on encoding and checking hold for it.
 *
 * Pure.  Design: doc/design/image.md. */
#ifndef BSC_IMAGE_FD_H
#define BSC_IMAGE_FD_H

#include <stdint.h>

#define IMAGE_PATH 256 /* longest path, with the NUL; longer is refused by name */

/* A descriptor that waits in the queue of a unix socket (SCM_RIGHTS) has a number from
 * here on. */
#define IMAGE_IN_FLIGHT 65536
#define IMAGE_MAX_IN_FLIGHT 1024

struct image_timespec {
    int64_t sec, nsec;
};

enum image_fd_kind {
    IMAGE_FD_FILE, /* regular file, directory, or an allowed device */
    IMAGE_FD_TCP_LISTEN,
    IMAGE_FD_TCP,      /* established or half closed: see struct image_tcp of this fd */
    IMAGE_FD_TCP_DEAD, /* closed or reset, the descriptor still open */
    IMAGE_FD_TCP_FRESH, /* a socket neither bound nor connected */
    IMAGE_FD_UNIX,      /* see struct image_unix of this fd */
    IMAGE_FD_EPOLL,
    IMAGE_FD_EVENTFD,
    IMAGE_FD_TIMERFD,
    IMAGE_FD_SIGNALFD,
    IMAGE_FD_PIPE_READ,
    IMAGE_FD_PIPE_WRITE,
    IMAGE_FD_UDP,
    IMAGE_FD_NETLINK,
    IMAGE_FD_INOTIFY, /* see struct image_watch */
    IMAGE_FD_MEMFD,
    IMAGE_FD_TCP_BOUND, /* neither listens nor is connected */
    IMAGE_FD_PTY_MASTER,
    IMAGE_FD_PTY_SLAVE,
    IMAGE_FD_RAW,  /* internet socket: as UDP, without what is unread */
    IMAGE_FD_FIFO, /* named pipe */
    IMAGE_FD_NKINDS
};

/* One option of a UDP or raw socket each: the table in sockmig/ckpt/udp.c says which.
 */
#define IMAGE_UDP_OPTIONS 40

struct image_udp {
    uint8_t local[28], remote[28];  /* struct sockaddr_in or _in6 */
    uint32_t local_len, remote_len; /* remote_len 0: not connected */
    int32_t family;                 /* local port 0: not bound */
    int32_t sndbuf, rcvbuf, buf_lock;
    int32_t options[IMAGE_UDP_OPTIONS]; /* -1: not known to the socket */
    uint32_t queued;   /* bytes of unread datagrams, in the parcel of this fd */
    int32_t protocol;  /* of a raw socket; 0: UDP */
    uint8_t icmp6[32]; /* ICMP6_FILTER of one of that protocol */
};

/* Unread datagrams in a parcel: this, then .size bytes, padded with zeroes to 8; the
 * oldest first. */
#define IMAGE_DATAGRAM_MAX 65535u

struct image_datagram {
    uint32_t size;
    uint32_t pad;
    uint8_t from[28], to[28]; /* struct sockaddr_in or _in6 */
};

/* Options of a TCP socket without a connection: the table in sockmig/ckpt/options.c. */
#define IMAGE_OPTIONS 24

struct image_options {
    int32_t values[IMAGE_OPTIONS]; /* -1: not known to the socket, or not set */
    int32_t linger_on, linger_sec;
    int64_t receive_us, send_us; /* time limits */
    char congestion[16];
};

#define IMAGE_NETLINK_OPTIONS 8
#define IMAGE_NETLINK_GROUPS 16 /* words */

struct image_netlink {
    int32_t protocol;
    uint32_t port;                         /* 0: not bound */
    uint32_t groups[IMAGE_NETLINK_GROUPS]; /* group n at bit n-1 */
    int32_t options[IMAGE_NETLINK_OPTIONS], sndbuf, rcvbuf;
};

/* A pseudo-terminal.  What the pair has is with its master; of a slave only .index is
 * set.  The parcel of the master: .output bytes that it has not read, then .input as it
 * is to be written to the master (sockmig/ckpt/terminal.h). */
#define IMAGE_PTY_INDEX (1u << 20)
#define IMAGE_PTY_QUEUE (1u << 17)

struct image_pty {
    uint32_t index;              /* of /dev/pts/INDEX */
    int32_t session, foreground; /* in the cell; 0: nobody's, or a group without members
                                  */
    uint32_t input_flags, output_flags, control_flags,
        local_flags; /* struct termios2 */
    uint32_t input_speed, output_speed;
    uint8_t line, characters[19];
    uint16_t rows, columns, width, height;
    uint32_t packet, locked, exclusive;
    uint32_t opened, hung;   /* a slave is open; there was one, and it was closed */
    uint32_t mode, uid, gid; /* of the file /dev/pts/INDEX */
    uint32_t output, input;
};

/* An open named pipe.  .hung: the kernel has shown that its writers (readers) are gone.
 * What is unread is the parcel of each end that reads, or of one that writes to nobody.
 */
struct image_fifo {
    uint64_t dev;
    uint32_t queued, capacity;
    uint32_t mode, uid, gid, deleted, hung, pad;
    char path[IMAGE_PATH];
};

struct image_fd { /* sorted by fd */
    int32_t fd, kind;
    int32_t dup_of; /* lower fd that shares the open file; -1: none */
    uint32_t flags; /* F_GETFL */
    uint32_t cloexec, socktype;
    uint64_t inode; /* identity: of the file, pipe or socket */
    int32_t owner, owner_type, owner_signal, pad; /* O_ASYNC: as fcntl() has them */
    union {
        struct {
            uint64_t position, size;
            uint32_t deleted, mode, seals, pad; /* deleted, and memory files: the
                                                   content is the parcel of this fd */
            char path[IMAGE_PATH];              /* of a memory file: its name */
        } file;                                 /* FILE, MEMFD */
        struct {
            uint8_t address[28]; /* struct sockaddr_in or _in6 */
            uint32_t address_len;
            int32_t family, backlog, reuse_addr, reuse_port, v6only, nodelay, keepalive;
            int32_t keep_idle, keep_interval, keep_count, defer_accept, user_timeout;
            int32_t sndbuf, rcvbuf, buf_lock, fastopen;
            struct image_options options;
        } listen; /* TCP_LISTEN, TCP_BOUND, TCP_FRESH */
        struct {
            int32_t family;
            uint32_t queued; /* bytes unread, in the parcel of this fd */
            uint32_t error;  /* that its process has not been told yet; 0: none */
        } dead;              /* TCP_DEAD */
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
        struct image_netlink netlink;
        struct image_pty pty;
        struct image_fifo fifo;
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
    int32_t rcv_lowat, notsent_lowat, quickack;
    uint32_t rtt_ms; /* round trip; at least 1, 0: not known */
    char congestion[16];
    uint64_t dumped_ns;  /* active node's monotonic clock at this dump */
    uint64_t generation; /* +1 each time this entry was dumped anew */
};

struct image_watch { /* of an inotify instance; sorted by fd and wd */
    int32_t fd, wd;
    uint32_t mask, pad;
    char path[IMAGE_PATH];
};

enum image_lock_kind {
    IMAGE_LOCK_FLOCK,
    IMAGE_LOCK_POSIX,
    IMAGE_LOCK_OFD,
    IMAGE_LOCK_NKINDS
};

struct image_lock { /* on a file, taken through descriptor .fd */
    int32_t fd;
    uint32_t kind, exclusive, pad;
    int64_t start, end; /* bytes, inclusive; -1: to the end */
};

enum image_unix_state {
    IMAGE_UNIX_NONE, /* not connected */
    IMAGE_UNIX_LISTENS,
    IMAGE_UNIX_CONNECTED, /* peer 0: the other end is gone */
    IMAGE_UNIX_WAITS,     /* to be accepted by .peer, which listens */
    IMAGE_UNIX_OUTSIDE,   /* sends to a socket of the host that has the name .remote */
    IMAGE_UNIX_NSTATES
};

/* One unix socket.  Its unread messages are the parcel of .fd. */
#define IMAGE_UNIX_NAME 110 /* struct sockaddr_un */

struct image_unix { /* sorted by fd */
    int32_t fd;
    uint32_t type, state; /* SOCK_STREAM, DGRAM or SEQPACKET; enum image_unix_state */
    uint32_t shutdown;    /* 1: receives no more, 2: sends no more */
    uint64_t peer;        /* image_fd.inode of the other end */
    uint32_t queued;      /* bytes of unread messages */
    int32_t backlog, sndbuf, rcvbuf, buf_lock;
    uint32_t mode, uid, gid; /* of the file .path */
    uint32_t local_len, remote_len;
    uint8_t local[IMAGE_UNIX_NAME], remote[IMAGE_UNIX_NAME];
    uint8_t pad[4];
    struct image_options options;
    char path[IMAGE_PATH]; /* its name's file, absolute; "": none, or removed */
};

/* Unread messages in a parcel: this, then .size bytes, padded with zeroes to 8; the
 * oldest first.  Of a stream the cuts between them mean nothing. */
struct image_message {
    uint32_t size, name_len;
    int32_t first;                 /* number of the first descriptor that it carries, */
    uint32_t nfds;                 /* and of how many */
    uint8_t name[IMAGE_UNIX_NAME]; /* of the sender */
    uint8_t pad[2];
};

#endif
