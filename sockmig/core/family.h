/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * family.h - the processes of a service at one instant: who is whose child, the image
 * of each, the files that several of them have open.
 *
 * Pure.  Design: doc/design/image.md. */
#ifndef BSC_FAMILY_H
#define BSC_FAMILY_H

#include "sockmig/core/image.h"

#define FAMILY_MAX 1024 /* processes */
#define FAMILY_MAX_LINKS 65536

enum {                 /* family_member.flags */
    FAMILY_ZOMBIE = 1, /* has ended, its parent has not waited: it has no image */
    FAMILY_JOB_STOPPED = 2,
    FAMILY_WHOLE = 4, /* of the root: nobody else is in their cell */
    FAMILY_FLAGS = 7
};

struct family_member {
    int32_t pid, pgid, sid; /* in the innermost pid namespace */
    int32_t parent;  /* its place in the list; -1: who made the root, which is the
                        cell's first process where others have it */
    uint32_t number; /* no two have the same, nor had since the first image */
    uint32_t flags;
    int32_t status, exit_signal; /* status: of wait(2), of a zombie */
    char name[16];
};

struct family_link { /* descriptors of two processes that share one open file */
    uint32_t process, of_process; /* places in the list; of_process is the lower */
    int32_t fd, of_fd;
};

struct family {
    struct family_member *members; /* as the other arrays owned by who made them; [0] is
                                      the root, parents come before their children */
    struct image **images;         /* of each member; of no use where it is a zombie */
    struct family_link *links;
    uint32_t n, nlinks;
};

/* family_encode - write @f into @out (capacity @size).
 *
 * Bytes written, or 0 if they did not fit.  An image keeps its place while those
 * before it grow by little, so that image_lines finds few differences. */
size_t family_encode(const struct family *f, uint8_t *out, size_t size);

/* family_count - how many members has what family_encode() wrote?  0: it did not. */
uint32_t family_count(const uint8_t *data, size_t size);

/* family_decode - read it into @f, which has room for as many members, their images,
 * and FAMILY_MAX_LINKS links.
 *
 * False if it is truncated, of another layout, or breaks an invariant stated above or
 * in image.h; @f is then unusable.  @why gets a static text. */
bool family_decode(
    struct family *f, const uint8_t *data, size_t size, const char **why);

/* family_check - NULL if @f keeps every invariant but those of the images by
 * themselves, or a static text that names the one it breaks. */
const char *family_check(const struct family *f);
const char *family_check_members(const struct family_member *members, uint64_t n);

/* family_place - in the list, of the member with @number; -1: there is none. */
int family_place(const struct family *f, uint32_t number);

/* family_owner - is descriptor @fd of member @i no duplicate of another member's?
 * family_connections - how many TCP connections have they, each counted once? */
bool family_owner(const struct family *f, uint32_t i, int32_t fd);
uint32_t family_connections(const struct family *f);

/* family_is_zombie, family_is_same - one that has no image; the same process, in the
 * same place of its family?  family_is_whole - does who is not listed not exist? */
bool family_is_zombie(const struct family_member *m);
bool family_is_same(const struct family_member *a, const struct family_member *b);
bool family_is_whole(const struct family *f);

#endif
