/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/hugepool.h"

#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define NOTES "/run"
#define NOTE "bascule-hugepool." /* and a process id: how many it has added */

static long added;

static long
number_in(const char *path)
{
    char text[32];

    return file_read(path, text, sizeof text) < 0 ? -1 : atol(text);
}

static void
change(long by)
{
    char text[32];
    long pages = number_in(POOL);

    snprintf(text, sizeof text, "%ld", pages + by);
    if (pages >= 0)
        file_write(POOL, text);
}

/* What a test that was killed has added. */
static void
give_back_others(void)
{
    DIR *folder = opendir(NOTES);
    const struct dirent *one;
    int pid;

    while (folder && (one = readdir(folder))) {
        char path[sizeof NOTES + sizeof one->d_name + 1];
        long pages;

        if (sscanf(one->d_name, NOTE "%d", &pid) != 1 || kill(pid, 0) == 0 ||
            errno != ESRCH)
            continue;
        snprintf(path, sizeof path, NOTES "/%s", one->d_name);
        pages = number_in(path);
        if (unlink(path) == 0 && pages > 0) /* nobody else has done it */
            change(-pages);
    }
    if (folder)
        closedir(folder);
}

static void
note(void)
{
    char path[64], text[32];
    FILE *f;

    snprintf(path, sizeof path, NOTES "/" NOTE "%d", (int)getpid());
    snprintf(text, sizeof text, "%ld", added);
    if (added == 0) {
        unlink(path);
        return;
    }
    f = fopen(path, "we");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

void
hugepool_grow(unsigned pages)
{
    give_back_others();
    added += pages;
    change(pages);
    note();
}

void
hugepool_restore(void)
{
    long pages = added;

    added = 0;
    note(); /* killed here, it leaves some: better than to take somebody's */
    change(-pages);
}
