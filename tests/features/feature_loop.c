/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * feature_loop.c - every feature through checkpoints and takeovers.
 *
 *     feature_loop [--table | --list | NUMBER... | WORDS]
 *
 * Features that get along share a process.  It is checkpointed and killed, its clone is
 * woken, and checks itself: once after a single checkpoint, then after several while it
 * runs, then from the clone of the clone.  What is to be refused is set up before
 * protection begins, and once more after. */
#include "tests/features/feature_lab.h"
#include "tests/features/features.h"
#include "tests/features/hugepool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FEATURES 512
#define AT_ONCE 2 /* groups */
#define GROUP 10  /* features of one process */
#define TAKEOVERS 3
#define HUGE_PAGES 64 /* for all that run at once */

struct group {
    unsigned numbers[GROUP], n;
    bool refused;
    pid_t pid;
    char log[64]; /* what the child says */
};

static struct group groups[MAX_FEATURES];
static unsigned ngroups, failed, passed, skipped;

static void
say_table(FILE *to)
{
    fprintf(to, "# Features\n\nMade by `feature_loop --table` from `tests/features/`; "
                "each row is tested by `make check`.\n");
    for (unsigned i = 0; feature_areas[i]; i++) {
        fprintf(to, "\n## %s\n\n| feature | |\n|---|---|\n", feature_areas[i]->title);
        for (unsigned k = 0; k < feature_areas[i]->n; k++) {
            const struct feature *f = &feature_areas[i]->rows[k];

            fprintf(to, "| %s | %s%s%s |\n", f->name,
                f->refused ? "refused: \"" : "kept", f->refused ? f->refused : "",
                f->refused ? "\"" : "");
        }
    }
}

/* The page in the tree says what the tables say. */
static bool
is_documented(void)
{
    const char *top = getenv("top_srcdir");
    char path[4096], *table = NULL, *page = NULL;
    size_t size = 0, n = 0;
    bool same;
    FILE *f;

    f = open_memstream(&table, &size);
    say_table(f);
    fclose(f);
    snprintf(path, sizeof path, "%s/doc/features.md", top ? top : "..");
    f = fopen(path, "re");
    page = malloc(size + 2);
    if (f && page)
        n = fread(page, 1, size + 1, f);
    if (f)
        fclose(f);
    same = page && n == size && memcmp(page, table, size) == 0;
    free(table);
    free(page);
    return same;
}

static void
add(unsigned number, bool may_share)
{
    const struct feature_area *area, *other = NULL;
    const struct feature *f = feature_at(number, &area), *first = NULL;
    struct group *g = ngroups > 0 ? &groups[ngroups - 1] : NULL;

    if (g)
        first = feature_at(g->numbers[0], &other);
    if (!g || !may_share || f->refused || (f->flags & FEATURE_ALONE) ||
        first->refused || (first->flags & FEATURE_ALONE) || g->n == GROUP ||
        area != other)
        g = &groups[ngroups++];
    g->numbers[g->n++] = number;
    g->refused = f->refused != NULL;
}

/* In a process of its own: whatever goes wrong ends it. */
static void
run_group(struct group *g)
{
    int out;

    snprintf(g->log, sizeof g->log, "/tmp/bascule-feature.%d.%u", (int)getpid(),
        (unsigned)(g - groups));
    fflush(NULL);
    g->pid = fork();
    if (g->pid != 0)
        return;
    out = feature_lab_log(g->log);
    dup2(out, 1);
    dup2(out, 2);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (g->refused)
        exit(feature_lab_refused(g->numbers[0]));
    exit(feature_lab_kept(g->numbers, g->n, TAKEOVERS));
}

static void
say_log(const struct group *g)
{
    FILE *f = fopen(g->log, "r");
    char line[1024];

    while (f && fgets(line, sizeof line, f)) {
        bool skip = strncmp(line, "SKIP", 4) == 0;

        skipped += skip;
        passed -= skip;
        if (g->pid < 0 || strncmp(line, "WRONG", 5) == 0 || skip)
            printf("  %s", line);
    }
    if (f)
        fclose(f);
}

/* A group that fails is taken apart, to name the feature. */
static void
collect(struct group *g, int status)
{
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    if (ok) {
        passed += g->n;
        g->pid = 0;
    } else {
        printf("FAIL: %s%s (%s %d)\n", feature_at(g->numbers[0], NULL)->name,
            g->n > 1 ? " and others" : "", WIFEXITED(status) ? "status" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        failed++;
        g->pid = -1;
    }
    say_log(g);
    unlink(g->log);
    for (unsigned i = 0; !ok && g->n > 1 && i < g->n; i++)
        add(g->numbers[i], false);
}

static void
run_all(void)
{
    unsigned next = 0, running = 0;
    int status;

    while (running > 0 || next < ngroups) {
        pid_t pid;

        while (running < AT_ONCE && next < ngroups) {
            run_group(&groups[next++]);
            running++;
        }
        pid = wait(&status);
        for (unsigned i = 0; i < next; i++)
            if (groups[i].pid == pid) {
                running--;
                collect(&groups[i], status);
                break;
            }
    }
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        say_table(stdout);
        return 0;
    }
    if (!feature_lab_open())
        return 77;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; feature_at(i, NULL); i++) {
        const struct feature_area *area;
        const char *name = feature_at(i, &area)->name;
        bool wanted = argc < 2;

        for (int k = 1; k < argc; k++)
            wanted = wanted || (isdigit((unsigned char)argv[k][0])
                                       ? (unsigned)atoi(argv[k]) == i
                                       : strstr(name, argv[k]) != NULL ||
                                             strcmp(area->title, argv[k]) == 0);
        if (argc > 1 && strcmp(argv[1], "--list") == 0)
            printf("%u %s\n", i, name);
        else if (wanted)
            add(i, true);
    }
    hugepool_grow(HUGE_PAGES);
    run_all();
    hugepool_restore();
    if (argc < 2 && !is_documented()) {
        printf("FAIL: make the page anew: feature_loop --table > doc/features.md\n");
        failed++;
    }
    printf("%s: %u features held, %u skipped, %u failures\n", failed ? "FAIL" : "PASS",
        passed, skipped, failed);
    return failed > 0;
}
