/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * feature_app.c - a process that has the features it is told to have.
 *
 *     feature_app GO [late] NUMBER...
 *
 * The size of the file GO in its folder counts orders: at each, all features are
 * checked, and a line for each goes to standard output, then "checked N".  late: the
 * first order is to set them up. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct feature *features[64];
static unsigned nfeatures;
static int here; /* the folder at the start: features may change it, and the root */

static void
say(const char *what, const struct feature *f, const char *text)
{
    char line[768];
    int n = snprintf(line, sizeof line, "%s %s%s%s\n", what, f->name, text ? ": " : "",
        text ? text : "");

    if (write(1, line, (size_t)n) < 0)
        _exit(3);
}

static void
say_count(const char *what, long n)
{
    char line[64];

    if (write(1, line, (size_t)snprintf(line, sizeof line, "%s %ld\n", what, n)) < 0)
        _exit(3);
}

static void
set_up_all(void)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < nfeatures; i++) {
        const char *wrong;

        errno = 0;
        wrong = features[i]->set_up();
        if (wrong && strncmp(wrong, "skip", 4) == 0) {
            say("SKIP", features[i], wrong);
            continue;
        }
        if (wrong)
            say("WRONG", features[i], wrong);
        features[kept++] = features[i];
    }
    nfeatures = kept;
}

static void
check_all(void)
{
    for (unsigned i = 0; i < nfeatures; i++) {
        const char *wrong = features[i]->check ? features[i]->check() : NULL;

        say(wrong ? "WRONG" : "ok", features[i], wrong);
    }
}

static void
wait_for_order(const char *go, long seen)
{
    struct timespec tick = { 0, 1000000 };
    struct stat st;

    while (fstatat(here, go, &st, 0) < 0 || st.st_size <= seen) {
        for (unsigned i = 0; i < nfeatures; i++)
            if (features[i]->step)
                features[i]->step();
        nanosleep(&tick, NULL);
    }
}

int
main(int argc, char **argv)
{
    bool late = argc > 2 && strcmp(argv[2], "late") == 0;
    long orders = 0;

    here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int i = late ? 3 : 2; i < argc && nfeatures < 64; i++)
        features[nfeatures++] = feature_at((unsigned)atoi(argv[i]), NULL);
    if (late) {
        unsigned n = nfeatures;

        nfeatures = 0;
        say_count("ready", 0);
        wait_for_order(argv[1], orders++);
        nfeatures = n;
    }
    set_up_all();
    say_count("ready", orders);
    for (;;) {
        wait_for_order(argv[1], orders++);
        check_all();
        say_count("checked", orders);
    }
}
