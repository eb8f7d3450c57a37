/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree_test.c - checkpoints of processes that come and go: what they wrote to shared
 * memory is in the next one, whoever of them is still there.
 *
 * Needs root (77 otherwise). */
#include "lib/loop.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/tree.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000
#define PAGE 4096u

enum what {
    NOTHING,
    FORK,
    FORK_AND_END,
    CHILD_WRITES,
    CHILD_GIVES_BACK,
    CHILD_ENDS,
    CHILD_EXECUTES
};

/* What the test says to the processes, by memory that all share: they have no
 * descriptors.  Pages of its own for what they write. */
struct board {
    _Atomic int what, to_child, done;
    char rest[PAGE - 3 * sizeof(int)];
    struct {
        uint64_t value;
        char rest[PAGE - sizeof(uint64_t)];
    } page[8];
};

struct bench {
    struct board *board;
    pid_t root;
    struct tree tree;
    struct pages pages;
    struct parcels parcels;
    struct refusals why;
    unsigned failed;
};

/* ---- the processes */

static void
write_page(struct board *b, unsigned i)
{
    b->page[i].value = 100 + i;
}

static void
child(struct board *b)
{
    static char *const sleeper[] = { (char *)"sleep", (char *)"1000", NULL };

    prctl(PR_SET_PDEATHSIG, SIGKILL);

    for (;;) {
        switch (atomic_exchange(&b->to_child, NOTHING)) {
        case CHILD_WRITES:
            write_page(b, 1);
            atomic_store(&b->done, 1);
            break;
        case CHILD_GIVES_BACK: /* and reads: it is there again */
            madvise(&b->page[1], PAGE, MADV_REMOVE);
            atomic_store(&b->done, 1 + (int)b->page[1].value);
            break;
        case CHILD_ENDS:
            write_page(b, 2);
            _exit(0);
        case CHILD_EXECUTES:
            execv("/bin/sleep", sleeper);
            _exit(1);
        }
        usleep(500);
    }
}

static pid_t
make_child(struct board *b)
{
    pid_t pid = fork();

    if (pid == 0)
        child(b);
    return pid;
}

static void
root(struct board *b, bool parent)
{
    pid_t pid;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(0, ~0u, 0);
    if (parent)
        make_child(b);
    for (;;) {
        switch (atomic_exchange(&b->what, NOTHING)) {
        case FORK:
            pid = fork();
            if (pid == 0) {
                write_page(b, 3);
                child(b);
            }
            atomic_store(&b->done, 1);
            break;
        case FORK_AND_END:
            pid = fork();
            if (pid == 0) {
                write_page(b, 4);
                _exit(0);
            }
            waitpid(pid, NULL, 0);
            atomic_store(&b->done, 1);
            break;
        case CHILD_ENDS:
            atomic_store(&b->to_child, CHILD_ENDS);
            wait(NULL);
            atomic_store(&b->done, 1);
            break;
        }
        usleep(500);
    }
}

/* ---- the test */

static void
check(struct bench *b, bool ok, const char *claim)
{
    printf("%s: %s\n", ok ? "ok" : "FAILED", claim);
    fflush(stdout);
    if (!ok)
        b->failed++;
}

/* Say it, and answer their stops until it is done. */
static bool
order(struct bench *b, enum what what, bool to_child)
{
    struct mono end = mono_add_ms(mono_clock(), WAIT_MS);

    atomic_store(&b->board->done, 0);
    atomic_store(to_child ? &b->board->to_child : &b->board->what, what);
    while (!atomic_load(&b->board->done) && mono_before(mono_clock(), end))
        tree_wait(&b->tree, mono_add_ms(mono_clock(), 2), -1);
    return atomic_load(&b->board->done);
}

static int
take(struct bench *b)
{
    struct target_request req = { .stop_limit_ms = 1000, .settled = true };
    struct target_timing timing;
    int ret = -EAGAIN;

    for (unsigned tries = 0; tries < 50 && ret == -EAGAIN; tries++) {
        if (tries > 0)
            tree_wait(&b->tree, mono_add_ms(mono_clock(), 5), -1);
        pages_reset(&b->pages);
        parcels_reset(&b->parcels);
        ret = tree_checkpoint(&b->tree, &req, &b->pages, &b->parcels, &timing, &b->why);
    }
    for (unsigned i = 0; i < b->why.n && i < REFUSALS_MAX; i++)
        printf("refused: %s; %s\n", b->why.v[i].what, b->why.v[i].cure);
    if (ret < 0)
        printf("checkpoint: %s\n", strerror(-ret));
    return ret;
}

/* What the last checkpoint has of page @i; @none: nothing.  Of which process does not
 * matter: the mapping is at the same place in all. */
static uint64_t
value_of(const struct bench *b, unsigned i, uint64_t none)
{
    uint64_t at = (uint64_t)(uintptr_t)&b->board->page[i], value = none;

    for (size_t k = 0; k < b->pages.nruns; k++) {
        const struct page_run *r = &b->pages.runs[k];

        if (!r->dropped && at >= r->address &&
            at < r->address + (uint64_t)r->count * PAGE)
            memcpy(&value, b->pages.data + r->offset + (at - r->address), sizeof value);
    }
    return value;
}

static bool
has(const struct bench *b, unsigned i)
{
    return value_of(b, i, 0) == 100 + i;
}

static uint32_t
number_of_child(const struct bench *b)
{
    return b->tree.family.n == 2 ? b->tree.family.members[1].number : UINT32_MAX;
}

static bool
begin(struct bench *b, bool parent)
{
    int ret;

    memset(b, 0, sizeof *b);

    b->board = mmap(NULL, sizeof *b->board, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b->board == MAP_FAILED || pages_init(&b->pages, (size_t)1 << 30, 0) < 0 ||
        parcels_init(&b->parcels, 64u << 20) < 0)
        return false;
    survey_load();
    b->root = fork();
    if (b->root == 0)
        root(b->board, parent);
    usleep(100000); /* both are there, and wait for words */
    ret = tree_track(&b->tree, getpid(), b->root, CONF_CHILDREN_AUTO, NULL, &b->why);
    if (ret == 0)
        ret = tree_precopy(&b->tree);
    for (unsigned i = 0; i < b->why.n && i < REFUSALS_MAX; i++)
        printf("refused: %s; %s\n", b->why.v[i].what, b->why.v[i].cure);
    if (ret < 0)
        printf("tracking: %s\n", strerror(-ret));
    return ret == 0;
}

static void
come_and_go(struct bench *b)
{
    uint32_t number = number_of_child(b), next;

    check(b, order(b, CHILD_WRITES, true) && take(b) == 0 && has(b, 1),
        "what a child writes is in the next one");
    check(b, take(b) == 0 && !has(b, 1) && number_of_child(b) == number,
        "and in no other");
    check(b, order(b, CHILD_GIVES_BACK, true) && take(b) == 0 && value_of(b, 1, 1) == 0,
        "what it gives back, and only reads again, is");
    check(b, order(b, CHILD_ENDS, false) && take(b) == 0 && has(b, 2),
        "what it wrote before its end is, too");
    check(b, b->tree.family.n == 1, "and it is gone");
    check(b, order(b, FORK, false) && take(b) == 0 && has(b, 3),
        "what a new one wrote before it was attached is");
    check(b, !has(b, 1), "and what it never touched is not");
    next = number_of_child(b);
    check(b, next != UINT32_MAX && next != number, "with a number of its own");
    check(b, order(b, FORK_AND_END, false) && take(b) == 0 && has(b, 4),
        "what one wrote that nobody ever saw is");
    check(b, take(b) == 0 && !has(b, 4), "once");
    atomic_store(&b->board->to_child, CHILD_EXECUTES);
    for (unsigned i = 0; i < 500 && number_of_child(b) == next; i++) {
        tree_wait(&b->tree, mono_add_ms(mono_clock(), 5), -1);
        if (take(b) < 0)
            break;
    }
    check(b, number_of_child(b) != UINT32_MAX && number_of_child(b) > next,
        "another program is another process");
}

/* As if somebody had asked it before, and it had stopped unseen. */
static void
stop_twice(struct bench *b)
{
    check(b,
        tree_stop(&b->tree, 1000, &b->why) == 0 &&
            ptrace(PTRACE_INTERRUPT, b->root, 0, 0) == 0 && take(b) == 0,
        "a stop too many holds up nobody");
    check(b, order(b, FORK_AND_END, false), "they run on");
}

static void
end(struct bench *b)
{
    tree_close(&b->tree);
    kill(b->root, SIGKILL);
    waitpid(b->root, NULL, 0);
}

/* "auto": without children when it begins. */
static void
grows_up(struct bench *b, bool in_time)
{
    struct mono stop = mono_add_ms(mono_clock(), WAIT_MS);

    if (!in_time)
        b->tree.settles.us = 0;
    check(b,
        take(b) == 0 && order(b, FORK, false) && take(b) == 0 && b->tree.family.n == 1,
        "a child is lost");
    while (b->tree.family.n == 1 && in_time && mono_before(mono_clock(), stop)) {
        tree_wait(&b->tree, mono_add_ms(mono_clock(), 20), -1);
        if (take(b) < 0)
            break;
    }
    for (unsigned i = 0; i < 20 && !in_time; i++) {
        tree_wait(&b->tree, mono_add_ms(mono_clock(), 20), -1);
        check(b, take(b) == 0 && b->tree.family.n == 1, "and stays lost");
    }
    check(b, b->tree.family.n == (in_time ? 2 : 1),
        in_time ? "one that stays is taken, too" : "it came too late");
    check(b, !in_time || (order(b, CHILD_WRITES, true) && take(b) == 0 && has(b, 1)),
        "with what it writes");
}

int
main(void)
{
    static struct bench b;
    unsigned failed;

    if (geteuid() != 0) {
        printf("skipped: not root\n");
        return 77;
    }
    alarm(120); /* a tracer that waits for ever is a fault, too */
    if (!begin(&b, true))
        return EXIT_FAILURE;
    stop_twice(&b);
    check(&b, take(&b) == 0 && b.tree.family.n == 2, "both are taken");
    come_and_go(&b);
    end(&b);
    failed = b.failed;
    for (int in_time = 0; in_time < 2; in_time++) {
        if (!begin(&b, false))
            return EXIT_FAILURE;
        grows_up(&b, in_time);
        end(&b);
        failed += b.failed;
    }
    printf("%u failed\n", failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
