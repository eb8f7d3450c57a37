/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/decision.h"

#include "lib/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char words[2][8] = { "refused", "runs" };

void
decision_path(const uint8_t *id, const char *end, char path[DECISION_PATH])
{
    int n = snprintf(path, DECISION_PATH, DECISION_FOLDER "/");

    for (unsigned i = 0; i < 16; i++)
        n += snprintf(path + n, DECISION_PATH - (size_t)n, "%02x", id[i]);
    snprintf(path + n, DECISION_PATH - (size_t)n, "%s", end);
}

/* A link appears with its content, or is there already. */
int
decision_make(const uint8_t *id, bool runs)
{
    char path[DECISION_PATH], own[DECISION_PATH], end[32], text[16];
    int ret;

    snprintf(end, sizeof end, ".%d", (int)getpid());
    decision_path(id, "", path);
    decision_path(id, end, own);
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
    char path[DECISION_PATH], own[DECISION_PATH];

    decision_path(id, "", path);
    decision_path(id, ".revoked", own);
    if (file_write(own, words[0]) == 0)
        rename(own, path);
}

void
decision_forget(const uint8_t *id)
{
    char path[DECISION_PATH];

    decision_path(id, "", path);
    unlink(path);
}
