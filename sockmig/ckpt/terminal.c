/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The line discipline has no way to look at unread bytes without taking them.  They go
 * back by the other side, with settings under which no byte means anything: output
 * through the slave without processing, input through the master without signals, echo
 * and editing.  Kernel: drivers/tty/n_tty.c, pty.c, tty_io.c. */
#include "sockmig/ckpt/terminal.h"

#include "lib/fd.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define SLAVES_FIRST 136u /* major numbers of unix98 slaves */
#define SLAVES_LAST 143u
#define PATIENCE_MS 1000 /* with the kernel's processing of what was put */

_Static_assert(
    sizeof((struct termios2){ 0 }.c_cc) == sizeof((struct image_pty){ 0 }.characters),
    "the image has the kernel's control characters");

bool
terminal_is_one(const struct stat *st)
{
    unsigned number = major(st->st_rdev);

    return S_ISCHR(st->st_mode) &&
           (number == 4 || number == 5 ||
               (number >= SLAVES_FIRST && number <= SLAVES_LAST));
}

int
terminal_index(int fd)
{
    unsigned dev;

    if (ioctl(fd, TIOCGDEV, &dev) < 0 || major(dev) < SLAVES_FIRST ||
        major(dev) > SLAVES_LAST)
        return TERMINAL_NOT_ONE;
    return (int)((major(dev) - SLAVES_FIRST) * 256 + minor(dev));
}

/* ---- new ones */

/* The kernel gives the lowest free number: those below are held meanwhile. */
int
terminal_open(uint32_t index)
{
    int *held = calloc(index + 1u, sizeof *held), ret = held ? 0 : -ENOMEM;
    unsigned n = 0, number;
    int unlocked = 0;

    while (ret == 0) {
        int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

        if (fd < 0 || ioctl(fd, TIOCGPTN, &number) < 0)
            ret = -errno;
        else if (number == index)
            ret = fd;
        else if (number > index || n > index)
            ret = -EEXIST;
        if (ret == 0)
            held[n++] = fd;
        else if (ret < 0)
            fd_close(fd);
    }
    while (n > 0)
        fd_close(held[--n]);
    if (ret > 0 && ioctl(ret, TIOCSPTLCK, &unlocked) < 0) {
        n = (unsigned)errno;
        fd_close(ret);
        ret = -(int)n;
    }
    free(held);
    return ret;
}

int
terminal_slave(int master, int flags)
{
    int fd = ioctl(master, TIOCGPTPEER, flags | O_NOCTTY);

    /* O_CLOEXEC would stay among the flags of the open file, which is handed on */
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool
terminal_exclusive(int fd)
{
    int on = 0;

    return ioctl(fd, TIOCGEXCL, &on) == 0 && on != 0;
}

void
terminal_set_exclusive(int fd)
{
    ioctl(fd, TIOCEXCL);
}

/* ---- settings */

int
terminal_get(int master, struct image_pty *p)
{
    struct termios2 t;
    struct winsize size;

    if (ioctl(master, TCGETS2, &t) < 0 || ioctl(master, TIOCGWINSZ, &size) < 0)
        return -errno;
    p->input_flags = t.c_iflag;
    p->output_flags = t.c_oflag;
    p->control_flags = t.c_cflag;
    p->local_flags = t.c_lflag;
    p->input_speed = t.c_ispeed;
    p->output_speed = t.c_ospeed;
    p->line = t.c_line;
    memcpy(p->characters, t.c_cc, sizeof p->characters);
    p->rows = size.ws_row;
    p->columns = size.ws_col;
    p->width = size.ws_xpixel;
    p->height = size.ws_ypixel;
    return 0;
}

static struct termios2
settings(const struct image_pty *p)
{
    struct termios2 t = { .c_iflag = p->input_flags,
        .c_oflag = p->output_flags,
        .c_cflag = p->control_flags,
        .c_lflag = p->local_flags,
        .c_line = p->line,
        .c_ispeed = p->input_speed,
        .c_ospeed = p->output_speed };

    memcpy(t.c_cc, p->characters, sizeof t.c_cc);
    return t;
}

int
terminal_set(int master, const struct image_pty *p)
{
    struct termios2 t = settings(p);

    return ioctl(master, TCSETS2, &t) < 0 ? -errno : 0;
}

/* No byte is special but what ends a line.  IXON stays: to take it away would let a
 * stopped terminal go on. */
static int
set_literal(int master, const struct image_pty *p, unsigned local_flags)
{
    struct termios2 t = settings(p);

    t.c_iflag &= IXON;
    t.c_oflag = 0;
    t.c_lflag = local_flags | IEXTEN;
    t.c_cc[VLNEXT] = TERMINAL_LITERAL;
    t.c_cc[VERASE] = t.c_cc[VKILL] = t.c_cc[VWERASE] = t.c_cc[VREPRINT] = 0;
    t.c_cc[VSTART] = t.c_cc[VSTOP] = 0;
    return ioctl(master, TCSETS2, &t) < 0 ? -errno : 0;
}

/* ---- unread bytes */

static bool
canonical(const struct image_pty *p)
{
    return (p->local_flags & (ICANON | EXTPROC)) == ICANON;
}

static short
events(int fd, short wanted)
{
    struct pollfd pfd = { .fd = fd, .events = wanted };

    return poll(&pfd, 1, 0) > 0 ? pfd.revents : 0;
}

bool
terminal_is_stopped(int master, int slave)
{
    return !(events(slave, POLLOUT) & POLLOUT) && !(events(master, POLLIN) & POLLIN);
}

static uint32_t
take_output(int master, uint8_t *to)
{
    uint32_t n = 0;

    while (n < IMAGE_PTY_QUEUE && (events(master, POLLIN) & POLLIN)) {
        ssize_t got = read(master, to + n, IMAGE_PTY_QUEUE - n);

        if (got <= 0)
            break;
        n += (uint32_t)got;
    }
    return n;
}

static uint32_t
literal(const uint8_t *from, uint32_t n, uint8_t *to)
{
    for (uint32_t i = 0; i < n; i++) {
        to[2 * i] = TERMINAL_LITERAL;
        to[2 * i + 1] = from[i];
    }
    return 2 * n;
}

static bool
ends_line(const struct image_pty *p, uint8_t c)
{
    return c == '\n' || (c && (c == p->characters[VEOL] || c == p->characters[VEOL2]));
}

/* A line each time; what does not end as one was ended by the end-of-file character,
 * which is not given to readers. */
static uint32_t
take_lines(int slave, const struct image_pty *p, uint8_t *to)
{
    uint8_t line[8192];
    uint32_t n = 0;

    while (n + 2 * sizeof line < IMAGE_PTY_QUEUE && (events(slave, POLLIN) & POLLIN)) {
        ssize_t got = read(slave, line, sizeof line);
        bool whole = got > 0 && ends_line(p, line[got - 1]);

        if (got < 0)
            break;
        n += literal(line, (uint32_t)(got - whole), to + n);
        to[n++] = whole ? line[got - 1] : p->characters[VEOF];
    }
    return n;
}

static uint32_t
take_raw(int slave, uint8_t *to)
{
    uint32_t n = 0;
    int waits = 0;

    while (n < IMAGE_PTY_QUEUE && ioctl(slave, TIOCINQ, &waits) == 0 && waits > 0) {
        ssize_t got = read(slave, to + n, IMAGE_PTY_QUEUE - n);

        if (got <= 0)
            break;
        n += (uint32_t)got;
    }
    return n;
}

/* An unfinished line can be read in raw mode only.  Nothing else is unread: the kernel
 * takes what it finds at the change for finished. */
static int
take_unfinished(
    int master, int slave, const struct image_pty *p, uint8_t *to, uint32_t *taken)
{
    uint8_t line[8192];
    uint32_t n = 0;
    int ret = set_literal(master, p, 0), waits = 0, last;

    while (ret == 0 && n < sizeof line && ioctl(slave, TIOCINQ, &waits) == 0 &&
           waits > 0) {
        ssize_t got = read(slave, line + n, sizeof line - n);

        if (got <= 0)
            break;
        n += (uint32_t)got;
    }
    last = terminal_set(master, p);
    *taken = literal(line, n, to);
    return ret < 0 ? ret : last;
}

int
terminal_take(int master, int slave, struct image_pty *p, uint8_t *to)
{
    uint32_t more = 0;
    int off = 0, ret = 0;

    p->output = p->input = 0;
    if (events(master, POLLPRI) & POLLPRI)
        return -EAGAIN;
    if (slave >= 0 && !p->hung && !(events(slave, POLLOUT) & POLLOUT))
        return -EBUSY;
    if (p->packet && ioctl(master, TIOCPKT, &off) < 0)
        return -errno;
    p->output = take_output(master, to);
    to += p->output;
    if (slave >= 0)
        p->input = canonical(p) ? take_lines(slave, p, to) : take_raw(slave, to);
    if (slave >= 0 && canonical(p))
        ret = take_unfinished(master, slave, p, to + p->input, &more);
    p->input += more;
    return ret;
}

static int
write_all(int fd, const uint8_t *from, uint32_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, from, n);

        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        from += done;
        n -= (uint32_t)done;
    }
    return 0;
}

/* How many bytes the kernel echoes of input in that form: not of ends of file. */
static uint32_t
echoes(const struct image_pty *p, const uint8_t *input)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->input; i++)
        if (input[i] == TERMINAL_LITERAL && i + 1 < p->input) {
            count++;
            i++;
        } else if (ends_line(p, input[i])) {
            count++;
        }
    return count;
}

/* The kernel processes input a little later, by the settings that it finds then: it is
 * done when all is echoed.  In raw mode it is done when all can be read. */
static int
await_lines(int master, uint32_t expected)
{
    uint8_t echo[4096];

    while (expected > 0) {
        struct pollfd pfd = { .fd = master, .events = POLLIN };
        ssize_t got;

        if (poll(&pfd, 1, PATIENCE_MS) != 1)
            return -EIO;
        got = read(master, echo, expected < sizeof echo ? expected : sizeof echo);
        if (got <= 0)
            return -EIO;
        expected -= (uint32_t)got;
    }
    return 0;
}

static int
await_raw(int slave, uint32_t expected)
{
    struct timespec pause = { 0, PATIENCE_MS * 1000 };
    int waits = 0;

    for (unsigned i = 0; i < 1000; i++) {
        struct pollfd pfd = { .fd = slave, .events = POLLIN };

        poll(&pfd, 1, 0); /* waits for that if there is nothing yet */
        if (ioctl(slave, TIOCINQ, &waits) < 0)
            return -errno;
        if ((uint32_t)waits == expected)
            return 0;
        nanosleep(&pause, NULL);
    }
    return -EIO;
}

/* Input first: its echo is read from the master, before there is output. */
static int
put_back(int master, int slave, const struct image_pty *p, const uint8_t *from)
{
    bool lines = canonical(p);
    int ret = set_literal(master, p, lines ? ICANON | ECHO : 0);

    if (ret == 0)
        ret = write_all(master, from + p->output, p->input);
    if (ret == 0 && p->input > 0)
        ret = lines ? await_lines(master, echoes(p, from + p->output))
                    : await_raw(slave, p->input);
    return ret == 0 ? write_all(slave, from, p->output) : ret;
}

int
terminal_put(int master, int slave, const struct image_pty *p, const uint8_t *from)
{
    int on = 1, ret = 0, last;

    if (p->output > 0 || p->input > 0)
        ret = slave >= 0 ? put_back(master, slave, p, from) : -EBADMSG;
    last = terminal_set(master, p);
    if (p->packet && ioctl(master, TIOCPKT, &on) < 0)
        last = -errno;
    return ret < 0 ? ret : last;
}

/* ---- all of it */

int
terminal_settle(int master, int slave, const struct image_pty *p, const uint8_t *from)
{
    struct winsize size = { p->rows, p->columns, p->width, p->height };
    int locked = (int)p->locked, ret;

    if (slave >= 0 && (fchown(slave, p->uid, p->gid) < 0 || fchmod(slave, p->mode) < 0))
        return -errno;
    if (ioctl(master, TIOCSWINSZ, &size) < 0)
        return -errno;
    ret = terminal_put(master, slave, p, from);
    if (ret == 0 && p->exclusive)
        terminal_set_exclusive(master);
    if (ret == 0 && locked && ioctl(master, TIOCSPTLCK, &locked) < 0)
        ret = -errno;
    return ret;
}

unsigned
terminal_control(void)
{
    return TIOCSCTTY;
}

unsigned
terminal_group(void)
{
    return TIOCSPGRP;
}

int
terminal_session(int master)
{
    int id = 0;

    return ioctl(master, TIOCGSID, &id) < 0 ? 0 : id;
}

int
terminal_foreground(int master)
{
    int id = 0;

    return ioctl(master, TIOCGPGRP, &id) < 0 ? 0 : id;
}
