/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_parts.h - what the files of stubs.h share. */
#ifndef BSC_STUBS_PARTS_H
#define BSC_STUBS_PARTS_H

#include "sockmig/ckpt/stubs.h"
#include "sockmig/ckpt/tree.h"

void stub_free(struct clone *c);

/* stubs_share_memory - shared anonymous memory that several mappings have: one object.
 * stubs_pipes - all pipes of the tree, filled.  stubs_borrow - what @process shares
 * with others, as far as they have it open.  stubs_keep_sets - epoll sets of @process
 * that others have too, once it has made them.  0 or -errno. */
int stubs_share_memory(struct stubs *s);
/* stubs_unix - all unix sockets of the tree, each in the first process that has it. */
int stubs_unix(struct stubs *s);
/* stubs_terminals_new - all pairs, before there are processes.  _control: calls for the
 * stub of a session leader, which has no children yet.  stubs_terminals: all
 * descriptors of them.  _close: ours, before anything runs. */
int stubs_terminals_new(struct stubs *s);
int stubs_terminals_control(struct stubs *s, unsigned process);
int stubs_terminals(struct stubs *s);
void stubs_terminals_close(struct stubs *s);
int stubs_pipes(struct stubs *s);
int stubs_borrow(struct stubs *s, unsigned process);
int stubs_keep_sets(struct stubs *s, unsigned process);

#endif
