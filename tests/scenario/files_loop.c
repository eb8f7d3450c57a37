/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files_loop.c - state folders without a cluster: a folder changes at random, what
 * filescan finds is carried out on a second one, and both are compared, names, kinds,
 * content and attributes.
 *
 * files_loop FOLDER [SEED [ROUNDS]].  Each round: some changes and a look, some times;
 * then a third folder that has been away is seeded while the first changes on, and a
 * batch is carried out once more from its beginning, as after a crash.  With
 * FILES_MEANS in the environment only these tell of changes (filescan_watch()). */
#include "sockmig/filescan.h"
#include "sockmig/filestore_apply.h"
#include "tests/dice.h"
#include "tests/scenario/files_held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAMES 40
#define BATCH (64u << 20)

static uint64_t seed;
static const char *top;
static unsigned long round_now;
static bool may_map; /* by means of this run, mappings that come and go are seen */
static bool tidied;  /* what was set aside has a name more until then */

static uint32_t
below(uint32_t n)
{
    return dice(&seed, n);
}

static void
fail(const char *what, const char *which)
{
    fprintf(stderr, "round %lu: %s %s: %s\n", round_now, what, which, strerror(errno));
    exit(1);
}

/* A few names, so that they meet again and again: folders d0..d3, some in others. */
static void
a_path(char *to, const char *folder)
{
    static const char *const folders[] = { "", "d0/", "d1/", "d0/d2/", "d1/d3/" };

    snprintf(to, 256, "%s/%s/%sn%u", top, folder, folders[below(5)], below(NAMES / 4));
}

static void
write_some(const char *path)
{
    static uint8_t data[40000];
    int fd = open(path, O_RDWR | O_NONBLOCK | (below(3) ? 0 : O_CREAT), 0600);
    size_t n = 1 + below(below(3) ? 500 : sizeof data);

    if (fd < 0)
        return;
    if (lseek(fd, 0, SEEK_SET) < 0) { /* a named pipe: of its times only */
        if (write(fd, "", 1) < 0)
            fail("write", path);
        close(fd);
        return;
    }
    for (size_t i = 0; i < n; i++)
        data[i] = below(4) ? (uint8_t)below(256) : 0;
    if (!below(8))
        memset(data, 0, sizeof data);
    if (pwrite(fd, data, n, (off_t)below(120000)) < 0)
        fail("pwrite", path);
    if (!below(6) && ftruncate(fd, (off_t)below(130000)) < 0)
        fail("ftruncate", path);
    close(fd);
}

/* By a descriptor whose name goes while it is open; another name stays. */
static void
write_nameless(const char *a, const char *b)
{
    static int held = -1;
    int fd = open(a, O_RDWR | O_NONBLOCK);

    if (fd >= 0 && link(a, b) == 0 && unlink(a) == 0) {
        close(held);
        held = fd;
    } else {
        close(fd);
    }
    if (held >= 0 && pwrite(held, &seed, sizeof seed, (off_t)below(60000)) < 0 &&
        errno != ESPIPE)
        fail("pwrite", b);
}

static const char *
a_new_one(char *path)
{
    snprintf(path + strlen(path), 8, "-%u", below(3));
    return path;
}

static void
change_one(const char *folder)
{
    char a[256], b[256];

    a_path(a, folder);
    a_path(b, folder);
    switch (below(19)) {
    case 0:
        unlink(a);
        break;
    case 1:
    case 2:
        rename(a, b);
        break;
    case 3:
        link(a, b);
        break;
    case 4:
        symlink(below(2) ? "n1" : "d0/n2", a);
        break;
    case 14:
        mkfifo(a, 0640);
        break;
    case 15:
        if (strcmp(folder, "a") == 0) /* held on: the others are not written to */
            write_nameless(a, b);
        break;
    case 16: /* one with all that is in it */
        *strrchr(a, '/') = *strrchr(b, '/') = '\0';
        if (strcmp(a, b) != 0 && strlen(a) > strlen(top) + 2 &&
            strlen(b) > strlen(top) + 2)
            rename(a, below(3) ? b : a_new_one(b));
        break;
    case 5:
        chmod(a, 0600 + below(64));
        break;
    case 6:
        rmdir(a);
        break;
    case 7:
        mkdir(a, 0700);
        break;
    case 17:
        if (may_map && strcmp(folder, "a") == 0)
            held_visit(a, below);
        break;
    default:
        write_some(a);
    }
}

static void
change(const char *folder, unsigned n)
{
    static const char *const folders[] = { "d0", "d1", "d0/d2", "d1/d3" };
    char path[256];

    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", top, folder, folders[i]);
        mkdir(path, 0700);
    }
    while (n-- > 0)
        change_one(folder);
}

static void
compare_files(const char *a, const char *b)
{
    static uint8_t x[1 << 18], y[1 << 18];
    int p = open(a, O_RDONLY), q = open(b, O_RDONLY);
    ssize_t n = read(p, x, sizeof x), m = read(q, y, sizeof y);

    if (p < 0 || q < 0 || n != m)
        fail("another size", a);
    for (ssize_t i = 0; i < n; i++)
        if (x[i] != y[i]) {
            fprintf(stderr, "byte %zd of %zd\n", i, n);
            fail("another content", a);
        }
    close(p);
    close(q);
}

static void
compare(const char *a, const char *b, bool is_top)
{
    struct stat s, t;
    char x[600], y[600];
    unsigned names = 0;
    DIR *d;

    if (lstat(a, &s) < 0 || lstat(b, &t) < 0 || s.st_mode != t.st_mode ||
        s.st_uid != t.st_uid)
        fail("not there, or of another kind or mode", b);
    if (tidied && S_ISREG(s.st_mode) && s.st_nlink != t.st_nlink)
        fail("another number of links", b);
    if (!is_top && (s.st_mtim.tv_sec != t.st_mtim.tv_sec ||
                       s.st_mtim.tv_nsec != t.st_mtim.tv_nsec))
        fail("another time", b);
    if (S_ISREG(s.st_mode))
        compare_files(a, b);
    if (S_ISLNK(s.st_mode) && (readlink(a, x, sizeof x) != readlink(b, y, sizeof y) ||
                                  memcmp(x, y, (size_t)s.st_size) != 0))
        fail("another target", b);
    if (!S_ISDIR(s.st_mode))
        return;
    for (int side = 0; side < 2; side++) {
        struct dirent *e;

        d = opendir(side ? b : a);
        while (d && (e = readdir(d)) != NULL) {
            if (e->d_name[0] == '.')
                continue;
            names += side ? -1u : 1u;
            snprintf(x, sizeof x, "%s/%s", a, e->d_name);
            snprintf(y, sizeof y, "%s/%s", b, e->d_name);
            if (side == 0)
                compare(x, y, false);
        }
        closedir(d);
    }
    if (names)
        fail("other names in", b);
}

static void
tell(const struct refusals *why)
{
    for (unsigned i = 0; i < why->n; i++)
        fprintf(stderr, "refused: %s; %s\n", why->v[i].what, why->v[i].cure);
}

struct other { /* a folder that follows */
    char path[256];
    int fd;
    uint8_t *batch; /* since it was last made durable */
    size_t size;
};

static void
open_other(struct other *o, const char *name)
{
    snprintf(o->path, sizeof o->path, "%s/%s", top, name);
    mkdir(o->path, 0700);
    o->fd = open(o->path, O_RDONLY | O_DIRECTORY);
    o->batch = malloc(BATCH);
    o->size = 0;
    if (o->fd < 0 || !o->batch)
        fail("open", o->path);
}

static void
carry(struct other *o, const uint8_t *ops, size_t size)
{
    int ret = files_apply(&o->fd, 1, ops, size, false);
    bool moves;

    if (!files_check_ops(ops, size, 1, &moves))
        fail("malformed operations for", o->path);
    if (moves)
        o->size = 0; /* what is before it would not be done again */
    if (ret < 0) {
        errno = -ret;
        fail("cannot be carried out on", o->path);
    }
    if (BATCH - o->size < size)
        fail("batch too large", o->path);
    memcpy(o->batch + o->size, ops, size);
    o->size += size;
}

/* As after a crash: from its beginning. */
static void
carry_again(struct other *o)
{
    int ret = files_apply(&o->fd, 1, o->batch, o->size, true);

    if (ret < 0) {
        errno = -ret;
        fail("cannot be carried out again on", o->path);
    }
}

static void
take(struct filescan *s, uint8_t **buffer, struct other *o)
{
    struct refusals why = { .n = 0 };
    size_t size;

    if (below(2)) {
        filescan_prepare(s);
        change("a", below(10));
    }
    for (unsigned i = below(4); filescan_maps(s) && i > 0; i--)
        held_write(top, below);
    if (filescan_take(s, &why) < 0 || held_tell(s, !below(4), &why) < 0) {
        tell(&why);
        fail("take", "");
    }
    filescan_hand(s, buffer, &size);
    carry(&o[0], *buffer, size);
    carry(&o[1], *buffer, size);
}

static uint8_t *
have_of(const struct other *o, size_t *size)
{
    const char *roots[] = { o->path };
    struct filescan_conf conf = { roots, 1, 7 };
    struct filescan *s = filescan_new(&conf);
    struct refusals why = { .n = 0 };
    uint8_t *data;

    if (filescan_begin(s, NULL, &why) < 0) {
        tell(&why);
        fail("begin", o->path);
    }
    data = malloc(filescan_encode(s, NULL, 0));
    *size = filescan_encode(s, data, filescan_encode(s, NULL, 0));
    filescan_free(s);
    return data;
}

/* The second other one was away: it has something else. */
static void
seed_it(struct filescan *s, uint8_t **buffer, struct other *o)
{
    uint8_t *ops = *buffer;
    size_t size;
    uint8_t *have = have_of(&o[1], &size);
    int ret;

    if (!filescan_seed(s, have, size))
        fail("seed", "");
    do {
        ret = filescan_seed_more(s, ops, &size, 30000);
        if (ret < 0)
            fail("seed_more", "");
        carry(&o[1], ops, size);
        change("a", below(6));
        if (ret > 0 && below(2)) {
            take(s, buffer, o);
            ops = *buffer;
        }
    } while (ret > 0);
    take(s, buffer, o);
    filescan_seed_end(s);
}

static void
compare_both(const char *path, const struct other *o)
{
    compare(path, o[0].path, true);
    compare(path, o[1].path, true);
}

static void
tidy(struct other *o)
{
    files_tidy(&o[0].fd, 1);
    files_tidy(&o[1].fd, 1);
    o[0].size = o[1].size = 0;
}

/* More than inotify keeps (fs.inotify.max_queued_events): what comes after is lost. */
static void
write_many(void)
{
    char path[256];
    int fds[2];

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/a/many%d", top, i);
        fds[i] = open(path, O_RDWR | O_CREAT, 0600);
    }
    for (unsigned i = 0; i < 9000; i++)
        for (int k = 0; k < 2; k++)
            if (pwrite(fds[k], &i, sizeof i, (off_t)below(9000)) < 0)
                fail("pwrite", path);
    close(fds[0]);
    close(fds[1]);
}

/* Changes and looks; what a standby carries out twice; now and then one is away. */
static void
one_round(struct filescan *s, const char *path, uint8_t **buffer, struct other *o)
{
    for (unsigned i = below(5); i > 0; i--) {
        if (!below(20))
            write_many();
        change("a", below(30));
        take(s, buffer, o);
    }
    compare_both(path, o);
    carry_again(&o[0]);
    tidy(o);
    tidied = true;
    compare_both(path, o);
    tidied = false;
    if (below(3))
        return;
    change("c", below(60));
    seed_it(s, buffer, o);
    compare(path, o[1].path, true);
    tidy(o);
}

/* What is not kept is refused: at once, and again until it is gone. */
static void
refuses_attributes(struct filescan *s, const char *path)
{
    struct refusals why = { .n = 0 };
    char name[300];

    snprintf(name, sizeof name, "%s/attributed", path);
    close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (setxattr(name, "user.colour", "red", 3, 0) < 0) {
        printf("extended attributes: skipped, this file system has none\n");
        return;
    }
    if (filescan_take(s, &why) != -EOPNOTSUPP ||
        !strstr(why.v[0].what, "attributed: attribute user.colour is not kept"))
        fail("an extended attribute is not refused", name);
    why.n = 0;
    if (filescan_begin(s, NULL, &why) != -EOPNOTSUPP || why.n != 1)
        fail("an extended attribute is not refused from the start", name);
    why.n = 0;
    if (removexattr(name, "user.colour") < 0 || filescan_begin(s, NULL, &why) < 0)
        fail("still refused", name);
}

int
main(int argc, char **argv)
{
    unsigned long rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 200;
    char path[256];
    const char *roots[] = { path };
    struct filescan_conf conf = { roots, 1, 7 };
    struct refusals why = { .n = 0 };
    struct filescan *s;
    struct other o[2];
    const char *means = getenv("FILES_MEANS");
    uint8_t *buffer = mmap(NULL, FILESCAN_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (argc < 2)
        return 2;
    top = argv[1];
    seed = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) * 0x9e3779b97f4a7c15ull + 1;
    snprintf(path, sizeof path, "%s/a", top);
    mkdir(path, 0700);
    open_other(&o[0], "b");
    open_other(&o[1], "c");
    s = filescan_new(&conf);
    may_map = !means || atoi(means) != FILESCAN_EVENTS;
    filescan_watch(s, getpid(), means ? (unsigned)atoi(means) : FILESCAN_ALL);
    if (filescan_begin(s, NULL, &why) < 0)
        fail("begin", path);
    for (round_now = 0; round_now < rounds; round_now++)
        one_round(s, path, &buffer, o);
    refuses_attributes(s, path);
    filescan_free(s);
    printf("%lu rounds: the folders are alike\n", rounds);
    return 0;
}
