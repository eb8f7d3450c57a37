/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * guard.h - a process that undoes what a killed dump leaves in its target.
 *
 * When sockmig is killed the kernel lets its targets run on.  Some things would do them
 * harm then: packet rules that nobody takes away, a socket in repair mode, an address
 * that is gone.  The guard is a watcher (watcher.h) that does so then. */
#ifndef BSC_GUARD_H
#define BSC_GUARD_H

#include "sockmig/alone/channel.h"
#include "sockmig/alone/silence.h"
#include "sockmig/alone/vip.h"
#include "sockmig/alone/watcher.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tree.h"

#include <sys/types.h>

struct guard_page {    /* shared with the guard */
    int netns, folder; /* borrowed: see guard_start() */
    char temporary[32];
    volatile unsigned nvips; /* these were taken away, and are to come back */
    struct vip vips[CHANNEL_ADDRESSES];
    volatile bool moves;     /* .final is not for an image, whose rules stay */
    volatile size_t go_size; /* with .final: the word that is to be sent before */
    uint8_t go[CHANNEL_WORD];
    int go_fd;
    volatile bool silent; /* the rules of .silence are loaded, or about to be */
    volatile bool final; /* the image is whole: what is left of .pids is to be killed */
    volatile pid_t pid;  /* whose sockets are looked at */
    unsigned npids;
    pid_t pids[FAMILY_MAX];
    volatile struct repair_note note;
    struct silence silence;
};

struct guard {
    struct guard_page *page; /* owned mapping */
    struct watcher watcher;
};

/* guard_start - @netns: where the rules are loaded (-1: here); borrowed.  @temporary,
 * in @folder (borrowed): a file to be taken away.  0 or -errno.
 * guard_end - all is undone, or is meant to stay. */
int guard_start(struct guard *g, int netns, int folder, const char *temporary);
void guard_end(struct guard *g);

#endif
