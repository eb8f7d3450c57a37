/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * imgfile.h - images on disk: the file DIR/image that dump writes and restore reads.
 *
 * A file is a row of records, each with the hash of its content and of its own head;
 * the last one has the hash of all heads.  So no byte can change, and no record be
 * lost, doubled or moved, without it being seen.  The form is in doc/design/image.md.
 */
#ifndef BSC_IMGFILE_H
#define BSC_IMGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define IMGFILE_VERSION 6u
#define IMGFILE_NAME "image"
#define IMGFILE_ERROR 256 /* bytes of a message */

enum imgfile_type {
    IMGFILE_HEAD = 1, /* struct imgfile_head; its .process is the version */
    IMGFILE_TREE,     /* struct imgfile_tree, struct family_member for each process */
    IMGFILE_PROCESS,  /* image_encode() of the process whose number is .process */
    IMGFILE_QUEUES,   /* its struct parcels */
    IMGFILE_PAGES,    /* a count, so many struct page_run, their content */
    IMGFILE_LINKS,    /* struct family_link for each file that several have open */
    IMGFILE_END       /* struct imgfile_end */
};

struct imgfile_record {
    uint32_t magic, type, process, number; /* number: 0, 1, 2 ... */
    uint64_t size;                         /* of the content, which is padded to 64 */
    uint64_t content_hash;
    uint64_t zero[3];
    uint64_t head_hash; /* of all before */
};

struct imgfile_head {
    uint32_t machine, page_size; /* as in ELF headers: EM_X86_64; bytes */
    char boot[40], host[64], kernel[128], program[32];
    char silence[32]; /* packet rules that keep its connections silent; "": none */
};

struct imgfile_tree {
    int64_t realtime_ns; /* when the processes stood still */
    uint64_t count;      /* of processes; the first is the root */
};

struct imgfile_end {
    uint64_t records, heads_hash;
};

/* ---- writing */

struct imgfile_out {
    int fd, folder;     /* owned */
    char temporary[32]; /* name in the folder */
    uint32_t number;
    uint64_t bytes;
    uint64_t *heads; /* owned: head hashes so far */
    size_t capacity;
};

/* imgfile_create - begin DIR/image, in a temporary file; DIR is made if need be.
 *
 * 0 or -errno.  imgfile_put: one record of @n parts.  imgfile_flush: wait until what
 * was put is on the disk.  imgfile_commit: the last record; on the disk and under its
 * name, or not there at all.  imgfile_discard: after all of them; takes away what is
 * not whole. */
int imgfile_create(struct imgfile_out *out, const char *dir);
int imgfile_put(struct imgfile_out *out, enum imgfile_type type, uint32_t process,
    const struct iovec *parts, unsigned n);
int imgfile_flush(struct imgfile_out *out);
int imgfile_commit(struct imgfile_out *out);
void imgfile_discard(struct imgfile_out *out);

/* ---- reading */

struct imgfile_in {
    const uint8_t *base; /* owned mapping */
    size_t size;
};

struct imgfile_item { /* one record, checked */
    enum imgfile_type type;
    uint32_t process;
    const uint8_t *data;
    size_t size;
};

/* imgfile_open - map @path (the file, or the folder it is in) and check all of it.
 *
 * 0; -EBADMSG: not an image, of another version, truncated or changed: @error says
 * which and what to do; other -errno. */
int imgfile_open(struct imgfile_in *in, const char *path, char error[IMGFILE_ERROR]);
void imgfile_close(struct imgfile_in *in);

/* imgfile_check - the same of bytes in memory. */
bool imgfile_check(const uint8_t *base, size_t size, char error[IMGFILE_ERROR]);

/* imgfile_next - the record at *@at (0: the first), which moves on.  False behind the
 * last. */
bool imgfile_next(const struct imgfile_in *in, size_t *at, struct imgfile_item *item);

#endif
