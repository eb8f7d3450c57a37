/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore_roots.c - the folders of a standby, and what is done on them. */
#include "sockmig/filestore_private.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/filestore_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
store_trouble(struct filestore *f, const char *what, int ret)
{
    char text[256];

    snprintf(text, sizeof text, "state folders: %s: %s", what, strerror(-ret));
    f->conf.trouble(f->conf.arg, text);
}

static void
close_roots(struct filestore *f)
{
    for (unsigned i = 0; i < FILES_MAX_ROOTS; i++) {
        fd_close(f->roots[i]);
        f->roots[i] = -1;
    }
}

/* The folder that holds a state folder is the host's; the folder itself may be made. */
int
store_open_roots(struct filestore *f)
{
    close_roots(f);
    for (unsigned i = 0; i < f->conf.folders.nroots; i++) {
        const char *path = f->conf.folders.roots[i];

        mkdir(path, 0700);
        f->roots[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->roots[i] < 0)
            return -errno;
    }
    return 0;
}

int
store_sync_roots(struct filestore *f)
{
    for (unsigned i = 0; i < f->conf.folders.nroots; i++)
        if (syncfs(f->roots[i]) < 0)
            return -errno;
    return 0;
}

struct carry {
    struct filestore *f;
    bool again;
};

static int
carry_record(void *arg, const void *data, size_t size)
{
    struct carry *c = arg;

    return files_apply(c->f->roots, c->f->conf.folders.nroots, data, size, c->again);
}

/* All of a committed part, onto the folders. */
int
store_carry_out(struct filestore *f, const struct journal_part *part, bool again)
{
    struct carry c = { f, again };

    return journal_each(&f->journal, part, carry_record, &c);
}

/* What is on the folders has reached the disk: it is done. */
int
store_finish(struct filestore *f, unsigned which)
{
    int ret = journal_done(&f->journal);

    files_tidy(f->roots, f->conf.folders.nroots);
    return ret == 0 ? journal_empty(&f->journal, which) : ret;
}

/* What an engine before left: a batch that was begun is ended, the rest forgotten. */
int
store_recover(struct filestore *f)
{
    struct journal_part part;
    int ret = journal_pending(&f->journal, &part);

    if (ret == 0) {
        log_info("service %s: state folders: %llu bytes of changes rolled forward",
            f->conf.service, (unsigned long long)(part.to - part.from));
        ret = store_carry_out(f, &part, true);
        if (ret == 0)
            ret = store_sync_roots(f);
    } else if (ret == -ENOENT) {
        ret = 0;
    }
    for (unsigned i = 0; i < 2 && ret == 0; i++)
        ret = store_finish(f, i);
    return ret;
}
