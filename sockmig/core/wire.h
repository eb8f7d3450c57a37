/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wire.h - what engines of one service say to each other.
 *
 * Stream (TCP, active -> standby; acknowledgements back):
 *
 *   standby: challenge (a byte of what it can, 15 random bytes; in the clear, but a
 *            part of the pair's keys)
 *   active:  hello, sealed with the pair's key (from, to, challenge): epoch, group
 *            session, number of the next frame
 *   active:  frames, sealed with the group's key (from, epoch, group session): one
 *            sealing serves all standbys; frame numbers only ever grow
 *   standby: acks, sealed with the pair's key in the other direction
 *
 *   frame: u32 size of the sealed bytes, u64 number (both authenticated), sealed bytes
 *   = u8 kind, then the fields below; the size's highest bit: sealed with AES-256-GCM,
 *   which all whom it goes to can open, else XChaCha20-Poly1305
 *
 * Beats (UDP): see struct wire_beat.
 *
 * Everything goes through lib/core/buf.h: lengths are checked once, there.  Pure. */
#ifndef BSC_WIRE_H
#define BSC_WIRE_H

#include "lib/core/buf.h"

#define WIRE_CHALLENGE 16
#define WIRE_CAN_AES 1u /* in a challenge's first byte */
#define WIRE_FRAME_HEAD 12
#define WIRE_FRAME_AES (1u << 31)
#define WIRE_MAX_FRAME (1u << 20) /* sealed bytes */
#define WIRE_MAX_META (64u << 20)
#define WIRE_VERSION 15u
#define WIRE_UP_MAX 32768u /* bytes of a frame from a standby, sealed */
#define WIRE_UP_BODY (WIRE_UP_MAX - 64u)
#define WIRE_MAX_HAVE (1u << 30)   /* of all WIRE_HAVE together */
#define WIRE_MAX_BIRTHS (8u << 20) /* of all WIRE_BIRTHS together */
#define WIRE_POLICIES 4u
#define WIRE_MAX_AGE_US (3600u * 1000000u)

enum wire_kind {
    WIRE_HELLO = 1, /* version, epoch, session, next, log */
    WIRE_IMAGE,     /* the image that differences are to; number, size; bytes follow */
    WIRE_BASE,   /* pages for a standby that is being seeded: runs and bytes follow */
    WIRE_SEEDED, /* all pages that had to be there have been sent */
    WIRE_CHECKPOINT, /* number, sizes of image lines, runs, bytes, parcels; they follow
                      */
    WIRE_BYTES,      /* the next part of what was announced */
    WIRE_PAGES,      /* of a checkpoint: its next pages, coded (core/known.h) */
    WIRE_ACK,        /* checkpoint number whole, number applied */
    WIRE_HAVE,       /* what is in the standby's state folders: u8 1 if it is the last
                        part, the next part of it (core/files.h) */
    WIRE_SORRY,      /* why it can hold no clone: text */
    WIRE_BIRTHS,     /* before the image: the next part of what was captured of
                        connections that are in none (core/births.h) */
    WIRE_NKINDS
};

struct wire_hello {
    uint64_t epoch, session, next;
    uint64_t log; /* the packet log is followed from this position on */
};

/* Head of an image, of base pages or of a checkpoint: how much follows in WIRE_BYTES,
 * in this order: image bytes (whole or lines), runs, page bytes, parcels, operations on
 * files.  A checkpoint's page bytes follow in WIRE_PAGES, whole pages in each. */
struct wire_head {
    enum wire_kind kind;
    uint64_t number;
    uint64_t image_bytes, runs, page_bytes, parcel_bytes, file_bytes;
    uint64_t mark_in, mark_out; /* see mark.h; of what image and pages are of */
    uint64_t age_us;            /* since it was taken, when it was sent */
    unsigned policy;            /* by which output was held; enum conf_policy */
    bool hurry;                 /* somebody waits until the standbys have it */
    bool anew; /* pages of earlier checkpoints are forgotten first (core/known.h) */
};

struct wire_ack {
    uint64_t whole, applied;
    bool ready; /* seeded, and a whole checkpoint since */
};

void wire_put_hello(struct writer *w, const struct wire_hello *h);
bool wire_get_hello(struct reader *r, struct wire_hello *h);
void wire_put_head(struct writer *w, const struct wire_head *h);
bool wire_get_head(struct reader *r, enum wire_kind kind, struct wire_head *h);
void wire_put_ack(struct writer *w, const struct wire_ack *a);
bool wire_get_ack(struct reader *r, struct wire_ack *a);

/* Beat: u32 magic, u16 from, u16 to, u64 session, u64 counter (authenticated, in the
 * clear), then sealed: u8 kind, u64 epoch, u64 number, u64 echo.  The key is the pair's
 * for that session; session is random per process, counter grows. */
#define WIRE_BEAT_MAGIC 0x62536342u
#define WIRE_BEAT_HEAD 24
#define WIRE_BEAT_BODY 25

enum wire_beat_kind {
    WIRE_BEAT = 1,
    WIRE_BEAT_ACK,
    WIRE_BEAT_SHUT, /* planned switchover: the sender's gates are shut and stay so; the
                       receiver, who is about to take over, may open and hold */
    WIRE_BEAT_NKINDS
};

struct wire_beat_head {
    unsigned from, to; /* node ids */
    uint64_t session, counter;
};

struct wire_beat {
    enum wire_beat_kind kind;
    uint64_t epoch, number;
    uint64_t echo; /* ack: session of the beat that it answers */
};

void wire_put_beat_head(struct writer *w, const struct wire_beat_head *h);
bool wire_get_beat_head(struct reader *r, struct wire_beat_head *h);
void wire_put_beat(struct writer *w, const struct wire_beat *b);
bool wire_get_beat(struct reader *r, struct wire_beat *b);

#endif
