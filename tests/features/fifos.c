/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fifos.c - named pipes. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static short
revents(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

    return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static const char *
open_ends(const char *name, int ends[2])
{
    unlink(name);
    WANT(mkfifo(name, 0600) == 0);
    ends[0] = open(name, O_RDONLY | O_NONBLOCK);
    ends[1] = open(name, O_WRONLY | O_NONBLOCK);
    WANT(ends[0] >= 0 && ends[1] >= 0);
    return NULL;
}

#define DO(what)                                                                       \
    do {                                                                               \
        const char *wrong_ = (what);                                                   \
        if (wrong_)                                                                    \
            return wrong_;                                                             \
    } while (0)

/* ---- both ends */

static int stream[2];
static uint32_t sent, received;

static void
step_stream(void)
{
    uint32_t v;

    for (int i = 0; i < 3; i++)
        if (write(stream[1], &sent, sizeof sent) == sizeof sent)
            sent++;
    while (sent - received > 300 && read(stream[0], &v, sizeof v) == sizeof v)
        received += v == received;
}

static const char *
set_up_stream(void)
{
    return open_ends("fifo-stream", stream);
}

static const char *
check_stream(void)
{
    uint32_t v;

    WANT(fcntl(stream[0], F_GETFL) & O_NONBLOCK);
    while (read(stream[0], &v, sizeof v) == sizeof v)
        WANT(v == received++);
    WANT(received == sent && read(stream[0], &v, 1) < 0 && errno == EAGAIN);
    return NULL;
}

static int both;

static const char *
set_up_both(void)
{
    unlink("fifo-both");
    WANT(mkfifo("fifo-both", 0600) == 0);
    both = open("fifo-both", O_RDWR | O_NONBLOCK);
    WANT(both >= 0 && write(both, "both ways", 9) == 9);
    return NULL;
}

static const char *
check_both(void)
{
    char text[16] = "";
    int reader = open("fifo-both", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    WANT(read(both, text, 16) == 9 && strcmp(text, "both ways") == 0);
    WANT(write(both, "both ways", 9) == 9);
    WANT(reader >= 0 && read(reader, text, 4) == 4 && strncmp(text, "both", 4) == 0);
    WANT(read(reader, text, 16) == 5 && close(reader) == 0); /* it has its name */
    WANT(write(both, "both ways", 9) == 9);
    return NULL;
}

/* Several open files of one pipe, each with flags of its own, and a duplicate. */
static int several[4];

static const char *
set_up_several(void)
{
    DO(open_ends("fifo-several", several));
    several[2] = open("fifo-several", O_RDONLY);
    several[3] = dup(several[1]);
    WANT(several[2] >= 0 && several[3] >= 0 && write(several[1], "abcdef", 6) == 6);
    return NULL;
}

static const char *
check_several(void)
{
    char text[8] = "";

    WANT(read(several[0], text, 3) == 3 && strcmp(text, "abc") == 0);
    WANT(read(several[2], text, 3) == 3 && strcmp(text, "def") == 0);
    WANT(read(several[0], text, 1) < 0 && errno == EAGAIN);
    WANT((fcntl(several[2], F_GETFL) & O_NONBLOCK) == 0);
    WANT(fcntl(several[3], F_SETFL, O_WRONLY) == 0); /* of both duplicates */
    WANT((fcntl(several[1], F_GETFL) & O_NONBLOCK) == 0);
    WANT(fcntl(several[1], F_SETFL, O_WRONLY | O_NONBLOCK) == 0);
    WANT(write(several[3], "abcdef", 6) == 6);
    return NULL;
}

static int large[2];

static const char *
set_up_large(void)
{
    static char block[100000];

    DO(open_ends("fifo-large", large));
    WANT(chmod("fifo-large", 0620) == 0 && chown("fifo-large", 7, 8) == 0);
    WANT(fcntl(large[1], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 5; i++)
        WANT(write(large[1], block, sizeof block) == sizeof block);
    return NULL;
}

static const char *
check_large(void)
{
    static char block[100000];
    struct stat st;

    WANT(fcntl(large[0], F_GETPIPE_SZ) == 1 << 20);
    WANT(fstat(large[0], &st) == 0 && (st.st_mode & 07777) == 0620 && st.st_uid == 7 &&
         st.st_gid == 8);
    for (int i = 0; i < 5; i++)
        WANT(read(large[0], block, sizeof block) == sizeof block && block[77] == 'x');
    WANT(revents(large[0]) == 0);
    for (int i = 0; i < 5; i++)
        WANT(write(large[1], block, sizeof block) == sizeof block);
    return NULL;
}

/* ---- one end */

static int fresh;

static const char *
set_up_fresh(void)
{
    unlink("fifo-fresh");
    WANT(mkfifo("fifo-fresh", 0600) == 0);
    fresh = open("fifo-fresh", O_RDONLY | O_NONBLOCK);
    WANT(fresh >= 0 && revents(fresh) == 0);
    return NULL;
}

static const char *
check_fresh(void)
{
    char text[8] = "";
    int writer;

    WANT(revents(fresh) == 0);
    writer = open("fifo-fresh", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    WANT(writer >= 0 && write(writer, "hi", 2) == 2 && close(writer) == 0);
    WANT(read(fresh, text, 8) == 2 && (revents(fresh) & POLLHUP));
    close(fresh);
    return set_up_fresh();
}

static int left;

static const char *
set_up_left(void)
{
    int ends[2];

    DO(open_ends("fifo-left", ends));
    left = ends[0];
    WANT(write(ends[1], "last words", 10) == 10 && close(ends[1]) == 0);
    return NULL;
}

static const char *
check_left(void)
{
    char text[16] = "";

    WANT(revents(left) == (POLLIN | POLLHUP));
    WANT(read(left, text, 16) == 10 && strcmp(text, "last words") == 0);
    WANT(read(left, text, 16) == 0 && revents(left) == POLLHUP);
    close(left);
    return set_up_left();
}

static int unheard;

static const char *
set_up_unheard(void)
{
    int ends[2];

    DO(open_ends("fifo-unheard", ends));
    unheard = ends[1];
    WANT(write(unheard, "anybody?", 8) == 8 && close(ends[0]) == 0);
    signal(SIGPIPE, SIG_IGN);
    return NULL;
}

static const char *
check_unheard(void)
{
    char text[16] = "";
    int reader;

    WANT((revents(unheard) & POLLERR) && write(unheard, "x", 1) < 0 && errno == EPIPE);
    reader = open("fifo-unheard", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    WANT(read(reader, text, 16) == 8 && strcmp(text, "anybody?") == 0);
    WANT(write(unheard, "anybody?", 8) == 8 && close(reader) == 0);
    return NULL;
}

/* ---- names */

static int nameless[2];

static const char *
set_up_nameless(void)
{
    DO(open_ends("fifo-nameless", nameless));
    WANT(unlink("fifo-nameless") == 0 && write(nameless[1], "still here", 10) == 10);
    return NULL;
}

static const char *
check_nameless(void)
{
    char text[16] = "";
    struct stat st;

    WANT(fstat(nameless[0], &st) == 0 && S_ISFIFO(st.st_mode) && st.st_nlink == 0);
    WANT(access("fifo-nameless", F_OK) < 0);
    WANT(read(nameless[0], text, 16) == 10 && strcmp(text, "still here") == 0);
    WANT(write(nameless[1], "still here", 10) == 10);
    return NULL;
}

static int renamed[2], renames;

static void
step_renamed(void)
{
    const char *const names[] = { "fifo-one", "fifo-two" };

    if (rename(names[renames % 2], names[(renames + 1) % 2]) == 0)
        renames++;
}

static const char *
set_up_renamed(void)
{
    unlink("fifo-two");
    return open_ends("fifo-one", renamed);
}

static const char *
check_renamed(void)
{
    struct stat st;
    char c;

    WANT(write(renamed[1], "r", 1) == 1 && read(renamed[0], &c, 1) == 1 && c == 'r');
    WANT(fstat(renamed[1], &st) == 0 && S_ISFIFO(st.st_mode));
    return NULL;
}

/* Places of things that cannot be opened. */
static int places[2];

static const char *
set_up_places(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "fifo-socket" };
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink("fifo-place");
    unlink("fifo-socket");
    WANT(mkfifo("fifo-place", 0600) == 0);
    WANT(bind(s, (struct sockaddr *)&name, sizeof name) == 0 && close(s) == 0);
    places[0] = open("fifo-place", O_PATH);
    places[1] = open("fifo-socket", O_PATH);
    WANT(places[0] >= 0 && places[1] >= 0);
    return NULL;
}

static const char *
check_places(void)
{
    struct stat st;

    WANT(fstat(places[0], &st) == 0 && S_ISFIFO(st.st_mode));
    WANT(fstat(places[1], &st) == 0 && S_ISSOCK(st.st_mode));
    WANT(fcntl(places[0], F_GETFL) & O_PATH);
    return NULL;
}

/* ---- waiting */

static atomic_long opens, reads;

static void *
keep_opening(void *arg)
{
    char c;
    int fd;

    (void)arg;
    for (;;) {
        fd = open("fifo-waited", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        opens++;
        while (read(fd, &c, 1) == 1)
            reads++;
        close(fd);
    }
    return NULL;
}

static const char *
set_up_waited(void)
{
    unlink("fifo-waited");
    WANT(mkfifo("fifo-waited", 0600) == 0);
    WANT(start_thread(keep_opening, NULL));
    return NULL;
}

static const char *
check_waited(void)
{
    long opened = opens, got = reads;
    int fd = open("fifo-waited", O_WRONLY | O_CLOEXEC); /* waits for the reader */

    WANT(fd >= 0 && grows(&opens, opened));
    nap(5); /* it waits for a byte now */
    WANT(write(fd, "x", 1) == 1 && grows(&reads, got) && close(fd) == 0);
    return NULL;
}

/* ---- refused */

static const char *
set_up_elsewhere(void)
{
    int ready[2];
    char c;

    unlink("fifo-elsewhere");
    WANT(mkfifo("fifo-elsewhere", 0600) == 0 && pipe(ready) == 0);
    WANT(open("fifo-elsewhere", O_RDONLY | O_NONBLOCK) >= 0);
    if (fork() == 0) {
        if (fork() == 0) { /* nobody's child */
            int fd = open("fifo-elsewhere", O_WRONLY);

            if (fd < 0 || write(ready[1], "!", 1) != 1)
                _exit(1);
            close_range(0, (unsigned)fd - 1, 0);
            close_range((unsigned)fd + 1, ~0u, 0);
            for (;;)
                pause();
        }
        _exit(0);
    }
    WANT(wait(NULL) > 0 && read(ready[0], &c, 1) == 1);
    return close(ready[0]) == 0 && close(ready[1]) == 0 ? NULL : "close";
}

static const struct feature rows[] = {
    { "both ends, written and read", NULL, 0, set_up_stream, check_stream,
        step_stream },
    { "open for both ways", NULL, 0, set_up_both, check_both, NULL },
    { "opened several times, unread bytes", NULL, 0, set_up_several, check_several,
        NULL },
    { "of 1 MB, owner and mode", NULL, 0, set_up_large, check_large, NULL },
    { "reader whose first writer has not come", NULL, 0, set_up_fresh, check_fresh,
        NULL },
    { "reader whose writer has gone, unread bytes", NULL, 0, set_up_left, check_left,
        NULL },
    { "writer whose reader has gone, unread bytes", NULL, 0, set_up_unheard,
        check_unheard, NULL },
    { "whose file was removed", NULL, 0, set_up_nameless, check_nameless, NULL },
    { "whose file is renamed again and again", NULL, 0, set_up_renamed, check_renamed,
        step_renamed },
    { "thread that waits for the other end, and reads", NULL, 0, set_up_waited,
        check_waited, NULL },
    { "O_PATH of a named pipe and of a socket", NULL, 0, set_up_places, check_places,
        NULL },
    { "whose other end is in another process", "other end is in another process",
        FEATURE_ALONE, set_up_elsewhere, NULL, NULL },
};

AREA(area_fifos, "Named pipes", rows);
