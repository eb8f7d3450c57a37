/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/decision.h"

#include "lib/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char words[2][8] = { "refused", "runs" };

static void
path_of(const uint8_t *id, const char *end, char path[96])
{
    int n = snprintf(path, 96, DECISION_FOLDER "/");

    for (unsigned i = 0; i < 16; i++)
        n += snprintf(path + n, 96 - (size_t)n, "%02x", id[i]);
    snprintf(path + n, 96 - (size_t)n, "%s", end);
}

/* A link appears with its content, or is there already. */
int
decision_make(const uint8_t *id, bool runs)
{
    char path[96], own[96], end[32], text[16];
    int ret;

    snprintf(end, sizeof end, ".%d", (int)getpid());
    path_of(id, "", path);
    path_of(id, end, own);
    if (mkdir(DECISION_FOLDER, 0700) < 0 && errno != EEXIST)
        return -errno;
    ret = file_write(own, words[runs]);
    if (ret == 0 && link(own, path) < 0 && errno != EEXIST)
        ret = -errno;
    unlink(own);
    if (ret == 0 && file_read(path, text, sizeof text) < 0)
        ret = -EIO;
    return ret < 0 ? ret : !strcmp(text, words[1]);
}

void
decision_revoke(const uint8_t *id)
{
    char path[96], own[96];

    path_of(id, "", path);
    path_of(id, ".revoked", own);
    if (file_write(own, words[0]) == 0)
        rename(own, path);
}
