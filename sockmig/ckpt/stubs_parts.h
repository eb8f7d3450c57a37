/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_parts.h - what the files of stubs.h share. */
#ifndef BSC_STUBS_PARTS_H
#define BSC_STUBS_PARTS_H

#include "sockmig/ckpt/stubs.h"
#include "sockmig/ckpt/tree.h"
#include "sockmig/core/family_plan.h"

void stub_free(struct clone *c);

/* stubs_share_memory - shared anonymous memory that several mappings have: one object.
 * stubs_pipes - all pipes of the tree, filled.  stubs_borrow - what @process shares
 * with others, as far as they have it open.  stubs_keep_sets - epoll sets of @process
 * that others have too, once it has made them.  0 or -errno. */
int stubs_share_memory(struct stubs *s);
int stubs_adopt_objects(struct stubs *s, const struct clone *c);
void stubs_objects_close(struct stubs *s);

/* stubs_make - all steps of @plan.  0 or -errno with .why. */
int stubs_make(struct stubs *s, const struct family_plan *plan);

/* Of process @i: stub_say - with what failed, for -errno @ret, which is the result.
 * stub_allocate - for a stub @pid.  stub_adopt - a call: the orphans below it become
 * its children, or do not.  stub_end_zombie, stub_fill, stub_kill - see stubs.c. */
int stub_say(struct stubs *s, unsigned i, const char *failed, int ret);
struct clone *stub_allocate(struct stubs *s, int netns, pid_t pid);
void stub_adopt(struct batch *b, bool on);
int stub_end_zombie(struct stubs *s, unsigned i);
int stub_fill(struct stubs *s, struct clone *c, const struct image *im);
void stub_kill(struct clone *c);
/* stubs_unix - all unix sockets of the tree, each in the first process that has it. */
int stubs_unix(struct stubs *s);
int stubs_flights(struct stubs *s); /* what they carry, when all that is there */
/* stubs_terminals_new - all pairs, before there are processes.  _control: calls for the
 * stub of a session leader, which has no children yet.  stubs_terminals: all
 * descriptors of them.  _close: ours, before anything runs. */
int stubs_terminals_new(struct stubs *s);
int stubs_terminals_control(struct stubs *s, unsigned process);
int stubs_terminals(struct stubs *s);
void stubs_terminals_close(struct stubs *s);
int stubs_pipes(struct stubs *s);
int stubs_fifos(struct stubs *s); /* named ones */
int stubs_borrow(struct stubs *s, unsigned process);
int stubs_keep_sets(struct stubs *s, unsigned process);

#endif
