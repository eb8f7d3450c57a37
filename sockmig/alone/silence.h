/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * silence.h - no packet for or from the moved connections while they are nobody's.
 *
 * Between the last look at a socket and its restoration the kernel must neither
 * acknowledge what no image holds nor answer with a reset.  A table of packet rules,
 * named after the image, drops all packets of their local addresses and ports, in the
 * network namespace of the caller (silence_table.h).  What comes from the device of
 * injector.h passes. */
#ifndef BSC_SILENCE_H
#define BSC_SILENCE_H

#include "sockmig/core/image.h"

#include <stdbool.h>
#include <sys/types.h>

#define SILENCE_MAX 4096
#define SILENCE_NAME 27
#define SILENCE_ERROR 256

struct silence_end {       /* a local address and port */
    uint16_t family, port; /* port: as in the packet */
    bool any;              /* every address of this host */
    uint8_t address[16];
};

struct silence {
    char name[SILENCE_NAME]; /* of the table */
    struct silence_end ends[SILENCE_MAX];
    unsigned n;
    bool overflow;
    bool receive_only; /* what is sent passes: the sockets are the restored ones */
    bool was_on;       /* silence_on() found the rules: not its own */
};

/* silence_name - for a dump of the tree at @pid: no other one has it.
 * silence_begin - no ends yet.
 * silence_add - the sockets of @im; what is covered already is left out. */
void silence_name(int32_t pid, char name[SILENCE_NAME]);
void silence_begin(struct silence *s, const char *name);
void silence_add(struct silence *s, const struct image *im);

/* silence_sockets - the same of process @pid's TCP sockets as they are now.  @known:
 * what it had a moment ago, so that a descriptor that is the same need not be fetched
 * (12 us); or NULL.  0 or -errno. */
int silence_sockets(struct silence *s, pid_t pid, const struct image *known);

/* silence_on - load the rules.  @again: they may be there; then they are renewed
 * without a gap.  A socket that the caller closes when there is time: if rules were
 * taken away the kernel waits in close() for all processors to have done with them (15
 * ms). silence_off - take the rules away, and wait.  0. -errno with @error
 * (SILENCE_ERROR bytes). */
int silence_on(struct silence *s, bool again, char *error);
int silence_off(struct silence *s, char *error);

/* silence_let_pass - packets pass from now on, and silence_off() may come later.  A
 * socket as of silence_on(), or -errno with @error. */
int silence_let_pass(const struct silence *s, char *error);

/* silence_clear - take away rules that a killed one may have left under @name. */
void silence_clear(const char *name);

/* silence_covers - is every socket of @im silent?
 * silence_keeps - is a packet for this end dropped? */
bool silence_covers(const struct silence *s, const struct image *im);
bool silence_keeps(const struct silence *s, const struct silence_end *e);

#endif
