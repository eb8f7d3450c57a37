/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hurry.h - threads that are to stop get a processor for it.
 *
 * A thread stops in its own time: it has to run for some microseconds, and where others
 * are busy it waits for that by milliseconds, while those of its process that have
 * stopped stand still.  So what does not stop at once is raised above the caller, if
 * that runs in real time, and is itself again before it goes on: nothing of the service
 * ever runs like that. */
#ifndef BSC_HURRY_H
#define BSC_HURRY_H

#include "sockmig/ckpt/trace.h"

#define HURRY_AFTER_US 150

/* hurry_one - raise @th.  hurry_begin - raise all threads that have not stopped yet.
 * Does nothing for a caller that does not run in real time, nor to threads with a
 * scheduling of their own. */
void hurry_one(struct trace_thread *th);
void hurry_begin(struct trace *t);

/* hurry_end - each of them is as it was. */
void hurry_end(struct trace *t);

#endif
