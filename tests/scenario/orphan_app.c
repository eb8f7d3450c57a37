/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orphan_app.c - processes that live as they like: each forks, leaves for a session or
 * a group, becomes a subreaper or none, waits for its children, ends.
 *
 *     orphan_app FOLDER SEED
 *
 * While FOLDER/hold is there they do nothing.  "turns" of each are counted in memory
 * that all share, and written to FOLDER/turns now and then by the root, which stays. */
#include "tests/dice.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 10
#define GROUPS 16

struct board {
    _Atomic int pids[MOST];
    _Atomic unsigned long turns;
    _Atomic int groups[GROUPS];
};

static struct board *board;
static const char *folder;
static uint64_t seed;

static void
live(uint64_t number)
{
    seed = (number + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)getpid() << 32;
}

/* A place whose process is gone, waited for as well. */
static _Atomic int *
free_place(void)
{
    for (int i = 0; i < MOST; i++) {
        int pid = atomic_load(&board->pids[i]);

        if ((pid == 0 || (kill(pid, 0) < 0 && errno == ESRCH)) &&
            atomic_compare_exchange_strong(&board->pids[i], &pid, getpid()))
            return &board->pids[i];
    }
    return NULL;
}

static void
bear(void)
{
    _Atomic int *place = free_place();
    pid_t pid = place ? fork() : 0;

    if (place && pid == 0) {
        atomic_store(place, getpid());
        live(atomic_load(&board->turns));
    }
}

static void
act(bool is_root)
{
    while (dice(&seed, 8) > 0 && waitpid(-1, NULL, WNOHANG) > 0)
        ;
    atomic_store(&board->groups[dice(&seed, GROUPS)], getpgrp());
    switch (dice(&seed, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        bear();
        break;
    case 4:
        setsid();
        break;
    case 5:
        setpgid(0, 0);
        break;
    case 6:
        setpgid(0, atomic_load(&board->groups[dice(&seed, GROUPS)]));
        break;
    case 7:
        prctl(PR_SET_CHILD_SUBREAPER, dice(&seed, 2));
        break;
    case 8:
        waitpid(-1, NULL, WNOHANG);
        break;
    case 9:
    case 10:
        if (!is_root)
            _exit(0);
        break;
    }
}

static void
say(void)
{
    char text[32], path[4096];
    int fd, n = snprintf(text, sizeof text, "%20lu\n", atomic_load(&board->turns));

    snprintf(path, sizeof path, "%s/turns", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, text, (size_t)n, 0) != n)
        _exit(1);
    close(fd);
}

int
main(int argc, char **argv)
{
    char hold[4096];
    pid_t root = getpid();

    if (argc < 3)
        return 2;
    folder = argv[1];
    snprintf(hold, sizeof hold, "%s/hold", folder);
    board = mmap(
        NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return 1;
    live(strtoull(argv[2], NULL, 10));
    for (;;) {
        usleep(5000);
        atomic_fetch_add(&board->turns, 1);
        if (getpid() == root)
            say();
        if (access(hold, F_OK) < 0)
            act(getpid() == root);
    }
}
