/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * descriptors.h - the open descriptors of a stopped process, to an image.
 *
 * First all by a survey, where the kernel has it: what is as it was at the checkpoint
 * before is not looked at again.  Each other one is looked at through a duplicate that
 * is closed at once (a kept one would swallow the process's close()).  What a look at
 * the duplicate does not tell (the close-on-exec flag, locks, paths) is read from /proc
 * the first three times, then every DESCRIPTORS_ROUND checkpoints; of TCP sockets and
 * epoll sets the survey tells it. */
#ifndef BSC_DESCRIPTORS_H
#define BSC_DESCRIPTORS_H

#include "sockmig/ckpt/ipc.h"
#include "sockmig/ckpt/proctext.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/ckpt/trace.h"
#include "sockmig/core/image.h"
#include "sockmig/pages.h"
#include "sockmig/refusal.h"

#include <sys/stat.h>

#define DESCRIPTORS_MAX_NUMBER IMAGE_IN_FLIGHT
#define DESCRIPTORS_ROUND 64
#define DESCRIPTORS_YOUNG 3 /* full looks at first */
#define DESCRIPTORS_HASH 4096

struct descriptor_items { /* what an epoll set watched when it was last looked at */
    uint32_t n, max;
    struct {
        struct image_epoll_item item;
        uint64_t inode;
    } v[];
};

struct descriptor_watched { /* one of them, as it is read */
    uint64_t inode, data;
    uint32_t events;
    int32_t fd;
};

/* What is known of a descriptor; zero for a new one. */
struct descriptor {
    uint64_t seen; /* checkpoint at which it was last there; 0: never */
    uint64_t dev, ino;
    mode_t type;    /* S_IFMT */
    unsigned looks; /* full ones */
    int fdinfo;     /* owned, plus 1: /proc/PID/fdinfo/FD; 0: not open */
    int family, socket_type, protocol;
    uint64_t parcel_hash; /* of what was last sent of a pipe; 0: nothing */
    struct descriptor_items
        *items; /* owned mapping; of an epoll set with a row; NULL: none */
    struct image_fd image;
    struct image_tcp tcp;
    struct tcp_watch watch;
    struct image_unix *un; /* owned; NULL: no unix socket */
    bool ahead;            /* of a connection: by descriptors_ahead() */
    bool quick;            /* of a file without a name: its time tells of writes */
    struct timespec mtime; /* and size, when it was read */
    uint64_t size;
    bool unsent; /* of a unix socket: what it sent was not received yet */
};

/* What the next read asks of each descriptor, changed or not: kept close together,
 * since there may be thousands. */
struct descriptor_brief {
    bool told;      /* its row has all of it that can change */
    uint8_t kind;   /* with .told: enum image_fd_kind */
    uint8_t tcps;   /* how many of im->tcps are its, */
    uint32_t items; /* and of im->items */
};

/* The same of each of im->fds, by index. */
struct descriptor_place {
    uint64_t inode;
    int32_t fd, kind;
    int32_t next; /* index of one with the same hash; -1: none */
};

/* A client that waits to be accepted by the unix socket @listener. */
struct descriptors_waiting {
    uint64_t client, listener; /* inodes */
    int fd;                    /* the listener's */
};
#define DESCRIPTORS_WAITING 1024

/* A pipe whose other end was not found yet: the refusal if it will not be. */
struct descriptors_end {
    int fd;
    const char *cure, *what;
};
#define DESCRIPTORS_ENDS 256

struct descriptors {
    pid_t pid;
    int cell_pid;
    int pidfd, dir_fd;        /* owned: the process, /proc/PID/fd */
    int tee[2];               /* owned: a pipe to look into pipes */
    dev_t pipes;              /* device of all pipes without a name */
    struct survey survey;     /* owned; may be none */
    int diag;                 /* owned: netlink socket in its network namespace; -1 */
    struct descriptor *known; /* owned mapping: by number */
    struct trace *trace;  /* borrowed: its children may hold the other end of pipes */
    struct proctext text; /* owned */
    uint64_t round;       /* number of this checkpoint, from 1 */
    struct survey_row *before; /* owned mapping: by number, as of the last read; .file
                                  0: it was not there, or there was no survey */
    struct survey_rest *rests; /* owned mapping: by number; see survey_read() */
    struct descriptor_brief *briefs; /* owned mapping: by number */
    struct descriptor_place *places; /* owned mapping: of im->fds */
    int32_t *index;                  /* owned mapping: by number, in im->fds */
    int32_t heads[DESCRIPTORS_HASH]; /* index in im->fds of the first by inode; -1 */
    uint64_t *item_inodes;           /* owned mapping: of im->items */
    uint32_t *item_of; /* owned mapping: by number, while a set is looked at */
    struct descriptor_watched *watched; /* owned mapping: the same */
    int *numbers, *last_numbers; /* owned mappings: of this read, the one before */
    int nnumbers, nlast;
    const struct image *into;     /* has what was read the last time; NULL: none has */
    uint32_t nfds, ntcps, nitems; /* of it, then */
    bool shifted; /* this read: from here on entries are at other places of the image */
    bool strangers; /* this read: a descriptor has another open file than before */
    struct image_lock locks[IMAGE_MAX_LOCKS]; /* on files; found when these were */
    uint32_t nlocks;
    uint64_t locks_hash, files_hash;
#define DESCRIPTORS_LOCKS_UNREAD 2
    uint64_t row_locks; /* of this survey's rows; 0: no open file has a lock */
    bool locks_told;    /* it tells the locks */
    bool newcomers;     /* it has a descriptor that was not there, or was another */
    struct descriptors_waiting waiting[DESCRIPTORS_WAITING]; /* of this read */
    uint32_t nwaiting;
    struct descriptors_end ends[DESCRIPTORS_ENDS]; /* of this read */
    unsigned nends;
    int flights[IMAGE_MAX_IN_FLIGHT]; /* owned, during a read: descriptors in flight */
    unsigned nflights;
    uint32_t netns;   /* whose orphans are read: inode number; 0: nobody's */
    int own_fd;       /* owned: /proc/self/fd, where those are */
    struct ipc ipc;   /* owned: it has parcels, too */
    uint32_t map_seq; /* of the mappings, at the last read; see survey_mappings() */
    bool look_only;   /* others may run: nothing is taken out of a queue and put back */
    int highest;      /* descriptor number; .top: of all reads, plus 1 */
    int top;
    unsigned sockets_us; /* of the last read: time spent on sockets */
    unsigned full_looks; /* of the last read */
    bool renamed;        /* caller's: names of files may have changed since it */
};

/* One descriptor being looked at. */
struct look {
    struct descriptors *d;
    struct descriptor *memo;
    const struct survey_row *row; /* of the survey; NULL: none */
    struct image *im;
    struct image_fd *out;
    struct parcels *parcels;
    struct refusals *why;
    int fd, dup;        /* its number; our duplicate */
    int dir_fd, number; /* where it is in /proc: .../fd, and the name there */
    pid_t pid;          /* whose */
    bool full;
    struct stat st;
};

int descriptors_open(struct descriptors *d, struct trace *trace, int cell_pid);
void descriptors_close(struct descriptors *d);

/* descriptors_read - all descriptors into @im (fds, items, tcps), queues that changed
 * since the last call into @parcels.  What is in the last call's @im already, and did
 * not change, is not written again: nobody else may write there.
 *
 * 0; -EOPNOTSUPP: one cannot be protected, see @why; -EAGAIN: a connection gave no
 * consistent state; -ENOSPC: @parcels is full; -ESRCH.  After an error the next call
 * sends all queues again. */
int descriptors_read(struct descriptors *d, struct image *im, struct parcels *parcels,
    struct refusals *why);

/* descriptors_forget - the next call sends all queues again. */
void descriptors_forget(struct descriptors *d);

/* descriptors_ahead - of the process while it runs: what connections are, so that the
 * first read has less to do.  Twice, some milliseconds apart: what is the same both
 * times counts as known. */
void descriptors_ahead(struct descriptors *d);

/* descriptors_list - their numbers, sorted; *surveyed: each has its row in
 * d->survey.rows, at the same index, or rests (d->survey.found, too).  How many;
 * -E2BIG: more than @max; -ESRCH; other -errno. */
int descriptors_list(struct descriptors *d, int *numbers, int max, bool *surveyed);

/* places_begin - before the first of @n descriptors with @d->numbers; @im as the last
 * read left it.  places_end - after the last; false: the next one writes all anew.
 * places_forget - all is to be looked at.  places_drop - descriptor @fd is closed. */
void places_begin(struct descriptors *d, const struct image *im, int n, bool surveyed);
void places_end(struct descriptors *d, const struct image *im, bool good);
void places_forget(struct descriptors *d);
void places_drop(struct descriptors *d, int fd);

/* places_next - descriptor number @i of this read is next in @im.  places_set - it is
 * there, with @inode.  places_chain - it is found by that: none with a lower number is
 * of the same open file.  places_remember - what was read of it had @row. places_looked
 * - it was looked at in place of its row @row (NULL: none), @ret as look_at(); @before:
 * counts of @im ahead of it. */
void places_remember(struct descriptors *d, int fd, const struct survey_row *row);
void places_next(struct descriptors *d, const struct image *im, int i);
void places_set(
    struct descriptors *d, uint32_t index, int fd, uint64_t inode, int kind);
void places_chain(struct descriptors *d, uint32_t index);
struct places_before {
    uint32_t tcps, items;
};
void places_looked(
    struct look *l, const struct survey_row *row, int ret, struct places_before before);

/* places_has - @im has descriptor @fd, and it is of @inode. */
bool places_has(
    const struct descriptors *d, const struct image *im, int fd, uint64_t inode);

/* places_find - index in @im of a descriptor of @inode and @kind (-1: any); -1: none.
 */
int32_t places_find(const struct descriptors *d, uint64_t inode, int kind);

/* look_surveyed_set - what an epoll set watches, by its row.  False: that does not say.
 * look_at_set - the same by its text in d->text; 0, or -errno as look_at(). */
bool look_surveyed_set(struct look *l);
int look_at_set(struct look *l);

/* look_keep_items - what epoll set @m watches: items @first.. of @im.  Without memory
 * it is looked at again the next time. */
void look_keep_items(const struct descriptors *d, struct descriptor *m,
    const struct image *im, uint32_t first);
void look_drop_items(struct descriptor *m);

/* look_add_items - those it had, again.  False: they do not fit. */
bool look_add_items(
    struct descriptors *d, const struct descriptor_items *items, struct image *im);

/* items_check - items whose descriptor is closed.  0, or -EOPNOTSUPP. */
int items_check(struct descriptors *d, struct image *im, struct refusals *why);

/* look_row - of descriptor number @i of a survey: of one that rests that of before.
 * look_by_survey - the next of @im->fds, if by that row nothing of it changed since the
 * checkpoint before; false: it must be looked at. */
const struct survey_row *look_row(const struct descriptors *d, int i);
bool look_by_survey(
    struct descriptors *d, struct image *im, int fd, const struct survey_row *row);

/* look_moved - the same if all that changed is what moves in a connection; its queues
 * into @parcels.  look_is_due - it is looked at again, whatever the survey says. */
bool look_moved(struct descriptors *d, struct image *im, int fd,
    const struct survey_row *row, struct parcels *parcels);
bool look_is_due(const struct descriptors *d, int fd, bool socket);

/* For the files that know one kind each; results as above. */
void look_begin(struct look *l);                /* nothing is known of it */
int look_option(int sock, int level, int name); /* of a socket; 0: it has none */
int look_at_file(struct look *l);
int look_at_special(struct look *l); /* epoll, eventfd, timerfd, signalfd, inotify */
int look_at_inotify(struct look *l); /* its text has been read */
int look_at_pipe(struct look *l);
int pipe_content(struct look *l);
int look_at_fifo(struct look *l); /* named pipe */
int fifo_content(struct look *l);

/* pipe_bytes - @size unread bytes of the pipe that l->dup reads, as the parcel of its
 * descriptor, if they are others than the last time. */
int pipe_bytes(struct look *l, uint32_t size, uint32_t capacity);
int look_at_owner(struct look *l);    /* of its signals (O_ASYNC) */
int look_at_terminal(struct look *l); /* a character device that is one */
int terminal_content(struct look *l);
int look_at_socket(struct look *l);
int look_at_unnamed(struct look *l);
int unnamed_content(struct look *l);
int look_at_unix(struct look *l);
int unix_content(struct look *l, struct image_unix *u); /* unread messages */
int look_at_flight(struct descriptors *d, int i, struct image *im,
    struct parcels *parcels, struct refusals *why);

/* flights_read - after all that are open: those in flight.  flight_check: may this one
 * be?  flights_end - in any case. */
int flights_read(struct descriptors *d, struct image *im, struct parcels *parcels,
    struct refusals *why);
int flight_check(struct look *l);
void flights_end(struct descriptors *d);

/* ends_note - of a pipe whose other end is not found: it is refused by ends_check(),
 * after all descriptors, if none of them is it. */
int ends_note(struct look *l, const char *cure, const char *what);
int ends_check(struct descriptors *d, const struct image *im, struct refusals *why);

/* locks_read - after all descriptors: locks on files.  0; -EOPNOTSUPP; -ESRCH. */
int locks_read(struct descriptors *d, struct image *im, struct refusals *why);

/* unix_check - after all descriptors: the other ends of the unix sockets must be among
 * them.  0 or -EOPNOTSUPP. */
int unix_check(struct descriptors *d, struct image *im, struct refusals *why);

/* look_id - of process or thread @pid: its id in the cell, where the engine sees @id in
 * line @field of its status.  look_group: of a process group.  0: not known. */
int look_id(struct look *l, pid_t pid, const char *field, int id);
int look_group(struct look *l, int id);
int look_refuse(struct look *l, const char *cure, const char *what);

#endif
