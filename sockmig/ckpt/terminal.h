/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * terminal.h - pseudo-terminals: what the kernel tells of a pair through its master,
 * and how bytes that nobody has read get back into it. */
#ifndef BSC_TERMINAL_H
#define BSC_TERMINAL_H

#include "sockmig/core/image.h"

#include <stdbool.h>
#include <sys/stat.h>

#define TERMINAL_NOT_ONE (-1)

/* terminal_is_one - is it a terminal of whatever kind, even one that is gone? */
bool terminal_is_one(const struct stat *st);

/* terminal_index - N of /dev/pts/N of the slave @fd, also where it was opened as
 * /dev/tty.  TERMINAL_NOT_ONE: it is another kind of terminal, or gone. */
int terminal_index(int fd);

/* terminal_open - a new pair, unlocked, whose slave is /dev/pts/@index.  The master, or
 * -EEXIST if that number is in use here, -errno.  terminal_slave: another slave of
 * @master, or -errno. */
int terminal_open(uint32_t index);
int terminal_slave(int master, int flags);

/* terminal_exclusive - of one side: may others open it?  _set: they may not. */
bool terminal_exclusive(int fd);
void terminal_set_exclusive(int fd);

/* terminal_is_stopped - it takes no output (Ctrl-S), and none waits to be read. */
bool terminal_is_stopped(int master, int slave);

/* terminal_get - settings and size of the pair of @master; terminal_set: the settings.
 * 0 or -errno. */
int terminal_get(int master, struct image_pty *p);
int terminal_set(int master, const struct image_pty *p);

/* terminal_take - everything unread, out of the pair, to @to (room for 2 *
 * IMAGE_PTY_QUEUE bytes): p->output bytes of the master's, then p->input in the form of
 * terminal_put().  Nobody else may read or write meanwhile.
 *
 * @slave  one of its own, O_NONBLOCK; -1: none is open
 * 0; -EAGAIN: a notice of packet mode waits to be read; -EBUSY: it was stopped
 * (Ctrl-S), or takes no more output; nothing was taken then. */
int terminal_take(int master, int slave, struct image_pty *p, uint8_t *to);

/* terminal_put - the other way, and the settings of @p.  In canonical mode the input
 * has a line's bytes each behind TERMINAL_LITERAL, then what ended it bare.  0 or
 * -errno. */
#define TERMINAL_LITERAL 0x16
int terminal_put(int master, int slave, const struct image_pty *p, const uint8_t *from);

/* terminal_settle - a new pair becomes that of @p, with its unread bytes @from.
 *
 * @slave  one of its own, unless it never had one: -1
 * 0 or -errno. */
int terminal_settle(
    int master, int slave, const struct image_pty *p, const uint8_t *from);

/* terminal_control, terminal_group - ioctl() numbers with which a session leader takes
 * its descriptor for its controlling terminal, and sets its foreground group. */
unsigned terminal_control(void);
unsigned terminal_group(void);

/* terminal_session, terminal_foreground - as the caller sees them; 0: none. */
int terminal_session(int master);
int terminal_foreground(int master);

#endif
