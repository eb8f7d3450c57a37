/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files_told.c - what BPF tells of writes: of whom it knows ranges, and that it is
 * believed beside one who makes and removes files all the time.
 *
 * files_told FOLDER [TRIES] */
#include "sockmig/filewrites.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK (64 << 10)

static int bad;

static void
expect(bool good, const char *what)
{
    if (good)
        return;
    printf("FAIL: %s\n", what);
    bad = 1;
}

static int
open_new(const char *folder, const char *name, uint64_t *inode)
{
    char path[300];
    struct stat st;
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 20 * CHUNK) < 0 || fstat(fd, &st) < 0) {
        perror(path);
        exit(1);
    }
    *inode = st.st_ino;
    return fd;
}

/* A child that writes to chunk 3, then, when it is told to, to chunk 5. */
static pid_t
start_writer(int fd, int go, int done)
{
    pid_t pid = fork();
    char byte;

    if (pid != 0)
        return pid;
    for (int chunk = 3; chunk <= 5; chunk += 2)
        if (read(go, &byte, 1) != 1 || pwrite(fd, "x", 1, chunk * CHUNK) != 1 ||
            write(done, "", 1) != 1)
            _exit(1);
    _exit(0);
}

static struct filewrites_blocks
after_writing(struct filewrites *w, uint64_t inode, int go, int done)
{
    char byte;

    expect(filewrites_drain(w), "what was written before is drained");
    expect(write(go, "", 1) == 1 && read(done, &byte, 1) == 1, "the child writes");
    expect(filewrites_drain(w), "what it wrote is drained");
    return filewrites_find(w, inode);
}

static void
knows_members(struct filewrites *w, const char *folder)
{
    struct filewrites_blocks b;
    uint32_t members[2];
    uint64_t inode;
    int fd = open_new(folder, "written", &inode), go[2], done[2];
    pid_t pid;

    if (pipe(go) < 0 || pipe(done) < 0)
        exit(1);
    pid = start_writer(fd, go[0], done[1]);
    b = after_writing(w, inode, go[1], done[0]);
    expect(b.whole && b.foreign, "a stranger's write is foreign, without a range");
    members[0] = (uint32_t)pid;
    members[1] = (uint32_t)getpid();
    filewrites_members(w, members, 2);
    b = after_writing(w, inode, go[1], done[0]);
    expect(b.written && !b.whole && !b.foreign, "a member's write has a range");
    expect(filewrites_has(&b, 5) && !filewrites_has(&b, 3), "and it is the right one");
    waitpid(pid, NULL, 0);
    filewrites_members(w, members, 0);
    close(fd);
}

static void
never_rests(const char *folder)
{
    static char data[9000];

    for (unsigned i = 0;; i++) {
        char name[300];
        int fd;

        snprintf(name, sizeof name, "%s/x%u", folder, i % 50);
        fd = open(name, O_RDWR | O_CREAT, 0600);
        if (fd < 0 || write(fd, data, sizeof data) < 0 ||
            (i % 3 == 0 && ftruncate(fd, 100) < 0))
            _exit(1);
        close(fd);
        if (i % 2)
            unlink(name);
        if (i % 20 == 0)
            usleep(1000);
    }
}

/* Rows are taken away while others are made: none may count as lost. */
static void
is_believed(int root, const char *folder, unsigned tries)
{
    unsigned failed = 0, blind = 0;
    pid_t pid = fork();

    if (pid == 0)
        never_rests(folder);
    for (unsigned i = 0; i < tries; i++) {
        struct filewrites *w = filewrites_new(&root, 1);

        failed += w == NULL;
        blind += w && !filewrites_maps(w);
        filewrites_free(w);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    printf("%u tries: %u without ranges, %u without mappings\n", tries, failed, blind);
    expect(failed == 0 && blind == 0, "it is believed beside a busy one");
}

int
main(int argc, char **argv)
{
    struct filewrites *w;
    int root;

    if (argc < 2 || (root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 2;
    w = filewrites_new(&root, 1);
    if (!w || !filewrites_maps(w)) {
        printf(
            "skipped: this kernel or file system does not tell of blocks and faults\n");
        filewrites_free(w);
        return 77;
    }
    knows_members(w, argv[1]);
    filewrites_free(w);
    is_believed(root, argv[1], argc > 2 ? (unsigned)atoi(argv[2]) : 25);
    puts(bad ? "FAIL" : "PASS");
    return bad;
}
