/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * target.h - a running process under observation: stop it, take its image, let it go.
 *
 * All calls come from one thread (ptrace belongs to a thread), which must call
 * target_serve() whenever it has nothing else to do: a traced process that gets a
 * signal stands still until its tracer answers.  That thread never blocks on I/O.
 *
 * The order in target_checkpoint() is the correctness of policy commit
 * (doc/design/checkpoint.md): stop -> mark -> sockets, registers, descriptors -> pages
 * -> resume.  Nothing is injected into the process in the steady state, and no stolen
 * descriptor is kept across the resume.
 *
 * The engine may die at any moment: the process then runs on, unharmed. */
#ifndef BSC_TARGET_H
#define BSC_TARGET_H

#include "lib/core/mono.h"
#include "sockmig/ckpt/memory.h"
#include "sockmig/core/image.h"
#include "sockmig/pages.h"
#include "sockmig/refusal.h"

#include <sys/types.h>

struct target;
struct trace_kin;
struct maps_folders;

/* target_attach - seize all threads of @pid (as the engine sees it) and prepare its
 * memory for tracking.  The process runs on.
 *
 * @why  out: what cannot be protected; reset first
 *
 * 0 and *out; -EOPNOTSUPP: refused, see @why; -ESRCH: gone; other -errno. */
int target_attach(pid_t pid, struct target **out, struct refusals *why);

/* target_attach_quickly - the same without a look at what it has, for who takes a
 * checkpoint at once: that one says what cannot be protected.  @kin: as below; NULL: it
 * is taken alone.  @folders: borrowed; NULL: none. */
int target_attach_quickly(pid_t pid, const struct trace_kin *kin,
    const struct maps_folders *folders, struct target **out, struct refusals *why);

/* target_attach_among - the same of one of several that are taken together. */
int target_attach_among(
    pid_t pid, const struct trace_kin *kin, struct target **out, struct refusals *why);

/* target_detach - let the process go, undo what attach left in it; NULL is legal. */
void target_detach(struct target *t);

/* target_serve - answer its stops until @until, or until @wake_fd (-1: none) is
 * readable.  0; -ESRCH: the process ended (status in target_exit_status()). */
int target_serve(struct target *t, struct mono until, int wake_fd);
int target_exit_status(
    const struct target *t); /* wait(2) status; -1: runs or unknown */
pid_t target_pid(const struct target *t);

/* target_precopy - copy the pages written since the last round while the process runs
 * (all, the first time); it stands still only while its mappings are read.  For a first
 * checkpoint with a short pause.
 * 0, -ENOSPC @pages is too small (what was found is kept: call again), -ESRCH.
 * @pages NULL: only begin to track, for who reads the memory himself. */
int target_precopy(struct target *t, struct pages *pages);

struct target_timing { /* microseconds, of one checkpoint */
    uint32_t stop, mark, threads, fds, sockets, maps, scan, read, resume, pause;
};

struct target_request {
    /* called with all threads stopped, before anything is read: the mark */
    void (*mark)(void *arg);
    void *arg;
    unsigned stop_limit_ms; /* give up stopping after this long: -EAGAIN */
    bool stay_stopped;      /* leave it stopped (handover); target_resume() later */
    bool in_parts; /* pages that do not fit are left for target_rest() (stay_stopped) */
    bool no_pages; /* all of them are left for target_precopy() */
    bool settled;  /* nobody reads its pages between checkpoints, for a seed: what is
                      written always need not be tracked */
    /* files, while all stands still: 0; 1, names have changed; -errno with @why.  NULL:
     * none */
    int (*files)(void *arg, struct refusals *why);
    /* after files(), of each mapping of a file of a state folder: addresses
     * @from..@to were written, maybe none.  And when all have been told: as files();
     * @lost: some that had mapped files are gone, or are not looked at */
    memory_wrote *wrote;
    int (*files_mapped)(void *arg, bool lost, struct refusals *why);
    void (*marked)(void *arg); /* sockets have been read: packets may move again.  After
                                  mark() always, whatever came of it; NULL: none */
};

/* target_checkpoint - image, changed queues and pages written since the last call (or
 * precopy).  The arrays of @im are reused; entries of unchanged sockets are kept from
 * the last call, so pass the same @im each time.
 *
 * 0.  -EAGAIN: a thread did not stop in time, nothing was taken, the process runs on,
 * and pages found so far stay pending.  -EOPNOTSUPP: something unsupported has
 * appeared, see @why; the process runs on.  -ENOSPC: a buffer was too small; call
 * target_forget() and start over.  -ESRCH: it ended. */
int target_checkpoint(struct target *t, const struct target_request *req,
    struct image *im, struct pages *pages, struct parcels *parcels,
    struct target_timing *timing, struct refusals *why);

/* target_state, target_memory - the two halves of it, for a process that is stopped
 * already: several processes are taken by each for all of them.  Neither lets it run.
 *
 * @share  how much of its shared memory is to be sent
 *
 * As above.  After a failure what has been taken of the others is lost:
 * target_forget(), or target_forget_state() where only that was taken.
 * target_keep_house - what may be some time old; when it runs on. */
int target_state(struct target *t, bool files_renamed, struct image *im,
    struct parcels *parcels, struct target_timing *timing, struct refusals *why);
int target_memory(struct target *t, memory_share *share, void *arg,
    const struct target_request *req, struct image *im, struct pages *pages,
    struct target_timing *timing, struct refusals *why);
void target_settled(struct target *t, bool settled); /* as in a request */
void target_forget_state(struct target *t);
void target_keep_house(struct target *t, const struct image *im);

/* target_renamed - files have other names: paths are read anew.
 * target_maps_files - it had files of state folders mapped; @t may be NULL. */
void target_renamed(struct target *t, bool renamed);
bool target_maps_files(const struct target *t);

/* target_ahead - look at its connections while it runs, see descriptors_ahead(). */
void target_ahead(struct target *t);

/* target_children - that it has, as of the last checkpoint.  target_join - from now on
 * its children are taken with it: @kin. */
unsigned target_children(const struct target *t);
void target_join(struct target *t, const struct trace_kin *kin);

/* target_births - children that it ever had.  target_has_executed - it runs another
 * program: it must be attached anew.  target_answer - as target_serve(), without
 * waiting; target_signal_fd - readable when there may be something to answer. */
unsigned target_births(const struct target *t);
bool target_has_executed(const struct target *t);
int target_answer(struct target *t);
int target_signal_fd(const struct target *t);

/* target_stop - stop it ahead of target_checkpoint(), so that several processes are
 * caught at one instant.  0; -EAGAIN: not within @limit_ms, it runs on; -ESRCH. */
int target_stop(struct target *t, unsigned limit_ms);

/* target_ask - begin to stop it: target_stop() waits. */
void target_ask(struct target *t);

/* target_job_stopped - it stood still by itself (SIGSTOP, SIGTSTP). */
bool target_job_stopped(const struct target *t);

/* target_rest - after a checkpoint in parts: more of its pages, into the emptied
 * @pages. 0: these were the last; -ENOSPC: call again; -ESRCH. */
int target_rest(struct target *t, struct pages *pages);

/* target_forget - the next call reports every page and every queue again. */
void target_forget(struct target *t);

void target_resume(struct target *t);

#endif
