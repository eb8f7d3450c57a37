/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * terminals.c - pseudo-terminals. */
#include "tests/features/features.h"

#include "tests/features/wait.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

struct pair {
    int master, slave;
};

static const char *
make(struct pair *p, bool raw)
{
    struct termios t;

    WANT(openpty(&p->master, &p->slave, NULL, NULL, NULL) == 0);
    WANT(tcgetattr(p->slave, &t) == 0);
    if (raw)
        cfmakeraw(&t);
    else
        t.c_lflag &= ~(tcflag_t)ECHO;
    WANT(tcsetattr(p->slave, TCSANOW, &t) == 0);
    return NULL;
}

static const char *
expect(int fd, const char *text)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    char got[256] = "";
    size_t n = strlen(text);

    WANT(poll(&pfd, 1, 5000) == 1);
    WANT(read(fd, got, sizeof got) == (ssize_t)n && memcmp(got, text, n) == 0);
    return NULL;
}

#define DO(call)                                                                       \
    do {                                                                               \
        const char *wrong_ = (call);                                                   \
        if (wrong_)                                                                    \
            return wrong_;                                                             \
    } while (0)

static bool
say(int fd, const char *text)
{
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* ---- raw */

static struct pair raw;

static const char *
set_up_raw(void)
{
    struct winsize size = { 33, 99, 0, 0 };
    struct termios t;

    DO(make(&raw, true));
    WANT(tcgetattr(raw.slave, &t) == 0);
    t.c_cc[VMIN] = 3;
    t.c_cc[VINTR] = 7;
    WANT(cfsetspeed(&t, B9600) == 0 && tcsetattr(raw.slave, TCSANOW, &t) == 0);
    WANT(ioctl(raw.slave, TIOCSWINSZ, &size) == 0);
    WANT(say(raw.master, "typed\x03\x16\x04") && say(raw.slave, "shown\n"));
    return NULL;
}

static const char *
check_raw(void)
{
    struct winsize size;
    struct termios t;
    char name[64];
    struct stat a, b;

    WANT(ioctl(raw.slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 &&
         size.ws_col == 99);
    WANT(tcgetattr(raw.slave, &t) == 0 && t.c_cc[VMIN] == 3 && t.c_cc[VINTR] == 7);
    WANT(!(t.c_lflag & (ICANON | ECHO | IEXTEN)) && !(t.c_oflag & OPOST) &&
         cfgetospeed(&t) == B9600);
    WANT(ptsname_r(raw.master, name, sizeof name) == 0 && stat(name, &a) == 0);
    WANT(fstat(raw.slave, &b) == 0 && a.st_rdev == b.st_rdev && a.st_ino == b.st_ino);
    DO(expect(raw.slave, "typed\x03\x16\x04"));
    DO(expect(raw.master, "shown\n"));
    WANT(say(raw.master, "typed\x03\x16\x04") && say(raw.slave, "shown\n"));
    return NULL;
}

/* ---- canonical */

static struct pair lines;

static const char *
type_lines(void)
{
    WANT(say(lines.master, "one\ntwo\x16\x04!\rend\x04\x04three\n"));
    WANT(say(lines.slave, "shown\n")); /* "\r\n" to the master */
    return NULL;
}

static const char *
set_up_lines(void)
{
    DO(make(&lines, false));
    return type_lines();
}

static const char *
check_lines(void)
{
    char c;

    DO(expect(lines.slave, "one\n"));
    DO(expect(lines.slave, "two\x04!\n"));
    DO(expect(lines.slave, "end"));
    WANT(read(lines.slave, &c, 1) == 0);
    DO(expect(lines.slave, "three\n"));
    DO(expect(lines.master, "shown\r\n"));
    return type_lines();
}

static struct pair echo;

static const char *
set_up_echo(void)
{
    struct termios t;

    WANT(openpty(&echo.master, &echo.slave, NULL, NULL, NULL) == 0);
    WANT(tcgetattr(echo.slave, &t) == 0);
    t.c_cc[VERASE] = '#';
    WANT(tcsetattr(echo.slave, TCSANOW, &t) == 0);
    return NULL;
}

static const char *
check_echo(void)
{
    WANT(say(echo.master, "abx#c\n"));
    DO(expect(echo.slave, "abc\n"));
    DO(expect(echo.master, "abx\b \bc\r\n"));
    return NULL;
}

/* ---- many bytes that the master has not read */

static struct pair much;
static char block[4096];

static const char *
fill(void)
{
    WANT(fcntl(much.slave, F_SETFL, O_NONBLOCK) == 0);
    for (int i = 0; i < 2; i++) {
        memset(block, 'a' + i, sizeof block);
        WANT(write(much.slave, block, sizeof block) == sizeof block);
    }
    return NULL;
}

static const char *
set_up_much(void)
{
    DO(make(&much, true));
    return fill();
}

static const char *
check_much(void)
{
    WANT(fcntl(much.slave, F_GETFL) & O_NONBLOCK);
    for (size_t at = 0; at < 2 * sizeof block;) {
        ssize_t n = read(much.master, block, sizeof block);

        WANT(n > 0);
        for (ssize_t i = 0; i < n; i++, at++)
            WANT(block[i] == (char)('a' + at / sizeof block));
    }
    return fill();
}

/* ---- packet mode */

static struct pair packet;

static const char *
set_up_packet(void)
{
    int on = 1;

    DO(make(&packet, true));
    WANT(ioctl(packet.master, TIOCPKT, &on) == 0);
    WANT(say(packet.slave, "shown"));
    return NULL;
}

static const char *
check_packet(void)
{
    int on = 0;
    char text[16] = "";

    WANT(ioctl(packet.master, TIOCGPKT, &on) == 0 && on == 1);
    WANT(read(packet.master, text, sizeof text) == 6 && text[0] == TIOCPKT_DATA &&
         strcmp(text + 1, "shown") == 0);
    WANT(say(packet.slave, "shown"));
    return NULL;
}

/* ---- without a slave */

static int unopened;

static const char *
set_up_unopened(void)
{
    WANT((unopened = posix_openpt(O_RDWR | O_NOCTTY)) >= 0);
    return NULL;
}

static const char *
check_unopened(void)
{
    struct pollfd pfd = { .fd = unopened, .events = POLLIN };
    int locked = 0;

    WANT(poll(&pfd, 1, 0) == 0); /* nobody hung up */
    WANT(ioctl(unopened, TIOCGPTLCK, &locked) == 0 && locked == 1);
    return NULL;
}

static int hung;

static const char *
set_up_hung(void)
{
    struct pair p;

    DO(make(&p, true));
    WANT(say(p.slave, "last words"));
    WANT(close(p.slave) == 0);
    hung = p.master;
    return NULL;
}

static const char *
check_hung(void)
{
    char c;

    DO(expect(hung, "last words"));
    WANT(read(hung, &c, 1) < 0 && errno == EIO);
    WANT(close(hung) == 0);
    return set_up_hung();
}

/* ---- its number and its file */

static struct pair second;
static char second_name[64];

static const char *
set_up_number(void)
{
    struct pair first;

    DO(make(&first, true));
    DO(make(&second, true));
    WANT(ptsname_r(second.master, second_name, sizeof second_name) == 0);
    WANT(close(first.master) == 0 && close(first.slave) == 0);
    WANT(chown(second_name, 1234, 4321) == 0 && chmod(second_name, 0600) == 0);
    WANT(ioctl(second.slave, TIOCEXCL) == 0);
    return NULL;
}

static const char *
check_number(void)
{
    char name[64];
    struct stat st;
    int on = 0;

    WANT(ptsname_r(second.master, name, sizeof name) == 0 &&
         strcmp(name, second_name) == 0);
    WANT(ttyname_r(second.slave, name, sizeof name) == 0 &&
         strcmp(name, second_name) == 0);
    WANT(stat(name, &st) == 0 && st.st_uid == 1234 && st.st_gid == 4321 &&
         (st.st_mode & 0777) == 0600);
    WANT(ioctl(second.slave, TIOCGEXCL, &on) == 0 && on == 1);
    WANT(say(second.master, "x"));
    return expect(second.slave, "x");
}

/* ---- the controlling terminal */

static struct pair control;
static int by_name;
static volatile sig_atomic_t interrupts;

static void
on_interrupt(int sig)
{
    (void)sig;
    interrupts++;
}

static const char *
set_up_control(void)
{
    signal(SIGINT, on_interrupt);
    signal(SIGTTOU, SIG_IGN);
    WANT(getsid(0) == getpid() || setsid() == getpid());
    WANT(openpty(&control.master, &control.slave, NULL, NULL, NULL) == 0);
    WANT(ioctl(control.slave, TIOCSCTTY, 0) == 0);
    WANT((by_name = open("/dev/tty", O_RDWR)) >= 0);
    return NULL;
}

static const char *
check_control(void)
{
    char text[16] = "";

    WANT(tcgetsid(control.slave) == getpid() && tcgetpgrp(control.slave) == getpgrp());
    WANT(tcgetpgrp(by_name) == getpgrp());
    interrupts = 0;
    WANT(say(control.master, "\x03"));
    for (int i = 0; i < 500 && interrupts == 0; i++)
        nap(10);
    WANT(interrupts == 1);
    WANT(read(control.master, text, sizeof text) > 0 && strncmp(text, "^C", 2) == 0);
    return NULL;
}

/* ---- refused */

static const char *
set_up_elsewhere(void)
{
    struct pair p;

    DO(make(&p, true));
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    WANT(close(p.master) == 0);
    return NULL;
}

static struct pair stopped;

static const char *
set_up_stopped(void)
{
    DO(make(&stopped, false));
    WANT(tcflow(stopped.slave, TCOOFF) == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "raw, unread bytes both ways, settings, window size", NULL, 0, set_up_raw,
        check_raw, NULL },
    { "lines typed ahead, end of file, output processed", NULL, 0, set_up_lines,
        check_lines, NULL },
    { "echo and editing", NULL, 0, set_up_echo, check_echo, NULL },
    { "8 kB of unread output", NULL, 0, set_up_much, check_much, NULL },
    { "packet mode", NULL, 0, set_up_packet, check_packet, NULL },
    { "locked, its slave not opened yet", NULL, 0, set_up_unopened, check_unopened,
        NULL },
    { "its slave closed, unread output", NULL, 0, set_up_hung, check_hung, NULL },
    { "number, owner and mode, exclusive", NULL, 0, set_up_number, check_number, NULL },
    { "controlling terminal, /dev/tty, Ctrl-C", NULL, FEATURE_ALONE, set_up_control,
        check_control, NULL },
    { "its master in another process", "other side is in another process",
        FEATURE_ALONE, set_up_elsewhere, NULL, NULL },
    { "stopped by Ctrl-S", "stopped", FEATURE_ALONE, set_up_stopped, NULL, NULL },
};

AREA(area_terminals, "Pseudo-terminals", rows);
