/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore_look.c - what a joining standby has, said to the active node. */
#include "sockmig/filestore_private.h"

#include <errno.h>
#include <stdlib.h>

static bool
say_have(struct filestore *f, struct uplink *up, const uint8_t *data, size_t size)
{
    uint8_t body[WIRE_UP_BODY];
    struct writer w;
    size_t at = 0, n;
    bool last;

    do {
        n = size - at < WIRE_UP_BODY - 2 ? size - at : WIRE_UP_BODY - 2;
        last = at + n == size;
        w = writer_init(body, sizeof body);
        put_u8(&w, WIRE_HAVE);
        put_u8(&w, last);
        put_bytes(&w, data + at, n);
        at += n;
    } while (!f->stop && uplink_send(up, body, w.pos) && !last);
    return last;
}

/* Without the lock: it may take long. */
static int
look(struct filestore *f, struct uplink *up)
{
    struct filescan *scan = filescan_new(&f->conf.folders);
    struct refusals why = { .n = 0 };
    uint8_t *data = NULL;
    int ret = filescan_begin(scan, &f->stop, &why);
    size_t size;

    if (ret == 0) {
        size = filescan_encode(scan, NULL, 0);
        data = malloc(size ? size : 1);
        size = data ? filescan_encode(scan, data, size) : 0;
        if (size == 0 || !say_have(f, up, data, size))
            ret = -ECANCELED;
    }
    if (ret == -EOPNOTSUPP && why.n)
        f->conf.trouble(f->conf.arg, why.v[0].what);
    else if (ret < 0 && ret != -ECANCELED)
        store_trouble(f, "cannot be read", ret);
    free(data);
    filescan_free(scan);
    return ret;
}

void
store_look(struct filestore *f)
{
    struct uplink *up = f->up;
    int ret;

    f->looking = true;
    pthread_mutex_unlock(&f->lock);
    ret = look(f, up);
    pthread_mutex_lock(&f->lock);
    f->looking = false;
    if (f->phase == STORE_LOOKS)
        f->phase = ret == 0 ? STORE_WAITS : STORE_IDLE;
    pthread_cond_broadcast(&f->changed);
}
