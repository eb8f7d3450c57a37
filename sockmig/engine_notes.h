/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine_notes.h - what the threads of an engine tell each other (struct note). */
#ifndef BSC_ENGINE_NOTES_H
#define BSC_ENGINE_NOTES_H

#include "sockmig/cell.h"
#include "sockmig/ckpt/clone.h"
#include "sockmig/refusal.h"

#include <stdbool.h>

enum trace_note {   /* to the tracer */
    TRACE_START,    /* start the command from scratch: MAIN_STARTED */
    TRACE_JOIN,     /* as SHIP_JOIN: seed this standby */
    TRACE_LEAVE,    /* node: it is gone */
    TRACE_HAVE,     /* node; p, taken, of a bytes: what is in its state folders */
    TRACE_SLOT,     /* p: a received slot, taken */
    TRACE_LOG,      /* a: position in the packet log that is followed from now on */
    TRACE_BIRTHS,   /* p, taken, of a bytes: what there was before it (wire.h) */
    TRACE_WAKE,     /* a: epoch of the reign that ended; make the clone the service:
                       MAIN_WOKEN */
    TRACE_HANDOVER, /* stop it, take the last checkpoint: MAIN_HANDED */
    TRACE_RESUME,   /* go on after a handover: MAIN_RESUMED */
    TRACE_END,      /* nothing of the service stays: MAIN_ENDED */
    TRACE_NNOTES
};

enum main_note {  /* to the main thread */
    MAIN_STARTED, /* p: struct started, freed by the receiver */
    MAIN_TAKEN,   /* a: number, b, c: mark (id, log), node: policy, of one just taken
                   */
    MAIN_APPLIED, /* a: position before which the packet log is not needed */
    MAIN_UNPROTECTED, /* p: struct refusals, freed by the receiver */
    MAIN_PROTECTED,   /* tracking works */
    MAIN_WOKEN,       /* p: struct woken, freed by the receiver */
    MAIN_HANDED,      /* a: 0 or -errno, b: number of the last checkpoint */
    MAIN_RESUMED,     /* a: 0 or -errno */
    MAIN_ENDED,
    MAIN_CLONE,      /* a: 0 a clone exists, else -errno: it is broken or refused;
                        p: struct refusals or NULL, freed by the receiver */
    MAIN_STREAM_END, /* a: generation of the stream */
    MAIN_FILES,      /* p: text, freed by the receiver: trouble with state folders */
    MAIN_MARKED,     /* a checkpoint's sockets are read: packets may have waited */
    MAIN_NNOTES
};

struct started {
    int ret; /* 0 or -errno, then .error says why */
    pid_t init, pid;
    char error[CELL_ERROR_LEN];
};

struct woken {
    int ret; /* 0 or -errno, then .why says why */
    pid_t pid;
    unsigned connections, lost;
    uint64_t checkpoint;      /* number of the one it was woken from */
    bool replay;              /* the machine is ready: feed it the log */
    const char *not_replayed; /* static text: why all connections are reset; NULL */
    struct clone_timing timing;
    struct refusals why;
};

#endif
