/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files_writer.c - a server that changes files in a folder and knows in its memory what
 * must be in them: whether folder and memory are of one instant.
 *
 * files_writer [-h] PORT FOLDER.  With -h, a child shares the mapped file and
 * does half of the writes to it.  Lines of a client: "work N": so many changes,
 * answered by how many were made in all; "check": "right N" or what is wrong; "big
 * MIB": a file of random bytes; "touch PERMILLE": so much of it changed. */
#include "tests/dice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 48
#define MAX_SIZE (160u << 10)
#define NAME 32
#define SHARED (256u << 10)

static struct model {
    char name[NAME]; /* "": there is none */
    uint8_t *data;
    size_t size;
    unsigned mode;
    int fd; /* kept open by some: -1 */
} model[FILES];
static uint8_t shared_model[SHARED], *shared_file; /* as it must be; mapped */
static int helper = -1;                            /* socket to it; -1: there is none */
static uint64_t seed = 88172645463325252ull, made;
static char wrong[256];

static uint32_t
below(uint32_t n)
{
    return dice(&seed, n);
}

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static void
scramble(uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)below(256);
}

static void
new_name(char *name)
{
    snprintf(name, NAME, "%s/f%u", below(2) ? "a" : "b/c", below(1000));
    for (unsigned i = 0; i < FILES; i++)
        if (strcmp(model[i].name, name) == 0) {
            new_name(name);
            return;
        }
}

static int
open_it(struct model *m, int flags)
{
    int fd = m->fd >= 0 ? dup(m->fd) : open(m->name, flags, 0600);

    if (fd < 0)
        die(m->name);
    return fd;
}

static void
create(struct model *m)
{
    char name[NAME];

    new_name(name);
    strcpy(m->name, name);
    m->size = 0;
    m->mode = 0600;
    m->fd = open(m->name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (m->fd < 0)
        die(m->name);
    if (below(2)) {
        close(m->fd);
        m->fd = -1;
    }
}

struct stroke { /* written to the mapped file */
    uint32_t at, n;
    uint8_t with;
    bool by_call;
};

static void
draw(uint8_t *to, const struct stroke *s)
{
    memset(to + s->at, s->with, s->n);
}

static bool
write_it(const struct stroke *s)
{
    static uint8_t data[SHARED];
    int fd = open("shared", O_WRONLY);
    bool good;

    memset(data, s->with, s->n);
    good = pwrite(fd, data, s->n, s->at) == (ssize_t)s->n;
    close(fd);
    return good;
}

static void
help(int s)
{
    struct stroke one;

    while (read(s, &one, sizeof one) == sizeof one) {
        if (!one.by_call)
            draw(shared_file, &one);
        else if (!write_it(&one))
            break;
        if (write(s, "", 1) != 1)
            break;
    }
    _exit(0);
}

/* By this process or the other one; now and then its mapping is gone for a while then.
 */
static void
write_shared(void)
{
    struct stroke s = {
        .at = below(SHARED), .with = (uint8_t)below(256), .by_call = below(2)
    };
    char done;

    s.n = 1 + below(SHARED - s.at < 9000 ? SHARED - s.at : 9000);
    draw(shared_model, &s);
    if (helper >= 0 && below(2)) {
        if (write(helper, &s, sizeof s) != sizeof s || read(helper, &done, 1) != 1)
            die("helper");
        return;
    }
    draw(shared_file, &s);
    if (below(20))
        return;
    munmap(shared_file, SHARED);
    shared_file = NULL;
}

static void
map_shared(void)
{
    int fd = open("shared", O_RDWR | O_CREAT, 0600);

    if (fd < 0 || ftruncate(fd, SHARED) < 0)
        die("shared");
    shared_file = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared_file == MAP_FAILED)
        die("mmap");
    close(fd);
}

/* By a mapping that is gone before anybody looks. */
static void
write_mapped(struct model *m)
{
    size_t at = below((uint32_t)m->size), n = 1 + below((uint32_t)(m->size - at));
    int fd = open_it(m, O_RDWR);
    uint8_t *p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        die("mmap");
    scramble(m->data + at, n);
    memcpy(p + at, m->data + at, n);
    munmap(p, m->size);
    close(fd);
}

static void
write_some(struct model *m)
{
    size_t at = below(4) ? m->size : below((uint32_t)m->size + 20000);
    size_t n = 1 + below(below(4) ? 300 : 20000);
    int fd;

    if (at + n > MAX_SIZE)
        at = below(MAX_SIZE - 20001);
    fd = open_it(m, O_RDWR);
    if (at > m->size)
        memset(m->data + m->size, 0, at - m->size);
    scramble(m->data + at, n);
    if (pwrite(fd, m->data + at, n, (off_t)at) != (ssize_t)n)
        die("pwrite");
    if (at + n > m->size)
        m->size = at + n;
    close(fd);
}

static void
cut(struct model *m)
{
    size_t to = below((uint32_t)m->size + 1000);
    int fd = open_it(m, O_RDWR);

    if (to > MAX_SIZE)
        to = MAX_SIZE;
    if (to > m->size)
        memset(m->data + m->size, 0, to - m->size);
    if (ftruncate(fd, (off_t)to) < 0)
        die("ftruncate");
    m->size = to;
    close(fd);
}

static void
rename_it(struct model *m)
{
    struct model *over = &model[below(FILES)];
    char name[NAME];

    if (over != m && over->name[0] && below(2)) { /* instead of another one */
        strcpy(name, over->name);
        over->name[0] = '\0';
        if (over->fd >= 0)
            close(over->fd);
        over->fd = -1;
    } else {
        new_name(name);
    }
    if (rename(m->name, name) < 0)
        die("rename");
    strcpy(m->name, name);
}

static void
delete_it(struct model *m)
{
    if (unlink(m->name) < 0)
        die("unlink");
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
    m->name[0] = '\0';
}

static void
change(void)
{
    struct model *m = &model[below(FILES)];
    uint32_t what = below(100);

    made++;
    if (!shared_file && !below(40))
        map_shared();
    else if (shared_file && !below(3))
        write_shared();
    if (!m->name[0])
        create(m);
    else if (what < 10 && m->size > 0)
        write_mapped(m);
    else if (what < 70)
        write_some(m);
    else if (what < 80)
        cut(m);
    else if (what < 90)
        rename_it(m);
    else if (what < 95)
        delete_it(m);
    else if (chmod(m->name, m->mode = 0600 + below(8) * 8) < 0)
        die("chmod");
}

__attribute__((format(printf, 1, 2))) static void
is_wrong(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (!wrong[0])
        vsnprintf(wrong, sizeof wrong, fmt, args);
    va_end(args);
}

static void
check_file(const struct model *m)
{
    static uint8_t data[MAX_SIZE + 1];
    int fd = open(m->name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);
    struct stat st;

    if (n < 0 || fstat(fd, &st) < 0) {
        is_wrong("%s: %s", m->name, strerror(errno));
        return;
    }
    close(fd);
    if ((size_t)n != m->size)
        is_wrong("%s: %zd bytes, not %zu", m->name, n, m->size);
    for (ssize_t i = 0; i < n && !wrong[0]; i++)
        if (data[i] != m->data[i])
            is_wrong("%s: byte %zd of %zd", m->name, i, n);
    if ((st.st_mode & 07777) != m->mode)
        is_wrong("%s: mode %o, not %o", m->name, st.st_mode & 07777u, m->mode);
}

static void
check_shared(void)
{
    static uint8_t data[SHARED];
    int fd = open("shared", O_RDONLY);

    if (fd < 0 || read(fd, data, SHARED) != SHARED)
        is_wrong("shared: %s", strerror(errno));
    close(fd);
    for (size_t i = 0; i < SHARED && !wrong[0]; i++)
        if (data[i] != shared_model[i] || (shared_file && shared_file[i] != data[i]))
            is_wrong("shared: byte %zu: %u in the file, not %u", i, data[i],
                shared_model[i]);
}

static bool
is_known(const char *name)
{
    for (unsigned i = 0; i < FILES; i++)
        if (strcmp(model[i].name, name) == 0)
            return true;
    return false;
}

static void
check_names(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    char name[300];

    while (d && (e = readdir(d)) != NULL) {
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && strcmp(name, "b/c") != 0 && !is_known(name))
            is_wrong("%s is there", name);
    }
    if (d)
        closedir(d);
}

static void
check(void)
{
    wrong[0] = '\0';
    check_shared();
    for (unsigned i = 0; i < FILES; i++)
        if (model[i].name[0])
            check_file(&model[i]);
    check_names("a");
    check_names("b");
    check_names("b/c");
}

static void
big(unsigned mib)
{
    static uint8_t chunk[1 << 20];
    int fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);

    for (unsigned i = 0; i < mib; i++) {
        for (size_t k = 0; k < sizeof chunk; k += 4) {
            uint32_t r = below(UINT32_MAX);

            memcpy(chunk + k, &r, 4);
        }
        if (write(fd, chunk, sizeof chunk) != sizeof chunk)
            die("big");
    }
    close(fd);
}

static void
touch(unsigned permille)
{
    uint8_t page[4096];
    struct stat st;
    int fd = open("big", O_RDWR);

    if (fd < 0 || fstat(fd, &st) < 0)
        die("big");
    for (off_t i = 0; i < st.st_size / 4096 * (off_t)permille / 1000; i++) {
        scramble(page, sizeof page);
        if (pwrite(fd, page, sizeof page,
                (off_t)below((uint32_t)(st.st_size / 4096)) * 4096) != sizeof page)
            die("touch");
    }
    close(fd);
}

static void
answer(FILE *in, FILE *out, const char *line)
{
    unsigned n;

    (void)in;
    if (sscanf(line, "work %u", &n) == 1) {
        while (n-- > 0)
            change();
        fprintf(out, "%llu\n", (unsigned long long)made);
    } else if (sscanf(line, "big %u", &n) == 1) {
        big(n);
        fprintf(out, "done\n");
    } else if (sscanf(line, "touch %u", &n) == 1) {
        touch(n);
        fprintf(out, "done\n");
    } else {
        check();
        if (wrong[0])
            fprintf(out, "wrong: %s\n", wrong);
        else
            fprintf(out, "right %llu\n", (unsigned long long)made);
    }
    fflush(out);
}

static void
serve(int c)
{
    FILE *in = fdopen(c, "r"), *out = fdopen(dup(c), "w");
    char line[128];

    while (fgets(line, sizeof line, in))
        answer(in, out, line);
    fclose(in);
    fclose(out);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    bool helps = argc == 4 && strcmp(argv[1], "-h") == 0;

    argv += helps;
    if (argc != 3 + helps || chdir(argv[2]) < 0)
        die("usage: files_writer [-h] PORT FOLDER");
    mkdir("a", 0700);
    mkdir("b", 0700);
    mkdir("b/c", 0700);
    for (unsigned i = 0; i < FILES; i++) {
        model[i].data = calloc(1, MAX_SIZE);
        model[i].fd = -1;
    }
    map_shared();
    if (helps) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
            die("socketpair");
        if (fork() == 0) {
            close(pair[0]);
            close(s);
            help(pair[1]);
        }
        close(pair[1]);
        helper = pair[0];
    }
    a.sin_port = htons((uint16_t)atoi(argv[1]));
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, (struct sockaddr *)&a, sizeof a) < 0 || listen(s, 8) < 0)
        die("bind");
    for (;;) {
        int c = accept(s, NULL, NULL);

        if (c >= 0)
            serve(c);
    }
}
